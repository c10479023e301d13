"""What exchanges take out of their limits, what they cost, and what a sender's risk makes of its policy."""
