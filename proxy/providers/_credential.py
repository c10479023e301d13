"""How clients send keys: read in each header that a dialect knows, and found again in the same one upstream."""

from __future__ import annotations

from typing import Final

from proxy.codec import Headers

AUTHORIZATION: Final = "Authorization"


def bearer(headers: Headers) -> str:
    """Return the token of `Authorization: Bearer` (RFC 6750, 2.1), empty where there is none."""
    scheme, _, token = headers.get(AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def first_of(candidates: dict[str, str | None]) -> dict[str, str]:
    """Return the first header that has a value, alone; `Authorization` holds a bearer's token. Empty if none has."""
    found = next(((name, value) for name, value in candidates.items() if value), None)
    if found is None:
        return {}
    name, value = found
    return {name: f"Bearer {value}" if name == AUTHORIZATION else value}
