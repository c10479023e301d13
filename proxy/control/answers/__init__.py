"""What operations are sent and what they answer: one module for each resource, JSON in the shape of its models."""
