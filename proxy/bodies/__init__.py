"""Bodies as documents: read once, walked, edited and written again to the last digit."""
