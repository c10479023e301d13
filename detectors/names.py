"""How files that people write name who wrote a text and how grave a finding is, and what a JSON Schema says of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from detectors.documents import nearest
from detectors.types import Origin, Severity

_SEVERITIES = [severity.name.lower() for severity in Severity]


def _origin(value: object) -> object:
    return Origin.TOOL if value == "document" else value


def _severity(value: object) -> object:
    if isinstance(value, str) and value.upper() in Severity.__members__:
        return Severity.parse(value)
    raise ValueError(f"expected 'low', 'medium', 'high' or 'critical'{nearest(str(value), _SEVERITIES)}")


OriginName = Annotated[
    Origin, BeforeValidator(_origin), WithJsonSchema({"type": "string", "enum": [*map(str, Origin), "document"]})
]
SeverityName = Annotated[Severity, BeforeValidator(_severity), WithJsonSchema({"type": "string", "enum": _SEVERITIES})]
