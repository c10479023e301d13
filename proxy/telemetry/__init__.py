"""What a process says of itself: metrics, traces and its log, and never a word of anybody's text."""
