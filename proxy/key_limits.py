"""What one API key may do of what its tenant may: routes and dialects, models, and until when."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Final

from detectors.documents import nearest
from detectors.errors import EdgeError
from policies.types import allows
from proxy.codec import Codec
from proxy.hook import Hook
from storage.types import Identity

_ROUTE: Final = re.compile(r"[A-Z*?!\[\]-]+ [/*?\[]\S*")


def hold_to_scopes(identity: Identity | None, names: Collection[str], method: str, path: str) -> None:
    """Hold a request against its key's scopes, none of which means all; `names` are those of whoever reads it: its
    dialect, say. Raises EdgeError 403.
    """
    if identity is None or identity.scopes is None:
        return
    route = f"{method} {path}"
    if not any(fnmatchcase(name, scope) for scope in identity.scopes for name in ([route] if " " in scope else names)):
        raise EdgeError(403, "key_scope", "This API key may not be used for this.")


def names_of(dialect: str, codecs: Iterable[Codec]) -> frozenset[str]:
    """Return every name by which a scope may allow what is a whole dialect's."""
    return frozenset({dialect, *(codec.name for codec in codecs if codec.dialect == dialect)})


def unknown_scope(scopes: Iterable[str], codecs: Iterable[Codec], hooks: Iterable[Hook]) -> str:
    """Return what is wrong with the first scope that could never cover a request; empty where each of them may."""
    codecs = tuple(codecs)
    dialects = {codec.dialect for codec in codecs if codec.dialect}
    names = sorted(dialects | {codec.name for codec in codecs} | {scope_of_hook(hook.name) for hook in hooks})
    for scope in scopes:
        known = _ROUTE.fullmatch(scope) if " " in scope else any(fnmatchcase(name, scope) for name in names)
        if not known:
            hint = nearest(scope, names) or f": a dialect ({', '.join(sorted(dialects))}), or a method and a path"
            return f"no request has the scope '{scope}'{hint}"
    return ""


def scope_of_hook(name: str) -> str:
    return f"hook_{name.replace('-', '_')}"


def hold_to_models(identity: Identity | None, model: str) -> None:
    """Hold one of a request's models against its key's. Raises EdgeError 403."""
    if not may_use(identity, model):
        raise EdgeError(403, "model_not_allowed", "This API key may not use this model.", "model")


def may_use(identity: Identity | None, model: str) -> bool:
    return identity is None or identity.models is None or allows(identity.models, model)


def has_expired(identity: Identity) -> bool:
    """Tell whether a key that was valid when it was looked up has ended since."""
    return identity.expires_at is not None and time.time() >= identity.expires_at
