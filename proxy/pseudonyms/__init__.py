"""Names in the place of values: given on the way to a provider, taken back on the way from it."""
