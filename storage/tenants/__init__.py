"""Who exists: tenants, their apps and keys, and how they end."""
