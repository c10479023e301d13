"""Secrets of the installation and of tenants, and what is locked with them."""
