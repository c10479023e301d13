"""All operations, found in `proxy/control/api`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import proxy.control.api
from detectors.discovery import discover
from proxy.control.operations import Operation


@cache
def all_operations() -> Mapping[str, Operation]:
    """Return every operation by its id, in the order of modules. Raises TypeError for two of one id."""
    found: dict[str, Operation] = {}
    for offered in discover(proxy.control.api, "OPERATIONS", tuple):
        for operation in offered:
            if operation.id in found:
                raise TypeError(f"two operations are called {operation.id}")
            found[operation.id] = operation
    return MappingProxyType(found)
