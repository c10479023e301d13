"""How an expensive detector is asked: not about what other processes know, nor what somebody is asking already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from detectors.batch import Batch, StageHits, stage_hits
from detectors.elsewhere import Elsewhere, Occasion
from detectors.flights import Flight, Flights, Landed, arrival
from detectors.memory import Lookup, Memory
from detectors.plan import Plan
from detectors.runs import account, look
from detectors.selective import OneByOne
from detectors.types import Detector, DetectorRun, Hit, RunStatus, Stage
from detectors.undecided import Undecided

_BETWEEN: Final = 32  # texts one after the other, then others on the loop


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
        elsewhere = Elsewhere(plan, occasion)
        try:
            while left:
                own, joined = self._share_out(plan, left, batch)
                landed |= await self._lead(plan, own, batch, occasion, elsewhere, started)
                led |= {index: own[index] for index in own if index not in batch.overheard}
                left = []
                for index, flight in joined.items():
                    outcome = await arrival(flight, occasion.seconds - (self._clock() - started))
                    if outcome is None:
                        left.append(index)
                    else:
                        landed[index] = outcome
            seconds = self._clock() - started
            await self._keep(plan, landed, led, batch, occasion)
        finally:
            await elsewhere.release()
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
        self,
        plan: Plan,
        own: Mapping[int, bytes],
        batch: Batch,
        occasion: Occasion,
        elsewhere: Elsewhere,
        started: float,
    ) -> Mapping[int, Landed]:
        landed: dict[int, Landed] = {}
        try:
            asked = await elsewhere.asked(own)
            landed |= await self._look(plan, [index for index in own if index not in asked], batch, occasion, started)
            if asked:
                heard = await elsewhere.overhear(asked, occasion.seconds - (self._clock() - started))
                landed |= heard
                batch.overheard.update(heard)
                left = [index for index in asked if index not in heard]
                landed |= await self._look(plan, left, batch, occasion, started)
        finally:  # also where we are cancelled: then it is anybody's question again
            for index, key in own.items():
                if key:
                    self._flights.land(key, landed.get(index))
        return landed

    async def _look(
        self, plan: Plan, indexes: Sequence[int], batch: Batch, occasion: Occasion, started: float
    ) -> Mapping[int, Landed]:
        """Have the detector read texts, now and here."""
        landed: dict[int, Landed] = {}
        if not indexes:
            return landed
        (detector,) = plan.remembered
        if len(indexes) > 1 and isinstance(detector, OneByOne):
            for number, index in enumerate(indexes):
                if number % _BETWEEN == 0:
                    await asyncio.sleep(0)  # what says too little takes no time of its own, and may be thousands
                landed |= await self._look(plan, [index], batch, occasion, started)
            return landed
        judging = occasion.context.judging
        if judging is not None and detector.stage is Stage.JUDGE:
            judging.known |= {id(batch.segments[index]): batch.hits(index) for index in indexes}
        views = [batch.lattice(index).views for index in indexes]
        until = occasion.seconds - (self._clock() - started)
        run, hits = await look(detector, views, occasion.context, until, self._clock)
        said: Sequence[tuple[Hit, ...] | None] = [None] * len(indexes) if hits is None else hits
        for index, claims in zip(indexes, said, strict=True):
            status, reason = (run.status, run.reason) if claims is None else _fared(claims)
            landed[index] = Landed(_found(detector, claims, batch, index), status, reason)
        self._memory.remember(plan, _settled(landed), batch)  # before anybody hears of it, so that nobody asks again
        return landed

    async def _keep(
        self, plan: Plan, landed: Mapping[int, Landed], led: Mapping[int, bytes], batch: Batch, occasion: Occasion
    ) -> None:
        """Take in what was found, and tell the other processes what we asked ourselves."""
        for index, outcome in landed.items():
            if outcome.found is not None:
                batch.add(index, outcome.found)
        batch.looked.update(led)
        counts = self._memory.counts[plan.stage]
        counts[Lookup.MISS] += len(led)
        counts[Lookup.JOINED] += len(landed.keys() - led.keys())
        fresh = _settled({index: landed[index] for index in led})
        batch.said.append((plan, fresh))
        if fresh and batch.keyed and occasion.shared is not None and occasion.context.tenant_id is not None:
            by_key = {led[index]: found for index, found in fresh.items()}
            await occasion.shared.put_many(occasion.context.tenant_id, plan.stage, by_key)


def _settled(landed: Mapping[int, Landed]) -> dict[int, StageHits]:
    """Return what may be remembered: not what nobody could look at, nor what was left open."""
    ok = RunStatus.OK
    return {i: outcome.found for i, outcome in landed.items() if outcome.found is not None and outcome.status is ok}


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
