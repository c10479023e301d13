"""The guard hooks of other gateways, one module each."""
