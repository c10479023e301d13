"""`make eval`: how much the shipped detectors catch, and how much they flag that they should not."""
