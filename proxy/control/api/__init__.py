"""The operations of the control plane: each module offers OPERATIONS, found by `proxy.control.catalogue`."""
