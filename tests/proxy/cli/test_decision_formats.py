"""Exports: nothing erasable, nothing that a spreadsheet computes, nothing that breaks a line."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.decision_formats import COLUMNS, EXPORTS, as_json, as_line, as_shown, csv_header, csv_line, jsonl_line

AT = datetime(2026, 5, 4, 3, 2, 1, 987000, UTC)


def row(**changed: Any) -> dict[str, Any]:
    """As DecisionReader returns it."""
    known: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
        "id": "01999999-9999-7000-8000-000000000000",
        "opened_at": AT,
        "closed_at": AT,
        "confidence": 0.5,
        "overhead_ms": -1.5,
        "upstream_ms": 2.0,
        "total_ms": 3.0,
        "status": 200,
        "streaming": False,
        "app": None,
        "scores": [{"rule": "PS-INJ-001"}],
        "facts": {},
        "coverage": {},
        "digests": {},
        "degraded": [],
        "prev": b"\x00\xff",
        "hash": None,
        "action": "block",
        "intended_action": "block",
        "outcome": "blocked_request",
        "personal": {"network": "192.0.2.0/24"},
    }
    return known | changed


def cells(line: str) -> dict[str, str]:
    (values,) = csv.reader(io.StringIO(line, newline=""))
    return dict(zip(COLUMNS, values, strict=True))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])  # noqa: RUF001
def test_a_text_that_a_spreadsheet_would_compute_is_made_a_text(start: str) -> None:
    assert cells(csv_line(row(model=f"{start}HYPERLINK(1)")))["model"] == f"'{start}HYPERLINK(1)"


def test_a_negative_number_stays_a_number() -> None:
    assert cells(csv_line(row()))["overhead_ms"] == "-1.5"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30))
def test_any_text_comes_back_out_of_a_csv_cell(text: str) -> None:
    line = csv_line(row(model=text))
    assert cells(line)["model"].replace("'", "") == text.replace("'", "")
    assert line.endswith("\r\n")


def test_a_csv_has_a_column_for_each_name() -> None:
    assert csv_header().rstrip("\r\n").split(",") == list(COLUMNS)
    assert cells(csv_line(row()))["opened_at"] == "2026-05-04T03:02:01.987000+00:00"
    assert cells(csv_line(row()))["prev"] == "00ff"


@pytest.mark.parametrize("form", EXPORTS)
def test_what_can_be_erased_is_in_no_export(form: str) -> None:
    header, line_of = EXPORTS[form]
    assert "192.0.2.0" not in header + line_of(row())
    assert "personal" not in {*COLUMNS} - {"personal_digest"}


def test_a_line_of_jsonl_is_one_line() -> None:
    line = jsonl_line(row(model="a\nb"))
    assert (line.count("\n"), orjson.loads(line)["model"]) == (1, "a\nb")


def test_an_event_of_ocsf_is_json() -> None:
    _, line_of = EXPORTS["ocsf"]
    assert orjson.loads(line_of(row()))["class_uid"] == 6003


def test_what_was_erased_is_said() -> None:
    assert orjson.loads(as_shown(row(personal=None, personal_digest="d")))["personal"] == "erased"
    assert orjson.loads(as_shown(row(personal=None, personal_digest="")))["personal"] is None
    assert orjson.loads(as_json(row(personal=None, personal_digest="d")))["personal"] is None


def test_a_line_for_eyes_tells_what_would_have_been_done() -> None:
    assert "allow(block)" in as_line(row(action="allow"))


@pytest.mark.parametrize("before", ["a;", "a|", 'a;"', "a; ", "a\t"])
def test_no_other_separator_begins_a_formula_inside_a_cell(before: str) -> None:
    assert cells(csv_line(row(model=f"{before}=HYPERLINK(1)")))["model"] == f"{before}'=HYPERLINK(1)"
