"""State: engines, identities, limits, the decision journal. Sees detectors, never policies or proxy."""
