"""One module per destination of decisions; each offers SINK, a factory."""
