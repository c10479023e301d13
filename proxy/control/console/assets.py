"""The console's own style sheet, script and pictures: read once, named by their content so that browsers keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aiohttp import web

_FOLDER: Final = Path(__file__).parent / "static"
_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
)
PREFIX: Final = "/console/static"


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    kind: str
    digest: str


class Assets:
    def __init__(self) -> None:
        self._found = {
            file.name: Asset(
                content := file.read_bytes(), _KINDS[file.suffix], hashlib.sha256(content).hexdigest()[:16]
            )
            for file in sorted(_FOLDER.iterdir())
            if file.suffix in _KINDS
        }

    def address(self, name: str) -> str:
        """Return where a file is served; the address changes with its content."""
        return f"{PREFIX}/{name}?v={self._found[name].digest}"

    async def serve(self, request: web.Request) -> web.Response:
        """Answer with a file, to be kept for a year if it is asked for by its content."""
        found = self._found.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        named = request.query.get("v") == found.digest
        return web.Response(
            body=found.content,
            content_type=found.kind,
            charset="utf-8",
            headers={
                "Cache-Control": "public, max-age=31536000, immutable" if named else "no-cache",
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Content-Security-Policy": "default-src 'none'",
            },
        )
