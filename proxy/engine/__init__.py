"""The chain as a service: what `promptshield engine` serves, and what proxies ask it."""
