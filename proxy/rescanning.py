"""Recorded decisions whose bodies are kept, scanned again: what the signatures of today find in the texts of then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from detectors.chain import PATIENT_SECONDS, Inspection, InspectionOptions
from detectors.lexicon import Lexicon
from detectors.types import Coverage, Direction, InspectionContext, Kind, Origin, Place, Segment, Stage
from policies.recorded import Catalogue, Recorded, scores_of
from proxy.app import Detection
from proxy.bodies.json_document import JsonError, parse
from proxy.bodies.walk import Walk
from proxy.codec import Codec, Target
from proxy.screen import with_seams
from proxy.streams.sse import SseError, begins_stream
from storage.decisions.bodies import Body, read_bodies_of_tenant
from storage.keys.data_keys import DataKeys
from storage.keys.sealed_body import BodyForm
from storage.postgres import Database

AT_ONCE: Final = 100  # decisions whose bodies are held in memory
Seen = tuple[Inspection, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """A tenant's stored bodies; `actor` is who reads them, which the admin audit notes for each decision."""

    database: Database
    data_keys: DataKeys
    tenant_id: int
    actor: str


class Rescan:
    """Scans texts as the data plane would today, with what a policy and the operator add to what is looked for."""

    def __init__(self, archive: Archive, detection: Detection, lexicon: Lexicon) -> None:
        self._archive, self._chain, self._lexicon = archive, detection.chain, lexicon
        self._codecs = {codec.name: codec for codec in detection.codecs}
        self._catalogue = Catalogue.of(detection.rules)
        # What asks a text alone. All others need the exchange or a judge: of them the row's word stays.
        self._anew = {d.name for d in detection.chain.detectors if d.cacheable and d.stage is not Stage.JUDGE}

    async def scan(self, recorded: Sequence[Recorded]) -> dict[str, Seen]:
        """Return what is found in each of these decisions' bodies, by id; nothing of one that lacks any, or whose body
        is cut, masked or unreadable. Raises StorageError.
        """
        known = [row for row in recorded if row.hashed and row.dialect in self._codecs]
        if not known:
            return {}
        archive = self._archive
        bodies = await read_bodies_of_tenant(
            archive.database, archive.data_keys, archive.tenant_id, [row.id for row in known],
            actor=archive.actor, reason="replay",
        )  # fmt: skip
        found: dict[str, Seen] = {}
        for row in known:
            seen = await self._seen(row, [body for body in bodies if body.decision_id == row.id])
            if seen is not None:
                found[row.id] = seen
        return found

    async def _seen(self, row: Recorded, bodies: Sequence[Body]) -> Seen | None:
        looked_at = [direction for direction in Direction if f'"{direction}":' in row.coverage]
        texts = {body.direction: body.text for body in bodies if body.form == BodyForm.ENCRYPTED and not body.cut}
        inspections: list[Inspection] = []
        for direction in looked_at:
            text = texts.get(direction)
            walk = None if text is None else walk_of(self._codecs[row.dialect], row.route, text, direction)
            if walk is None:
                return None
            inspections.append(await self._inspected(row, walk))
        return tuple(inspections)

    async def _inspected(self, row: Recorded, walk: Walk) -> Inspection:
        context = InspectionContext(self._archive.tenant_id, lexicon=self._lexicon)
        left_out = Coverage(0, 0, walk.skipped, walk.unscanned)
        options = InspectionOptions(context, refiner_deadline=PATIENT_SECONDS, left_out=left_out)
        seen = await self._chain.inspect(with_seams(walk), options)
        kept = [score for score in scores_of(row.scores) if score.detector not in self._anew]
        others = [self._catalogue.finding(score) for score in kept if score.direction == walk.direction]
        return Inspection((*seen.findings, *others), seen.runs, seen.coverage)


def walk_of(codec: Codec, route: str, text: str, direction: Direction) -> Walk | None:
    """Return what of a stored body is read; None for one that is no document and no stream of its dialect."""
    try:
        if direction is Direction.RESPONSE and codec.streams and begins_stream(text.encode()):
            return _walk_of_stream(codec, route, text)
        return codec.segments(parse(text.encode()), direction)
    except (JsonError, SseError, orjson.JSONDecodeError):
        return None


def _walk_of_stream(codec: Codec, route: str, text: str) -> Walk:
    """Put the texts of a stream's channels together, as one who has read it to its end."""
    method, _, path = route.partition(" ")
    reader, walk = codec.stream(Target(method, path)), Walk(Direction.RESPONSE, codec.vocabulary)
    parser, channels = reader.parser(), dict[str, list[str]]()
    for event in [*parser.feed(text.encode()), *parser.finish()]:
        frame = reader.read(event.event, event.data)
        walk.segments += frame.rest.segments
        for piece in frame.pieces:
            channels.setdefault(piece.channel, []).append(piece.text)
    for channel, pieces in channels.items():
        said = "".join(pieces)
        walk.segments.append(Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, f"/{channel}", said))
    return walk
