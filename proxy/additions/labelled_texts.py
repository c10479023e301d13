"""Texts with a label, for a tenant's own head: out of decisions of which somebody said what they were, or of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from detectors.builtin.classifier import readable, without_blobs
from detectors.builtin.transformer import is_said
from detectors.errors import StorageError
from detectors.models.classifier_model import READ_AS
from detectors.models.fit_head import Example
from detectors.rules import RuleSet
from detectors.types import ATTACK, Direction, Kind, Origin, Place, Segment
from detectors.views import ViewBuilder
from proxy.app import Detection
from proxy.bodies.pointer import shown
from proxy.codec import Codec
from proxy.rescanning import AT_ONCE, Archive, walk_of
from storage.decisions.bodies import read_bodies_of_tenant
from storage.decisions.labels import Labelled, Labels
from storage.keys.sealed_body import BodyForm

MOST: Final = 2000  # texts of one origin, the newest
_ORIGINS: Final = {"user": Origin.USER, "tool": Origin.TOOL, "document": Origin.TOOL}
_LABELS: Final = {"attack": True, "benign": False}


@dataclass(frozen=True, slots=True, repr=False)
class LabelledText:
    """A text, as whose it is read (user or tool), and whether it is an attack."""

    text: str
    origin: Origin
    attack: bool


@dataclass(frozen=True, slots=True)
class Told:
    """The texts; of the labelled decisions how many there are, and how many of them still have their text."""

    texts: Sequence[LabelledText]
    decisions: int = 0
    readable: int = 0


async def told_by_decisions(archive: Archive, detection: Detection) -> Told:
    """Return the texts of a tenant's labelled decisions, the newest first. Raises StorageError."""
    codecs = {codec.name: codec for codec in detection.codecs}
    decisions = await Labels(archive.database).said(archive.tenant_id, 2 * MOST)
    texts: list[LabelledText] = []
    found = 0
    for start in range(0, len(decisions), AT_ONCE):
        page = [one for one in decisions[start : start + AT_ONCE] if one.dialect in codecs]
        bodies = await read_bodies_of_tenant(
            archive.database, archive.data_keys, archive.tenant_id, [one.id for one in page],
            actor=archive.actor, reason="model-fit",
        )  # fmt: skip
        kept = {
            body.decision_id: body.text
            for body in bodies
            if body.direction == Direction.REQUEST and body.form == BodyForm.ENCRYPTED and body.text and not body.cut
        }
        for one in page:
            own = list(_texts_of(one, codecs[one.dialect], kept.get(one.id, "")))
            texts += own
            found += bool(own)
    return Told(texts, len(decisions), found)


def _texts_of(decision: Labelled, codec: Codec, body: str) -> Iterator[LabelledText]:
    """Yield what a label means: of a benign request all texts; of an attack those in which attacks were found, or where
    none was, the last.
    """
    walk = walk_of(codec, decision.route, body, Direction.REQUEST) if body else None
    read = [one for one in walk.segments if _is_read(one)] if walk is not None else []
    meant = read
    if decision.attack and walk is not None:
        found = [one for one in read if shown(one.pointer, walk.vocabulary) in decision.pointers]
        meant = found if decision.pointers else read[-1:]
    for segment in meant:
        yield LabelledText(segment.text, READ_AS[segment.origin], decision.attack)


def _is_read(segment: Segment) -> bool:
    return segment.kind is Kind.TEXT and segment.origin in READ_AS and is_said(segment.text)


def told_by_file(file: Path) -> Told:
    """Read JSON lines `{"text": ..., "label": "attack" | "benign", "origin": "user" | "tool"}`.

    Raises StorageError, which names the line and never quotes it.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as exc:
        raise StorageError(f"{file}: {exc.strerror}") from exc
    return Told([_line(file, number, line) for number, line in enumerate(lines, start=1) if line.strip()])


def _line(file: Path, number: int, line: bytes) -> LabelledText:
    try:
        row: Any = orjson.loads(line.decode())
    except UnicodeDecodeError:
        raise StorageError(f"{file}:{number}: not UTF-8") from None
    except orjson.JSONDecodeError:
        raise StorageError(f"{file}:{number}: not JSON") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not row["text"].strip():
        raise StorageError(f'{file}:{number}: an object with a "text" is expected')
    label, origin = row.get("label"), row.get("origin", "user")
    if not isinstance(label, str) or label not in _LABELS:
        raise StorageError(f'{file}:{number}: "label" is attack or benign')
    if not isinstance(origin, str) or origin not in _ORIGINS:
        raise StorageError(f'{file}:{number}: "origin" is user, tool or document')
    return LabelledText(row["text"], _ORIGINS[origin], _LABELS[label])


def examples(texts: Sequence[LabelledText], views: ViewBuilder, origin: Origin) -> list[Example]:
    """Return an origin's texts as the classifier reads them, each once; of two opinions the first holds."""
    said: dict[tuple[str, ...], bool] = {}
    for one in texts:
        if one.origin is origin and len(said) < MOST:
            readings = _readings(one.text, views, origin)
            if readings:
                said.setdefault(readings, one.attack)
    return [Example(readings, attack) for readings, attack in said.items()]


def of_signatures(rules: RuleSet, views: ViewBuilder, origin: Origin) -> list[Example]:
    """Return what is known of attacks and their benign twins: every shipped signature's examples."""
    own = [one for one in rules.signatures if one.category in ATTACK]
    texts = [LabelledText(text, origin, True) for one in own for text in one.examples.match]
    texts += [LabelledText(text, origin, False) for one in own for text in one.examples.no_match]
    return examples(texts, views, origin)


def _readings(text: str, views: ViewBuilder, origin: Origin) -> tuple[str, ...]:
    segment = Segment(Direction.REQUEST, origin, Kind.TEXT, Place.VALUE, "", text)
    return tuple(dict.fromkeys(without_blobs(view.text) for view in readable(views.build(segment).views, origin)))
