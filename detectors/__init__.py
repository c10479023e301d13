"""Text in, findings out. This package imports nothing of ours."""
