"""One module per detector; each offers DETECTOR, a factory that builds it from a rule set."""
