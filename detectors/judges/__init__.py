"""Language models as detectors: what they are asked, what of their answers counts, and in which order."""
