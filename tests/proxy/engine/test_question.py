"""Questions to the engine: written and read again the same, and refused with the place where they are wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest

from detectors.errors import EdgeError
from detectors.seams import seams
from detectors.types import Direction, Kind, Origin, Place, Segment
from proxy.engine.question import MOST_TEXTS, read_question, write_question

SEGMENT = Segment(Direction.RESPONSE, Origin.TOOL, Kind.TEXT, Place.KEY, "/0", "a text \u00e9")


def ask(**changes: Any) -> bytes:
    return orjson.dumps({"segments": [{"text": "a", **changes}]})


def test_what_a_proxy_writes_is_read_as_it_was_but_for_its_pointers() -> None:
    texts = [SEGMENT, replace(SEGMENT, place=Place.VALUE, text="more", pointer="/secret name")]
    seam = seams([[replace(text, place=Place.VALUE) for text in texts]])

    raw = write_question([*texts, *seam])

    read = read_question(raw)
    assert read.steps
    assert [(s.direction, s.origin, s.kind, s.place, s.text, s.joints) for s in read.segments] == [
        (s.direction, s.origin, s.kind, s.place, s.text, s.joints) for s in [*texts, *seam]
    ]
    assert b"secret name" not in raw


def test_a_text_alone_is_what_a_user_asks() -> None:
    (segment,) = read_question(ask()).segments

    assert (segment.origin, segment.direction, segment.kind) == (Origin.USER, Direction.REQUEST, Kind.TEXT)
    assert read_question(ask(origin="document")).segments[0].origin is Origin.TOOL


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"x", "unexpected"),
        (b"[]", "an object"),
        (b"{}", "segments: a list"),
        (b'{"segment":[]}', "did you mean 'segments'"),
        (b'{"segments":[],"steps":1}', "steps: true or false"),
        (b'{"segments":["a"]}', r"segments\[0\]: an object"),
        (ask(text=1), r"segments\[0\]\.text: a string"),
        (ask(txt="a"), "did you mean 'text'"),
        (ask(origin="usr"), "one of user, tool"),
        (ask(origin=["user"]), "one of user, tool"),
        (ask(pointer=1), "pointer: a string"),
        (ask(joints=[0, 9]), "joints: no place"),
        (ask(text="abc", joints=[2, 1]), "joints: ascending"),
        (ask(joints="0"), "joints: ascending"),
        (orjson.dumps({"segments": [{"text": ""}] * (MOST_TEXTS + 1)}), "more than"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(raw: bytes, where: str) -> None:
    with pytest.raises(EdgeError) as refused:
        read_question(raw)

    assert refused.value.status == 400
    assert re.search(where, refused.value.message)
