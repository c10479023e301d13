"""Findings in, verdict out. Sees detectors, never storage or proxy; `engine.decide` is pure."""
