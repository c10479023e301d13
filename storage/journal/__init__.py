"""The durable local queue of decisions, and how its records reach every sink."""
