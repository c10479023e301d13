"""Processes: what a start makes sure of, the supervisor, its workers and their sockets."""
