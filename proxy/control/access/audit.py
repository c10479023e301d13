"""The book of what administrators did and what they were denied: one link of a chain for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from proxy.control.access.parts import Access
from proxy.control.access.types import Principal

JsonObject = dict[str, Any]
NOBODY: Final = "nobody"
_LONGEST: Final = 2000
_DEEPEST: Final = 12
# Whoever notes a change leaves secrets out; what is called like one is left out here as well.
_SECRET: Final = re.compile(
    r"password|passwd|secret|credential|cookie|totp|recovery|private|(?:^|_)(?:hash|otp|kek|token)$"
)
_LEFT_OUT: Final = "(left out)"


async def record(
    access: Access,
    principal: Principal,
    action: str,
    *,
    tenant_id: int | None,
    target: str,
    before: JsonObject | None = None,
    after: JsonObject | None = None,
    network: str | None = None,
) -> None:
    """Write down that `principal` did `action` (`users.create`, `denied`) to `target`, and what changed by it.

    Raises StorageError if it cannot be written; then the action should not be done either.
    """
    await note(
        access,
        f"{principal.kind}:{principal.name}",
        action,
        tenant_id=tenant_id,
        target=target,
        before=before,
        after=after,
        network=principal.network if network is None else network,
        session=principal.session,
    )


async def note(
    access: Access, actor: str, action: str, *, tenant_id: int | None = None, target: str = "", **details: Any
) -> None:
    """Write an event down that has no principal: a sign-in, a failed one."""
    kept = {name: cleaned(value) for name, value in details.items() if value is not None and value != ""}
    await access.audit.add(_line(actor), _line(action), tenant_id, _line(target), kept)


def cleaned(value: Any, depth: int = 0) -> Any:
    """Return a JSON value without what is called like a secret, and without characters that a terminal obeys."""
    if isinstance(value, Mapping):
        if depth >= _DEEPEST:
            return _LEFT_OUT
        return {
            _line(str(name)): _LEFT_OUT if _is_secret(str(name), content) else cleaned(content, depth + 1)
            for name, content in value.items()
        }
    if isinstance(value, list | tuple):
        return [cleaned(item, depth + 1) for item in value] if depth < _DEEPEST else _LEFT_OUT
    return _line(value) if isinstance(value, str) else value


def _is_secret(name: str, content: Any) -> bool:
    return isinstance(content, str | bytes | list | tuple | Mapping) and _SECRET.search(name.lower()) is not None


def _line(text: str) -> str:
    shown = text[:_LONGEST]
    return (
        shown if shown.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
    )
