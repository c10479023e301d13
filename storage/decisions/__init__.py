"""The decision log in Postgres: written, counted, searched, and ended."""
