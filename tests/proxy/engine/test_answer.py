"""Answers of the engine: what its steps said comes back as it was, and anything else is no answer."""

from __future__ import annotations

import orjson
import pytest

from detectors.batch import StageHits
from detectors.chain import Inspection
from detectors.types import Category, Hit, Severity, Span
from proxy.engine.answer import read_answer, write_answer

MARK = bytes(range(16))
HIT = Hit("PS-PII-001", "EMAIL", Category.PII, Severity.MEDIUM, 0.95, Span(5, 21), ("folded",), "E-mail", ("a",))
TOLD = {MARK: {0: StageHits({}), 2: StageHits({"pii": (HIT,)}, exhausted=True)}}


def test_what_the_steps_said_comes_back_as_it_was() -> None:
    raw = write_answer(Inspection(), TOLD, "r", steps=True)

    assert read_answer(raw, 3) == TOLD


def test_people_get_findings_and_no_steps() -> None:
    answer = orjson.loads(write_answer(Inspection(), TOLD, "r", steps=False))

    assert sorted(answer) == ["findings", "revision", "runs", "unscanned"]


def steps(said: object, mark: str = MARK.hex()) -> bytes:
    return orjson.dumps({"steps": {mark: said}})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"steps":[]}',
        steps([]),
        steps({"read": [0], "found": {}}, mark="zz"),
        steps({"read": [0], "found": {}}, mark="00"),
        steps({"read": [3], "found": {}}),
        steps({"read": [-1], "found": {}}),
        steps({"read": ["0"], "found": {}}),
        steps({"read": [0], "found": {"1": [False, {}]}}),
        steps({"read": [0], "found": {"0": [False]}}),
        steps({"read": [0], "found": {"0": [False, {"pii": [["PS-PII-001"]]}]}}),
        steps({"read": [0], "found": {"0": [False, {"pii": [["a", "b", "no", 2, 0.5, None, [], "", []]]}]}}),
    ],
)
def test_anything_else_is_no_answer(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_answer(raw, 3)
