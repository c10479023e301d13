"""Run the detectors by cost over what was not seen before, and account for every one of them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from detectors.aside import Aside
from detectors.batch import Batch, StageHits
from detectors.errors import DetectorError
from detectors.frozen import statically_frozen
from detectors.glance import Glance
from detectors.selective import reads_of
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


_NOTHING = Coverage()
Result = TypeVar("Result")
Reads = Callable[[Segment, InspectionContext], bool]


@statically_frozen
@dataclass(frozen=True, slots=True)
class InspectionOptions:
    """Whose text it is, how long refiners may take in all (seconds), and who says when enough is known.

    `content_key` keys the hashes of texts (cache keys and `SegmentRef.content`); without it nothing is cached.
    `left_out` is what the segments do not hold, for the receipt: skipped by rule, or unscannable.
    `aside` is where the pattern stage reads what is too long for the event loop; without it all is read on the loop.
    """

    context: InspectionContext = field(default_factory=InspectionContext)
    content_key: bytes = b""
    refiner_deadline: float = 2.0
    gate: StageGate | None = None
    left_out: Coverage = _NOTHING
    aside: Aside | None = None


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
        names = {run.detector for run in self.runs if run.status is not RunStatus.OK and not _excused(run)}
        return tuple(sorted(names)) if names else ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """One stage: those whose hits the cache may keep, those that must look each time, and what keys depend on."""

    stage: Stage
    required: bool
    remembered: tuple[Detector, ...]
    fresh: tuple[tuple[Detector, Reads, DetectorRun], ...]  # with the account of one that has nothing to read
    salt: bytes
    recalled: tuple[DetectorRun, ...]  # the account of those that are remembered when all is known

    @property
    def members(self) -> tuple[Detector, ...]:
        return (*self.remembered, *(detector for detector, _, _ in self.fresh))


def _plan(stage: Stage, detectors: Sequence[Detector]) -> _Plan:
    members = [d for d in detectors if d.stage is stage]
    remembered = tuple(d for d in members if d.cacheable)
    salt = "\0".join(["1", str(stage), *sorted(f"{d.name}={d.revision}" for d in remembered)])
    return _Plan(
        stage=stage,
        required=any(d.required for d in members),
        remembered=remembered,
        fresh=tuple((d, reads_of(d), _account(d, RunStatus.OK, (), 0.0)) for d in members if not d.cacheable),
        salt=salt.encode(),
        recalled=tuple(_account(d, RunStatus.OK, (), 0.0) for d in remembered),
    )


def _excused(run: DetectorRun) -> bool:
    return run.status is RunStatus.SKIPPED and not run.required


class Chain:
    """The detectors of every stage in order. Holds no state but its parts; safe for concurrent exchanges."""

    def __init__(
        self,
        detectors: Sequence[Detector],
        views: ViewBuilder,
        revision: str,
        cache: FindingsCache | None = None,
        clock: Callable[[], float] = time.perf_counter,
        glance: Glance | None = None,
    ) -> None:
        self._stages = tuple(_plan(stage, detectors) for stage in sorted({d.stage for d in detectors}))
        self._views, self._cache, self._clock = views, cache, clock
        self.revision, self.glance = revision, glance

    async def inspect(self, segments: Sequence[Segment], options: InspectionOptions) -> Inspection:
        """Look at every segment. Never raises for a detector's failure: that is a run with a status."""
        findings: list[Finding] = []
        runs: list[DetectorRun] = []
        batch = Batch(segments, self._views)
        for plan in self._stages:
            reason = options.gate.skip(plan.stage, findings) if options.gate is not None else None
            if reason is not None and not plan.required:
                runs += [_skipped(d, reason) for d in plan.members]
                continue
            look = self._look(plan, batch, options, runs)
            if options.aside is not None and plan.stage is Stage.PATTERN:
                findings = await options.aside.run(partial(_to_its_end, look))
            else:
                findings = await look
        return Inspection(tuple(findings), tuple(runs), batch.coverage(options.left_out))

    async def _look(
        self, plan: _Plan, batch: Batch, options: InspectionOptions, runs: list[DetectorRun]
    ) -> list[Finding]:
        """Run one stage over what it has not seen before; return all that is found by now."""
        if plan.remembered:
            keys = self._cache_keys(plan, batch.segments, options)
            unseen = [i for i in batch.inspectable if not self._recall(keys, i, batch)]
            if unseen:
                await self._run_all(plan.remembered, unseen, keys, batch, options, runs)
            else:  # all is known: nobody has to look
                runs += plan.recalled
        for detector, reads, unread in plan.fresh:
            wanted = [i for i in batch.inspectable if reads(batch.segments[i], options.context)]
            if wanted:
                await self._run_all([detector], wanted, None, batch, options, runs)
            else:
                runs.append(unread)
        return batch.findings(options.content_key)

    async def _run_all(
        self,
        detectors: Sequence[Detector],
        unseen: Sequence[int],
        keys: Sequence[bytes] | None,
        batch: Batch,
        options: InspectionOptions,
        runs: list[DetectorRun],
    ) -> None:
        """Run detectors over the `unseen` segments, and remember by `keys` what they said if all of them could look."""
        views = [batch.lattice(i).views for i in unseen]
        outcomes: list[tuple[str, Sequence[tuple[Hit, ...]]]] = []
        cache = self._cache
        for detector in detectors:
            run, hits = await self._run(detector, views, options, runs)
            runs.append(run)
            if hits is None:
                cache = None  # what was not looked at by all is not remembered
            elif run.hits:
                outcomes.append((run.detector, hits))
        for position, index in enumerate(unseen):
            found = {name: hits[position] for name, hits in outcomes if hits[position]} if outcomes else {}
            value = StageHits(found, batch.lattice(index).exhausted)
            batch.add(index, value)
            if cache is not None and keys is not None:
                cache.put(keys[index], value)

    def _recall(self, keys: Sequence[bytes] | None, index: int, batch: Batch) -> bool:
        known = self._cache.get(keys[index]) if self._cache is not None and keys is not None else None
        if known is not None:
            batch.add(index, known)
            batch.cached.add(index)
        return known is not None

    def _cache_keys(self, plan: _Plan, segments: Sequence[Segment], options: InspectionOptions) -> list[bytes] | None:
        """Key = keyed BLAKE2b-256 over all that a stage's hits depend on; None when nothing may be remembered."""
        if self._cache is None or not options.content_key:
            return None
        lexicon, key = options.context.lexicon, options.content_key
        salt = plan.salt if lexicon is None else plan.salt + lexicon.revision.encode()
        return [hashlib.blake2b(salt + _content(s), key=key, digest_size=32).digest() for s in segments]

    async def _run(
        self, detector: Detector, views: Sequence[Sequence[View]], options: InspectionOptions, runs: list[DetectorRun]
    ) -> tuple[DetectorRun, Sequence[tuple[Hit, ...]] | None]:
        """Run one detector and account for it; hits are None when it could not look."""
        started = self._clock()
        try:
            if detector.required:
                # Required stages have work bounds and no clock, so load alone cannot make them fail.
                found = await detector.inspect(views, options.context)
            else:
                left = options.refiner_deadline - sum([run.seconds for run in runs if not run.required])
                async with asyncio.timeout(left):
                    found = await detector.inspect(views, options.context)
            hits = [tuple(hits) for _, hits in zip(views, found, strict=True)]
            status, reason = RunStatus.OK, ""
        except TimeoutError:
            hits, status, reason = None, RunStatus.TIMEOUT, "deadline"
        except DetectorError as exc:
            hits, status, reason = None, RunStatus.UNAVAILABLE, exc.reason
        except Exception as exc:  # noqa: BLE001 - whatever a detector throws, it did not look
            hits, status, reason = None, RunStatus.ERROR, type(exc).__name__
        seconds = self._clock() - started
        return _account(detector, status, hits or (), seconds, reason), hits


def _to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never waits, as no detector of the pattern stage does, outside of any event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    work.close()
    raise RuntimeError("a detector of the pattern stage waits")


def _content(segment: Segment) -> bytes:
    head = f"\0{segment.origin}\0{segment.direction}\0{segment.kind}\0{segment.place}\0{segment.joints or ''}\0"
    return (head + segment.text).encode("utf-8", "surrogatepass")


def _account(
    detector: Detector, status: RunStatus, hits: Sequence[Sequence[Hit]], seconds: float, reason: str = ""
) -> DetectorRun:
    count, confidence = 0, 0.0
    if any(hits):
        count = sum(map(len, hits))
        confidence = max(hit.confidence for sequence in hits for hit in sequence)
    return DetectorRun(detector.name, detector.stage, detector.required, status, count, confidence, seconds, reason)


def _skipped(detector: Detector, reason: str) -> DetectorRun:
    return _account(detector, RunStatus.SKIPPED, (), 0.0, reason)
