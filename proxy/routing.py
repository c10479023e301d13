"""Which codec reads a request: by its mount, else by its route, else by the headers that only one dialect has, and
where none does, whichever reads what the policy opens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from detectors.errors import EdgeError
from policies.types import Policy
from proxy.codec import Codec, Headers, OpenedOnly, Target

DEFAULT_DIALECT: Final = "openai"
# Files are kept under this path by several providers: what is meant for one must not come to lie at another.
_SHARED: Final = "/v1/files"
_METHODS: Final = ("POST", "GET", "DELETE")
_GEMINI_HEADERS: Final = ("x-goog-api-key", "x-goog-api-client")


def choose_codec(codecs: tuple[Codec, ...], target: Target, headers: Headers) -> Codec | None:
    """Return who reads this request, None if nobody does. A mount rules out every other dialect."""
    claiming = _claiming(codecs, target.method, target.path, target.mount)
    if not claiming:
        return None
    if len(claiming) == 1 and not target.path.startswith(_SHARED):
        return claiming[0]
    wanted = spoken_dialect(target, headers)
    if target.path.startswith(_SHARED) and wanted not in {codec.dialect for codec in claiming}:
        return None
    return next((codec for codec in claiming if codec.dialect == wanted), claiming[0])


@lru_cache(maxsize=256)  # most requests go to a few paths, and each of two dozen codecs looks at one by a pattern
def _claiming(codecs: tuple[Codec, ...], method: str, path: str, mount: str) -> tuple[Codec, ...]:
    return tuple(c for c in codecs if c.claims(method, path) and mount in {"", c.dialect})


def open_route(codecs: Sequence[Codec], policy: Policy, target: Target, words: Codec) -> Codec:
    """Return who reads a request that no dialect's codec claims, in the dialect of `words`.

    Raises EdgeError 404 where the policy opens no such route.
    """
    route = policy.opened(target.method, target.path, words.dialect)
    reader = next((codec for codec in codecs if isinstance(codec, OpenedOnly)), None)
    if route is None or reader is None:
        raise EdgeError(404, "unknown_path", f"There is nothing at this path.{_meant(codecs, target)}")
    return reader.opened(route, words)


def _meant(codecs: Sequence[Codec], target: Target) -> str:
    """Return by which method or where a request is read: its base URL may lack `/v1`, or have it twice."""
    for method in _METHODS:
        if _claiming(tuple(codecs), method, target.path, target.mount):
            return f" It is read by {method}."
    for path in (f"/v1{target.path}", target.path.removeprefix("/v1")):
        if path != target.path and _claiming(tuple(codecs), target.method, path, target.mount):
            return f" If {path} is meant, the base URL is wrong."
    return ""


def error_codec(codecs: Sequence[Codec], target: Target, headers: Headers) -> Codec:
    """Return whose errors the sender of this request can read, whether or not anybody reads the request itself."""
    wanted = spoken_dialect(target, headers)
    return next((codec for codec in codecs if codec.dialect == wanted), None) or default_codec(codecs)


def default_codec(codecs: Sequence[Codec]) -> Codec:
    """Return a codec of the dialect that most clients speak."""
    return next(codec for codec in codecs if codec.dialect == DEFAULT_DIALECT)


def spoken_dialect(target: Target, headers: Headers) -> str:
    """Return the dialect that mount and headers point to; OpenAI's where they say nothing."""
    if target.mount:
        return target.mount
    if "anthropic-version" in headers:
        return "anthropic"
    if any(name in headers for name in _GEMINI_HEADERS) or _has_key(target.query) or target.path.startswith("/v1beta"):
        return "gemini"
    return DEFAULT_DIALECT


def _has_key(query: str) -> bool:
    return query.startswith("key=") or "&key=" in query
