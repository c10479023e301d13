"""Reading a form that anybody may have sent."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from detectors.errors import AccessError


async def read_form(request: web.Request) -> Any:
    """Return the fields; they stay with the request for whoever asks again. Raises AccessError 400 for what is none."""
    try:
        return await request.post()
    except (ValueError, LookupError, AssertionError) as exc:  # no boundary, no such charset, bytes that are no text
        raise AccessError(400, "invalid_form", "This is not a form that a browser sends.") from exc
