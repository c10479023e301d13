"""Names of origins and severities in files."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from detectors.names import OriginName, SeverityName
from detectors.types import Origin, Severity

ORIGINS: TypeAdapter[Origin] = TypeAdapter(OriginName)
SEVERITIES: TypeAdapter[Severity] = TypeAdapter(SeverityName)


def test_a_document_is_what_a_tool_returned() -> None:
    assert ORIGINS.validate_python("document") is Origin.TOOL
    assert ORIGINS.validate_python("user") is Origin.USER


def test_severities_have_names_and_no_numbers() -> None:
    assert SEVERITIES.validate_python("high") is Severity.HIGH
    with pytest.raises(ValidationError, match="did you mean 'high'"):
        SEVERITIES.validate_python("hihg")
    with pytest.raises(ValidationError):
        SEVERITIES.validate_python(3)


def test_the_schema_says_what_is_read() -> None:
    assert SEVERITIES.json_schema()["enum"] == ["low", "medium", "high", "critical"]
    assert [ORIGINS.validate_python(name) for name in ORIGINS.json_schema()["enum"]] == [*Origin, Origin.TOOL]
