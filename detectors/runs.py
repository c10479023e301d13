"""One detector's look at a batch, and the account of it: whatever it throws, it did not look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from detectors.errors import DetectorError
from detectors.types import Detector, DetectorRun, Hit, InspectionContext, RunStatus, View
from detectors.undecided import OUT_OF_TIME, Undecided

Looked = tuple[DetectorRun, Sequence[tuple[Hit, ...]] | None]


async def look(
    detector: Detector,
    views: Sequence[Sequence[View]],
    context: InspectionContext,
    seconds_left: float,
    clock: Callable[[], float],
) -> Looked:
    """Run one detector and account for it; hits are None when it could not look.

    Only a refiner has `seconds_left`: required detectors have work bounds and no clock, so load alone cannot make them
    fail.
    """
    started = clock()
    hits: Sequence[tuple[Hit, ...]] | None = None
    status, reason = RunStatus.OK, ""
    try:
        if detector.required:
            found = await detector.inspect(views, context)
        else:
            found = await _within(seconds_left, detector, views, context)
        hits = [hits if isinstance(hits, tuple) else tuple(hits) for _, hits in zip(views, found, strict=True)]
        if not detector.required:
            status, reason = _worst_of(hits)
    except TimeoutError:
        status, reason = RunStatus.TIMEOUT, OUT_OF_TIME
    except DetectorError as exc:
        status, reason = RunStatus.UNAVAILABLE, exc.reason
    except Exception as exc:  # noqa: BLE001 - whatever a detector throws, it did not look
        status, reason = RunStatus.ERROR, type(exc).__name__
    return account(detector, status, hits or (), clock() - started, reason), hits


async def _within(
    seconds: float, detector: Detector, views: Sequence[Sequence[View]], context: InspectionContext
) -> Sequence[Sequence[Hit]]:
    """Return what a detector finds in the time that there is. Raises TimeoutError, at once where there is none."""
    if seconds <= 0:
        raise TimeoutError
    async with asyncio.timeout(seconds):
        return await detector.inspect(views, context)


def _worst_of(hits: Sequence[tuple[Hit, ...]]) -> tuple[RunStatus, str]:
    """Return how a refiner fared: as with the text that went worst."""
    undecided = [found for found in hits if isinstance(found, Undecided)]
    failed = [found for found in undecided if found.status is not RunStatus.SKIPPED]
    worst = next(iter(failed or undecided), None)
    return (RunStatus.OK, "") if worst is None else (worst.status, worst.reason)


def account(
    detector: Detector,
    status: RunStatus,
    hits: Sequence[Sequence[Hit]],
    seconds: float,
    reason: str = "",
    left_out: int = 0,
) -> DetectorRun:
    """Return the account of one detector over one batch, of which `left_out` segments were not its to read."""
    count, confidence = 0, 0.0
    if any(hits):
        count = sum(map(len, hits))
        confidence = max(hit.confidence for sequence in hits for hit in sequence)
    return DetectorRun(
        detector.name, detector.stage, detector.required, status, count, confidence, seconds, reason, left_out
    )


def skipped(detector: Detector, reason: str, left_out: int = 0) -> DetectorRun:
    return account(detector, RunStatus.SKIPPED, (), 0.0, reason, left_out)
