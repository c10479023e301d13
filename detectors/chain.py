"""Run the detectors by cost over what was not seen before, and account for every one of them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from detectors.batch import Batch, StageHits
from detectors.errors import DetectorError
from detectors.frozen import statically_frozen
from detectors.types import (
    Coverage,
    Detector,
    DetectorRun,
    Finding,
    Hit,
    InspectionContext,
    RunStatus,
    Segment,
    Stage,
    View,
)
from detectors.views import ViewBuilder


class FindingsCache(Protocol):
    """Remembers stage hits of one tenant by content. Keys are already keyed hashes."""

    def get(self, key: bytes) -> StageHits | None: ...
    def put(self, key: bytes, value: StageHits) -> None: ...


class StageGate(Protocol):
    """Says whether a later stage can still change the outcome. Returns the reason to skip it, or None to run it."""

    def skip(self, stage: Stage, findings: Sequence[Finding]) -> str | None: ...


_NO_TENANT = InspectionContext()
_NOTHING = Coverage()


@statically_frozen
@dataclass(frozen=True, slots=True)
class InspectionOptions:
    """Whose text it is, how long refiners may take in all (seconds), and who says when enough is known.

    `content_key` keys the hashes of texts (cache keys and `SegmentRef.content`); without it nothing is cached.
    """

    context: InspectionContext = _NO_TENANT
    content_key: bytes = b""
    refiner_deadline: float = 2.0
    gate: StageGate | None = None


@statically_frozen
@dataclass(frozen=True, slots=True)
class Inspection:
    """All that the chain can say about the segments of one direction.

    `failed` holds required detectors that could not look, `undecided` refiners that could not answer; both as runs.
    """

    findings: tuple[Finding, ...] = ()
    runs: tuple[DetectorRun, ...] = ()
    coverage: Coverage = _NOTHING

    @property
    def failed(self) -> tuple[DetectorRun, ...]:
        return tuple(run for run in self.runs if run.required and run.status is not RunStatus.OK)

    @property
    def undecided(self) -> tuple[DetectorRun, ...]:
        return tuple(
            run for run in self.runs if not run.required and run.status not in {RunStatus.OK, RunStatus.SKIPPED}
        )

    @property
    def degraded(self) -> tuple[str, ...]:
        """The names of all that failed or stayed undecided, sorted."""
        settled = {RunStatus.OK, RunStatus.SKIPPED}
        return tuple(
            sorted({r.detector for r in self.runs if r.status not in settled or (r.required and r.status != "ok")})
        )


class Chain:
    """The detectors of every stage in order. Holds no state but its parts; safe for concurrent exchanges."""

    def __init__(
        self,
        detectors: Sequence[Detector],
        views: ViewBuilder,
        revision: str,
        cache: FindingsCache | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._stages = [
            (stage, tuple(d for d in detectors if d.stage is stage)) for stage in sorted({d.stage for d in detectors})
        ]
        self._salts = {
            stage: "\0".join(
                ["1", str(stage), *sorted(f"{d.name}={d.revision}" for d in members if d.cacheable)]
            ).encode()
            for stage, members in self._stages
        }
        self._views, self._cache, self._clock = views, cache, clock
        self.revision = revision

    async def inspect(self, segments: Sequence[Segment], options: InspectionOptions) -> Inspection:
        """Look at every segment. Never raises for a detector's failure: that is a run with a status."""
        findings: list[Finding] = []
        runs: list[DetectorRun] = []
        batch = Batch(segments, self._views)
        for stage, detectors in self._stages:
            reason = options.gate.skip(stage, findings) if options.gate is not None else None
            if reason is not None and not any(d.required for d in detectors):
                runs += [_skipped(d, reason) for d in detectors]
                continue
            await self._run_stage(stage, detectors, batch, options, runs)
            findings = batch.findings(options.content_key)
        return Inspection(tuple(findings), tuple(runs), batch.coverage())

    async def _run_stage(
        self,
        stage: Stage,
        detectors: Sequence[Detector],
        batch: Batch,
        options: InspectionOptions,
        runs: list[DetectorRun],
    ) -> None:
        remembered = tuple(d for d in detectors if d.cacheable)
        if remembered:
            keys = self._cache_keys(stage, batch.segments, options.content_key)
            await self._run_all(remembered, keys, batch, options, runs)
        if len(remembered) < len(detectors):
            await self._run_all([d for d in detectors if not d.cacheable], None, batch, options, runs)

    async def _run_all(
        self,
        detectors: Sequence[Detector],
        keys: Sequence[bytes] | None,
        batch: Batch,
        options: InspectionOptions,
        runs: list[DetectorRun],
    ) -> None:
        """Run detectors over what `keys` does not recall, and remember what they said if all of them could look."""
        unseen = [i for i in batch.inspectable if not self._recall(keys, i, batch)]
        if not unseen:  # all is known: nobody has to look
            runs += [_account(detector, RunStatus.OK, (), 0.0, "") for detector in detectors]
            return
        lattices = [batch.lattice(i) for i in unseen]
        views = [lattice.views for lattice in lattices]
        outcomes = []
        for detector in detectors:
            left = options.refiner_deadline - sum(run.seconds for run in runs if not run.required)
            outcomes.append(await self._run(detector, views, options.context, left))
            runs.append(outcomes[-1][0])
        all_ok = all(run.status is RunStatus.OK for run, _ in outcomes)
        for position, index in enumerate(unseen):
            found = {run.detector: hits[position] for run, hits in outcomes if hits is not None}
            value = StageHits(found, lattices[position].exhausted)
            batch.add(index, value)
            if self._cache is not None and keys is not None and all_ok:
                self._cache.put(keys[index], value)

    def _recall(self, keys: Sequence[bytes] | None, index: int, batch: Batch) -> bool:
        known = self._cache.get(keys[index]) if self._cache is not None and keys is not None else None
        if known is not None:
            batch.add(index, known)
            batch.cached.add(index)
        return known is not None

    def _cache_keys(self, stage: Stage, segments: Sequence[Segment], key: bytes) -> list[bytes] | None:
        """Key = keyed BLAKE2b-256 over all that a stage's hits depend on; None when nothing may be remembered."""
        if self._cache is None or not key:
            return None
        base = hashlib.blake2b(self._salts[stage], key=key, digest_size=32)
        keys = []
        for segment in segments:
            digest = base.copy()
            head = f"\0{segment.origin}\0{segment.direction}\0{segment.kind}\0{segment.place}\0{segment.joints}\0"
            digest.update(head.encode())
            digest.update(segment.text.encode("utf-8", "surrogatepass"))
            keys.append(digest.digest())
        return keys

    async def _run(
        self, detector: Detector, views: Sequence[Sequence[View]], context: InspectionContext, seconds_left: float
    ) -> tuple[DetectorRun, Sequence[tuple[Hit, ...]] | None]:
        """Run one detector and account for it; hits are None when it could not look."""
        started = self._clock()
        try:
            if detector.required:
                # Required stages have work bounds and no clock, so load alone cannot make them fail.
                found = await detector.inspect(views, context)
            else:
                async with asyncio.timeout(seconds_left):
                    found = await detector.inspect(views, context)
            hits = [tuple(sequence) for _, sequence in zip(views, found, strict=True)]
            status, reason = RunStatus.OK, ""
        except TimeoutError:
            hits, status, reason = None, RunStatus.TIMEOUT, "deadline"
        except DetectorError as exc:
            hits, status, reason = None, RunStatus.UNAVAILABLE, exc.reason
        except Exception as exc:  # noqa: BLE001 - whatever a detector throws, it did not look
            hits, status, reason = None, RunStatus.ERROR, type(exc).__name__
        seconds = self._clock() - started
        return _account(detector, status, hits or (), seconds, reason), hits


def _account(
    detector: Detector, status: RunStatus, hits: Sequence[Sequence[Hit]], seconds: float, reason: str
) -> DetectorRun:
    count = sum(map(len, hits))
    confidence = max(hit.confidence for sequence in hits for hit in sequence) if count else 0.0
    return DetectorRun(detector.name, detector.stage, detector.required, status, count, confidence, seconds, reason)


def _skipped(detector: Detector, reason: str) -> DetectorRun:
    return _account(detector, RunStatus.SKIPPED, (), 0.0, reason)
