"""The one place where our outcomes become HTTP: statuses, shapes, headers, and whether an SDK may try again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from proxy.bodies.json_document import dump
from proxy.providers._openai_shapes import error_body
from proxy.whole_answer import WholeAnswer
from storage.types import Grant

JsonObject = dict[str, Any]
JSON: Final = "application/json"
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "content-encoding",
        "content-type",
        "set-cookie",
        "server",
        "date",
    }
)
_ACCOUNT: Final = re.compile(r"(?:^|-)(?:organi[sz]ation|project|account|workspace|tenant|customer)(?:-|$)")
_IDS: Final = re.compile(r"(?:.*-)?(?:request-?id|generation-id|trace-id|ray|amz-id-2)")
_LONG: Final = re.compile(r"[A-Za-z0-9]{16}|@.*\.")
LONGEST_WAIT: Final = 60.0  # seconds that SDKs wait before they try again
_RELAYED: Final = frozenset({"retry-after", "retry-after-ms"})
# By then a judge has answered, or a queue is shorter.
SOON_DECIDED: Final[Mapping[str, str]] = MappingProxyType({"retry-after": "3"})
_PLAIN: Final = re.compile(r"[!-~]{1,256}")  # no spaces


def body_response(status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
    """Return an answer whose body is serialised; as JSON unless the headers say otherwise."""
    return WholeAnswer(status=status, body=body, headers={"Content-Type": JSON, **headers})


def json_response(status: int, body: JsonObject, headers: Mapping[str, str] | None = None) -> web.Response:
    return body_response(status, dump(body), headers or {})


def error_response(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error for a request whose dialect nobody could tell."""
    return json_response(status, error_body(status, code, message), {**retry_headers(status), **(headers or {})})


def retry_headers(status: int) -> dict[str, str]:
    """Tell SDKs not to repeat what will fail again; a 429 says by itself when to come back."""
    return {"x-should-retry": "false"} if status >= 500 or status in {408, 409} else {}


def rate_headers(kind: str, grant: Grant) -> dict[str, str]:
    """Return the rate headers that SDKs read, for `requests` or `tokens`: those of the window that is the fullest."""
    tightest = grant.tightest()
    if tightest is None:
        return {}
    key, remaining, reset = tightest
    return {
        f"x-ratelimit-limit-{kind}": str(key.limit),
        f"x-ratelimit-remaining-{kind}": str(remaining),
        f"x-ratelimit-reset-{kind}": f"{reset:.3f}s",
    }


def retry_later(seconds: float, *, again: bool) -> dict[str, str]:
    """Say when a refused request fits; an SDK tries again by itself only if that is soon, and of use (`again`)."""
    headers = {
        "retry-after": str(max(1, math.ceil(seconds))),
        "retry-after-ms": str(max(1, math.ceil(seconds * 1000))),
    }
    return headers if again and seconds <= LONGEST_WAIT else headers | {"x-should-retry": "false"}


def upstream_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the upstream's headers as the client may see them: under `llm_provider-`, but for when to retry.

    Nobody reads headers for what they say, so a value that could be a sentence, a credential or an address stays here;
    ids of one request may be long. Whose account it is at the provider is the house's business.
    """
    plain = {name.lower(): value for name, value in headers.items() if _PLAIN.fullmatch(value)}
    named = {name: value for name, value in plain.items() if _is_shown(name, value)}
    return {name if name in _RELAYED else f"llm_provider-{name}": value for name, value in named.items()}


def _is_shown(name: str, value: str) -> bool:
    if name in _HOP_BY_HOP or _ACCOUNT.search(name):
        return False
    return _IDS.fullmatch(name) is not None or _LONG.search(value) is None
