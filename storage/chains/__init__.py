"""Decisions as chains of hashes, what an instance signs about them, and what holds the log against it."""
