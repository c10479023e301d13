"""What an engine is asked: texts as JSON, read strictly, and written by proxies."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from detectors.errors import EdgeError
from detectors.frozen import statically_frozen
from detectors.types import Direction, Kind, Origin, Place, Segment
from proxy.bodies.json_document import JsonError, dump, parse
from proxy.bodies.walk import MOST_SEGMENTS

_KEYS: Final = ("segments", "steps")
_SEGMENT_KEYS: Final = ("text", "origin", "direction", "kind", "place", "pointer", "joints")
MOST_TEXTS: Final = 2 * MOST_SEGMENTS  # with their seams
Word = TypeVar("Word", bound=StrEnum)


@statically_frozen
@dataclass(frozen=True, slots=True)
class Question:
    """Texts to inspect. `steps`: a proxy asks, which wants to know what each step of the chain said."""

    segments: tuple[Segment, ...]
    steps: bool


def read_question(raw: bytes) -> Question:
    """Read a request's body. Raises EdgeError 400 that says where it is wrong, never quoting it."""
    try:
        document = parse(raw)
    except JsonError as exc:
        raise _wrong(str(exc)) from None
    if not isinstance(document, dict):
        raise _wrong("an object is expected")
    _refuse_unknown(document, _KEYS, "")
    listed, steps = document.get("segments"), document.get("steps", False)
    if not isinstance(listed, list):
        raise _wrong("a list is expected", "segments")
    if len(listed) > MOST_TEXTS:
        raise _wrong(f"more than {MOST_TEXTS} texts", "segments")
    if not isinstance(steps, bool):
        raise _wrong("true or false is expected", "steps")
    return Question(tuple(_segment(item, f"segments[{index}]", index) for index, item in enumerate(listed)), steps)


def write_question(segments: Sequence[Segment]) -> bytes:
    """Return the question of a proxy. Pointers stay at home: they name what a client chose. Raises TypeError for a
    text that UTF-8 cannot say.
    """
    listed = [
        {
            "text": segment.text,
            "origin": str(segment.origin),
            "direction": str(segment.direction),
            "kind": str(segment.kind),
            "place": str(segment.place),
            "joints": segment.joints,
        }
        for segment in segments
    ]
    return dump({"segments": listed, "steps": True})


def _segment(item: object, where: str, index: int) -> Segment:
    if not isinstance(item, dict):
        raise _wrong("an object is expected", where)
    _refuse_unknown(item, _SEGMENT_KEYS, f"{where}.")
    text, pointer, joints = item.get("text"), item.get("pointer", f"/segments/{index}"), item.get("joints", [])
    if not isinstance(text, str):
        raise _wrong("a string is expected", f"{where}.text")
    if not isinstance(pointer, str):
        raise _wrong("a string is expected", f"{where}.pointer")
    places = [place for place in joints if isinstance(place, int)] if isinstance(joints, list) else None
    if places is None or places != joints or places != sorted(set(places)):
        raise _wrong("ascending numbers are expected", f"{where}.joints")
    if places and not 0 <= places[0] <= places[-1] < len(text):
        raise _wrong("no place in the text", f"{where}.joints")
    origin = Origin.TOOL if item.get("origin") == "document" else _word(item, "origin", Origin.USER, where)
    return Segment(
        direction=_word(item, "direction", Direction.REQUEST, where),
        origin=origin,
        kind=_word(item, "kind", Kind.TEXT, where),
        place=_word(item, "place", Place.VALUE, where),
        pointer=pointer,
        text=text,
        joints=tuple(places),
    )


def _word(item: Mapping[str, Any], key: str, default: Word, where: str) -> Word:
    kind = type(default)
    given = item.get(key, default)
    if given not in list(kind):
        raise _wrong(f"one of {', '.join(kind)} is expected", f"{where}.{key}")
    return kind(given)


def _refuse_unknown(document: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in document:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" (did you mean '{near[0]}'?)" if near else f": known are {', '.join(known)}"
            raise _wrong(f"unknown key{hint}", f"{where.rstrip('.')}" or None)


def _wrong(problem: str, param: str | None = None) -> EdgeError:
    return EdgeError(400, "invalid_request", f"{param}: {problem}" if param else problem, param)
