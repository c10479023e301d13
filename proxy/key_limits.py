"""What one API key may do of what its tenant may: routes and dialects, models, and until when."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

from detectors.errors import EdgeError
from policies.types import allows
from storage.types import Identity


def hold_to_scopes(identity: Identity | None, dialect: str, method: str, path: str) -> None:
    """Hold a request against its key's scopes, none of which means all. Raises EdgeError 403."""
    if identity is None or identity.scopes is None:
        return
    route = f"{method} {path}"
    if not any(fnmatchcase(route if " " in scope else dialect, scope) for scope in identity.scopes):
        raise EdgeError(403, "key_scope", "This API key may not be used for this.")


def hold_to_models(identity: Identity | None, model: str) -> None:
    """Hold one of a request's models against its key's. Raises EdgeError 403."""
    if not may_use(identity, model):
        raise EdgeError(403, "model_not_allowed", "This API key may not use this model.", "model")


def may_use(identity: Identity | None, model: str) -> bool:
    return identity is None or identity.models is None or allows(identity.models, model)


def has_expired(identity: Identity) -> bool:
    """Tell whether a key that was valid when it was looked up has ended since."""
    return identity.expires_at is not None and time.time() >= identity.expires_at
