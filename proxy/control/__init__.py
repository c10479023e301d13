"""The control plane: shipping, metrics and (later) the admin API, on a port of its own."""
