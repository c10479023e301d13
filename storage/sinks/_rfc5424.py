"""A decision as a syslog message (RFC 5424): header, structured data, and the row as compact JSON."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from storage.published import JsonObject

_SEVERITIES: Final = {"block": 4, "error": 3, "mask": 5, "pseudonymise": 5, "flag": 5}  # warning, error, notice
_INFORMATIONAL: Final = 6
_MAIN: Final = (
    "id",
    "tenant_id",
    "app_id",
    "action",
    "category",
    "outcome",
    "status",
    "model",
    "policy_id",
    "request_id",
)
_LONGEST_VALUE: Final = 200  # characters of one field in the structured data
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNPRINTABLE: Final = re.compile(r"[^\x21-\x7e]")


def syslog_message(row: JsonObject, facility: int, sd_id: str, limit: int | None = None) -> bytes:
    """Return one message of at most `limit` bytes.

    What is too long gives up the row first (the message is then the main fields and `"truncated": true`), then the
    message altogether; header and structured data always stand, and no JSON is ever cut in the middle.
    The text is UTF-8 without a byte order mark (MSG-ANY of the RFC): few receivers expect one before JSON.
    """
    head = _header(row, facility) + b" " + _structured_data(row, sd_id)
    for message in (b" " + orjson.dumps(row), b" " + orjson.dumps(_shortened(row)), b""):
        if limit is None or len(head) + len(message) <= limit:
            return head + message
    return head


def _header(row: JsonObject, facility: int) -> bytes:
    severity = _SEVERITIES.get(row["action"], _INFORMATIONAL)
    host, message_id = _word(row["instance"], 255), _word(row["outcome"], 32)
    return f"<{facility * 8 + severity}>1 {row['closed_at']} {host} promptshield {row['worker']} {message_id}".encode()


def _structured_data(row: JsonObject, sd_id: str) -> bytes:
    given = [(name, row[name]) for name in _MAIN if row[name] not in {None, ""}]
    parameters = "".join(f' {name}="{_value(value)}"' for name, value in given)
    return f"[{sd_id}{parameters}]".encode()


def _shortened(row: JsonObject) -> dict[str, Any]:
    main = {name: row[name] if not isinstance(row[name], str) else row[name][:_LONGEST_VALUE] for name in _MAIN}
    return {"opened_at": row["opened_at"], **main, "truncated": True}


def _value(value: object) -> str:
    """A parameter's value: bounded, on one line, and with the three characters escaped that could end it."""
    text = _CONTROL.sub("?", str(value)[:_LONGEST_VALUE])
    return re.sub(r'(["\\\]])', r"\\\1", text)


def _word(text: object, longest: int) -> str:
    return _UNPRINTABLE.sub("?", str(text))[:longest] or "-"
