"""Accounts of the people and programs that run the firewall, and the book of what they did."""
