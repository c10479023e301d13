"""Egress mode: apps that cannot change their base URL come by an HTTP proxy; what they say takes the same way."""
