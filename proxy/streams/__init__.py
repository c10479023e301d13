"""Streamed answers: read event by event, held back, judged and let go."""
