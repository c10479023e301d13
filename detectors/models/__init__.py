"""Models that we trained ourselves: their weights, what reads them, and (in `training/`) what made them."""
