"""One module per action; each offers ACTION."""
