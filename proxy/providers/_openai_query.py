"""What of a query may go upstream: a few named parameters with plain values, written anew."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final
from urllib.parse import unquote

from detectors.errors import EdgeError

ITEM_ID: Final = r"[a-z]{2,16}_[A-Za-z0-9_-]{1,250}"
# What may be asked for beside an object (API reference, `include`). A closed list, because nothing here is scanned.
_INCLUDED: Final = (
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
    "message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
    "reasoning.encrypted_content", "message.output_text.logprobs",
)  # fmt: skip
_VALUES: Final = {
    "limit": re.compile(r"[0-9]{1,3}"),
    "order": re.compile(r"asc|desc"),
    "after": re.compile(ITEM_ID),
    "include": re.compile("|".join(map(re.escape, _INCLUDED))),
    "stream": re.compile(r"true|false"),
    "starting_after": re.compile(r"[0-9]{1,9}"),
}
# Asked for by clients of Azure, and padding that is taken out of every stream: both mean nothing upstream.
_DROPPED: Final = frozenset({"api-version", "include_obfuscation"})


def read_query(query: str, allowed: Collection[str]) -> dict[str, Any]:
    """Return the parameters by name; `include` as a list. Raises EdgeError 400 for all that is not plainly one."""
    named: dict[str, Any] = {}
    for pair in query.split("&") if query else ():
        spelt, _, value = pair.partition("=")
        name, value = unquote(spelt).removesuffix("[]"), unquote(value)
        if name in _DROPPED:
            continue
        # The message repeats a name only if it is one of ours.
        if name not in allowed or name not in _VALUES:
            raise EdgeError(400, "unknown_parameter", "A parameter of the query is not one that may be sent here.")
        if not _VALUES[name].fullmatch(value) or (name in named and name != "include"):
            raise EdgeError(400, "invalid_parameter", "This parameter of the query has no plain value.", name)
        named[name] = [*named.get(name, []), value] if name == "include" else value
    return named


def write_query(named: dict[str, Any]) -> str:
    """Return what follows a path: `?limit=20&include[]=...`, empty without parameters."""
    pairs = [
        f"{name}%5B%5D={each}" if isinstance(value, list) else f"{name}={each}"
        for name, value in named.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return "?" + "&".join(pairs) if pairs else ""
