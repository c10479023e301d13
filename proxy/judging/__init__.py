"""A worker's judges: who they are, what they may cost, which texts are worth them, and what the row says of it."""
