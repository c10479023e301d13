"""What is counted in Redis, and what workers count alone while it is away."""
