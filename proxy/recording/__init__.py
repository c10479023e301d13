"""What the log keeps of an exchange: its row, and by policy its bodies and whom it is about."""
