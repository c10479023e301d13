"""All that is going on about one question: which judges were asked, who still thinks, and what has been said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from detectors.breaker import NO_PERMIT
from detectors.judges.judge import Judge
from detectors.judges.types import Call, CallResult, JudgeCounts, Outcome, Purse, Question, Ruling


class Round:
    """One question before the judges. Whoever asks the same meanwhile joins it, and nobody is asked twice.

    What has begun goes on when nobody waits any more: it is paid for, and its answer is of use the next time. `over` is
    told when nobody waits and nothing goes on.
    """

    def __init__(
        self, question: Question, judges: Sequence[Judge], purse: Purse, counts: JudgeCounts, over: Callable[[], None]
    ) -> None:
        self._question, self._purse, self._counts, self._over = question, purse, counts, over
        self._waiting = list(judges)
        self._running: dict[asyncio.Task[Call], Judge] = {}
        self.calls: list[Call] = []
        self.rulings: list[Ruling] = []
        self._failure: BaseException | None = None
        self._attending = 0

    @property
    def running(self) -> int:
        """How many judges that are obeyed have not answered yet."""
        return sum(not judge.spec.shadow for judge in self._running.values())

    @property
    def asked(self) -> int:
        """How many judges that are obeyed were asked, or are being asked."""
        return self.running + sum(not call.shadow for call in self.calls)

    async def start_next(self, seconds_left: float) -> bool:
        """Ask the first judge that will probably answer in time, else the first. False if nobody may be asked."""
        while self._waiting:
            judge = next((j for j in self._waiting if j.typical_seconds <= seconds_left), self._waiting[0])
            if await self._start(judge):
                return True
        return False

    async def start_fastest(self) -> bool:
        """Ask the one that is usually the fastest. False if nobody may be asked."""
        while self._waiting:
            if await self._start(min(self._waiting, key=lambda judge: judge.typical_seconds)):
                return True
        return False

    async def start_shadows(self, shadows: Sequence[Judge]) -> None:
        """Ask judges beside, whom nobody obeys."""
        for judge in shadows:
            await self._start(judge)

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Keep it going for as long as somebody waits for a ruling and may ask the next judge."""
        self._attending += 1
        try:
            yield
        finally:
            self._attending -= 1
            self._end_if_over()

    def _end_if_over(self) -> None:
        if not self._running and not self._attending:
            self._over()

    def outcome(self, ruling: Ruling | None) -> Outcome:
        """Return how it stands now, with `ruling` as what counts."""
        obeyed = [call for call in self.calls if not call.shadow]
        spent = bool(obeyed) and all(call.result is CallResult.BUDGET for call in obeyed) and not self.running
        late = ruling is None and self.running > 0
        return Outcome(ruling, tuple(self.calls), late, any(call.result.suspicious for call in obeyed), spent)

    def nobody_fits(self, seconds: float) -> bool:
        """Tell whether none of those who were not asked yet usually answers in that time."""
        return bool(self._waiting) and all(judge.typical_seconds > seconds for judge in self._waiting)

    async def wait(self, seconds: float) -> None:
        """Return when a judge has answered, or after that time. Raises what no judge may fail with: a fault of ours."""
        if self._running:
            await asyncio.wait(self._running, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        if self._failure is not None:
            raise self._failure

    def cancel(self) -> None:
        for task in self._running:
            task.cancel()

    async def _start(self, judge: Judge) -> bool:
        if judge in self._waiting:
            self._waiting.remove(judge)
        permit = await judge.admits()
        if permit == NO_PERMIT:
            return False
        task = asyncio.get_running_loop().create_task(judge.ask(self._question, self._purse, permit))
        self._running[task] = judge
        task.add_done_callback(self._note)
        return True

    def _note(self, task: asyncio.Task[Call]) -> None:
        self._running.pop(task, None)
        if not task.cancelled():
            failure = task.exception()
            if failure is None:
                self._keep(task.result())
            self._failure = self._failure or failure
        self._end_if_over()

    def _keep(self, call: Call) -> None:
        self._counts.call(call)
        self.calls.append(call)
        if call.ruling is None:
            return
        if call.shadow and self.rulings:
            self._counts.agreement(call, self.rulings[0])
        elif not call.shadow:
            for shadow in (other for other in self.calls if other.shadow and other.ruling and not self.rulings):
                self._counts.agreement(shadow, call.ruling)
            self.rulings.append(call.ruling)
