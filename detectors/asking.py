"""How an expensive detector is asked: not about what other processes know, nor what somebody is asking already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from detectors.batch import Batch, StageHits, stage_hits
from detectors.flights import Flight, Flights, Landed, arrival
from detectors.memory import Lookup, Memory, SharedFindings
from detectors.plan import Plan
from detectors.runs import account, look
from detectors.types import Detector, DetectorRun, Hit, InspectionContext, RunStatus, Stage
from detectors.undecided import Undecided


@dataclass(frozen=True, slots=True)
class Occasion:
    """For whom a detector is asked, what others may know, how long it may take in all (seconds), and how many texts of
    the batch it is not asked about.
    """

    context: InspectionContext
    shared: SharedFindings | None
    seconds: float
    left_out: int


class Asking:
    """Asks about each text once: concurrent inspections of one tenant share the answer, or the failure to look."""

    def __init__(self, memory: Memory, clock: Callable[[], float]) -> None:
        self._memory, self._clock, self._flights = memory, clock, Flights()

    async def ask(self, plan: Plan, unseen: Sequence[int], batch: Batch, occasion: Occasion) -> DetectorRun:
        """Add what the stage's one detector says of the `unseen` segments to the batch; return the account of it."""
        (detector,) = plan.remembered
        started = self._clock()
        left: Sequence[int] = unseen
        if unseen:
            left = await self._memory.recall_shared(plan, unseen, batch, occasion.shared, occasion.context.tenant_id)
            self._memory.counts[plan.stage][Lookup.SHARED] += len(unseen) - len(left)
        landed: dict[int, Landed] = {}
        led: dict[int, bytes] = {}
        while left:
            own, joined = self._share_out(plan, left, batch)
            until = occasion.seconds - (self._clock() - started)
            landed |= await self._lead(detector, own, batch, occasion.context, until)
            led |= own
            left = []
            for index, flight in joined.items():
                outcome = await arrival(flight, occasion.seconds - (self._clock() - started))
                if outcome is None:
                    left.append(index)
                else:
                    landed[index] = outcome
        seconds = self._clock() - started
        await self._keep(plan, landed, led, batch, occasion)
        return _account(detector, landed.values(), seconds, occasion.left_out)

    def _share_out(self, plan: Plan, unseen: Sequence[int], batch: Batch) -> tuple[dict[int, bytes], dict[int, Flight]]:
        """Return which texts are ours to ask about, with their keys, and which ones somebody asks about already."""
        if not batch.keyed:
            return dict.fromkeys(unseen, b""), {}
        own: dict[int, bytes] = {}
        joined: dict[int, Flight] = {}
        keys = batch.keys(plan)
        for index in unseen:
            flight = self._flights.join(keys[index])
            if flight is None:
                own[index] = keys[index]
            else:
                joined[index] = flight
        return own, joined

    async def _lead(
        self, detector: Detector, own: Mapping[int, bytes], batch: Batch, context: InspectionContext, seconds: float
    ) -> Mapping[int, Landed]:
        landed: dict[int, Landed] = {}
        if not own:
            return landed
        try:
            if context.judging is not None and detector.stage is Stage.JUDGE:
                context.judging.known |= {id(batch.segments[index]): batch.hits(index) for index in own}
            views = [batch.lattice(index).views for index in own]
            run, hits = await look(detector, views, context, seconds, self._clock)
            said: Sequence[tuple[Hit, ...] | None] = [None] * len(own) if hits is None else hits
            for index, claims in zip(own, said, strict=True):
                status, reason = (run.status, run.reason) if claims is None else _fared(claims)
                landed[index] = Landed(_found(detector, claims, batch, index), status, reason)
        finally:  # also where we are cancelled: then it is anybody's question again
            for index, key in own.items():
                if key:
                    self._flights.land(key, landed.get(index))
        return landed

    async def _keep(
        self, plan: Plan, landed: Mapping[int, Landed], led: Mapping[int, bytes], batch: Batch, occasion: Occasion
    ) -> None:
        """Take in what was found, and remember what we asked ourselves. What nobody could look at is not remembered."""
        known = {index: outcome.found for index, outcome in landed.items() if outcome.found is not None}
        for index, found in known.items():
            batch.add(index, found)
        batch.looked.update(led)
        counts = self._memory.counts[plan.stage]
        counts[Lookup.MISS] += len(led)
        counts[Lookup.JOINED] += len(landed.keys() - led.keys())
        fresh = {index: known[index] for index in led if index in known and landed[index].status is RunStatus.OK}
        batch.said.append((plan, fresh))
        if fresh and batch.keyed:
            self._memory.remember(plan, fresh, batch)
            if occasion.shared is not None and occasion.context.tenant_id is not None:
                by_key = {led[index]: found for index, found in fresh.items()}
                await occasion.shared.put_many(occasion.context.tenant_id, plan.stage, by_key)


def _found(detector: Detector, claims: tuple[Hit, ...] | None, batch: Batch, index: int) -> StageHits | None:
    if claims is None:
        return None
    return stage_hits({detector.name: claims} if claims else {}, exhausted=batch.lattice(index).exhausted)


def _fared(claims: tuple[Hit, ...]) -> tuple[RunStatus, str]:
    return (claims.status, claims.reason) if isinstance(claims, Undecided) else (RunStatus.OK, "")


def _account(detector: Detector, landed: Iterable[Landed], seconds: float, left_out: int) -> DetectorRun:
    """Return one account of all that landed: it fared as with the text that went worst."""
    outcomes = list(landed)
    undecided = [outcome for outcome in outcomes if outcome.status is not RunStatus.OK]
    failed = next((outcome for outcome in undecided if outcome.status is not RunStatus.SKIPPED), None)
    failed = failed or next(iter(undecided), None)
    hits = [claims for outcome in outcomes if outcome.found is not None for claims in outcome.found.hits.values()]
    status, reason = (RunStatus.OK, "") if failed is None else (failed.status, failed.reason)
    return account(detector, status, hits, seconds, reason, left_out)
