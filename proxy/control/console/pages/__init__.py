"""One module for each matter of the console; each offers the pages of it."""
