"""Find the one object that each plug-in module of a folder offers."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

Offer = TypeVar("Offer")


def discover(package: ModuleType, constant: str, kind: type[Offer]) -> tuple[Offer, ...]:
    """Return the `constant` of every module in `package`, by module name. Raises TypeError for a module without it.

    A module whose name begins with an underscore is shared by its neighbours and offers nothing.
    """
    found = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
        if info.name.startswith("_"):
            continue
        offer = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), constant, None)
        if not isinstance(offer, kind):
            raise TypeError(f"{package.__name__}.{info.name} offers no {constant} of type {kind.__name__}")
        found.append(offer)
    return tuple(found)
