"""Who may use the control plane, and for what: signing in, tokens, roles, and the record of it all."""
