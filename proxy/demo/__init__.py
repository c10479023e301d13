"""The demo upstream: a provider of every dialect that needs no network and no credential."""
