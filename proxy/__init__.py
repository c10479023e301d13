"""HTTP: the only package that sees the other three."""
