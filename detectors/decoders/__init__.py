"""One module per encoding; each offers DECODER."""
