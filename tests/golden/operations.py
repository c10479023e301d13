"""docs/openapi.json and the table of docs/control-api.md: the control plane's operations as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proxy.control.catalogue import all_operations
from proxy.control.openapi import openapi, written
from proxy.control.operations import Operation

_DOCS: Final = Path(__file__).parents[2] / "docs"
OPENAPI: Final = _DOCS / "openapi.json"
API_PAGE: Final = _DOCS / "control-api.md"
_BEGIN: Final = "<!-- operations: `make golden` writes this table -->\n"
_END: Final = "<!-- end of operations -->\n"


def openapi_document() -> bytes:
    """Return docs/openapi.json."""
    return written(openapi(all_operations().values()))


def api_page() -> str:
    """Return docs/control-api.md with the table as it is now."""
    page = API_PAGE.read_text()
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{''.join(_rows())}\n{_END}{after}"


def _rows() -> Iterator[str]:
    yield "| operation | call | needs | what it does |\n|---|---|---|---|\n"
    for operation in sorted(all_operations().values(), key=lambda one: (one.path, one.method)):
        call = f"`{operation.method} {_path(operation)}`"
        yield f"| `{operation.id}` | {call} | {_needs(operation)} | {operation.summary} |\n"


def _path(operation: Operation) -> str:
    return operation.path.removeprefix("/api/v1")


def _needs(operation: Operation) -> str:
    return f"`{operation.permission}`{', platform' if operation.platform else ''}"
