"""What an upstream says when it fails, and how much of that is the client's business."""

from __future__ import annotations

from typing import Any

from proxy.json_document import JsonError, parse


def read_error(raw: bytes) -> dict[str, Any] | None:
    try:
        document = parse(raw)
    except JsonError:
        return None
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # Google's array streams put their errors into an array too
    return document if isinstance(document, dict) else None


def relayed_status(status: int) -> int:
    """What is the client's business passes; a credential of ours that fails, or a redirect, is our failure."""
    return 502 if 300 <= status < 400 or status in {401, 403, 407} else status


def error_code(document: dict[str, Any]) -> str:
    error = document.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return str(code)[:64] if isinstance(code, int) else ("upstream" if error else "")
