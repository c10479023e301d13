"""One judge: whether it may be asked now, one call of it, and how fast it usually is."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Final

from detectors.breaker import NO_PERMIT, Breaker
from detectors.judges.dialects import SPEECHES, estimate, failure_of, read_answer
from detectors.judges.prompt import Prompt, prompt_for
from detectors.judges.reading import EchoError, UnreadableError, read_ruling
from detectors.judges.types import (
    Call,
    CallResult,
    Expense,
    JudgeSpec,
    Purse,
    Question,
    Reply,
    Ruling,
    SharedBreakers,
    Transport,
    TransportError,
)
from detectors.words import BreakerState

_REMEMBERED: Final = 50  # calls whose times tell how fast a judge is
_JSON: Final = "application/json"


class Judge:
    """A judge with its wire and its breaker. Every failure counts there: time-outs, errors, answers nobody can read.

    `clock` is monotonic seconds.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        transport: Transport,
        shared: SharedBreakers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec, self._transport, self._shared, self._clock = spec, transport, shared, clock
        self._breaker = Breaker(spec.threshold, spec.recovery, clock)
        self._name = identity(spec)
        self._times: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def state(self) -> BreakerState:
        return self._breaker.state

    @property
    def typical_seconds(self) -> float:
        """The median time of its last answers, 0 while nobody knows."""
        return median(self._times) if self._times else 0.0

    async def admits(self) -> int:
        """Return a permit to ask it now, by what this worker and all others know, or NO_PERMIT. With one, `ask`."""
        elsewhere = await self._shared.seconds_open(self._name)
        if elsewhere > 0:
            self._breaker.trip(elsewhere)
        permit = self._breaker.admits()
        if permit == NO_PERMIT or self._breaker.state is not BreakerState.HALF_OPEN:
            return permit
        claimed = False
        try:
            claimed = await self._may_try()
        finally:
            if not claimed:  # also where the question was withdrawn meanwhile: nobody else could ever try again
                self._breaker.abandon(permit)
        return permit if claimed else NO_PERMIT

    async def _may_try(self) -> bool:
        return await self._shared.may_try(self._name, self.spec.timeout)

    async def ask(self, question: Question, purse: Purse, permit: int) -> Call:
        """Ask, once, for at most the judge's own time-out; never raises but for cancellation. Without a permit nothing
        is learned of how the judge does.
        """
        prompt, started = prompt_for(question), self._clock()
        expense: Expense | None = None
        result, ruling, cost = None, None, 0
        try:
            expense = await purse.take(estimate(self.spec, prompt))
            if expense is None:
                return Call(self.spec.name, CallResult.BUDGET, 0.0, shadow=self.spec.shadow)
            async with asyncio.timeout(self.spec.timeout):
                ruling, cost = await self._answer(question, prompt)
            result = CallResult.ANSWERED
        except TimeoutError:
            result = CallResult.TIMEOUT
        except TransportError as exc:
            result = exc.result
        except _NoRulingError as exc:
            result, cost = exc.result, exc.cost
        finally:
            if result is None:  # not asked, or cancelled: nobody knows how it would have gone
                self._breaker.abandon(permit)
        seconds = self._clock() - started
        if expense is not None and result is not CallResult.TIMEOUT:  # what is still being worked on may be charged
            expense.settle(cost)
        await self._note(result, seconds, permit)
        return Call(self.spec.name, result, seconds, cost, ruling, self.spec.shadow)

    async def _answer(self, question: Question, prompt: Prompt) -> tuple[Ruling, int]:
        speech = SPEECHES[self.spec.dialect]
        reply = await self._transport.post(speech.path(self.spec), speech.request(self.spec, prompt))
        answer = read_answer(self.spec, _good(reply).body)
        try:
            return read_ruling(self.spec.name, answer.text, prompt, question.text), answer.cost
        except EchoError:
            raise _NoRulingError(CallResult.ECHO, answer.cost) from None
        except UnreadableError:
            raise _NoRulingError(CallResult.UNREADABLE, answer.cost) from None

    async def _note(self, result: CallResult, seconds: float, permit: int) -> None:
        if result is CallResult.ANSWERED:
            self._times.append(seconds)
            if self._breaker.note(permit, failed=False):
                await self._shared.answered(self._name)
            return
        if not self._breaker.note(permit, failed=True):
            return
        left_alone = await self._shared.failed(self._name, self.spec.threshold, self.spec.recovery)
        if left_alone > 0:
            self._breaker.trip(left_alone)

    async def close(self) -> None:
        await self._transport.close()


class _NoRulingError(Exception):
    """An answer came, and cost something, and says nothing."""

    def __init__(self, result: CallResult, cost: int) -> None:
        self.result, self.cost = result, cost
        super().__init__(result)


def identity(spec: JudgeSpec) -> str:
    """Return what tells a judge from others however they are called: where it is, and which model it asks."""
    parts = f"{spec.dialect}\0{spec.endpoint}\0{spec.model}"
    return f"{spec.name}-{hashlib.blake2b(parts.encode(), digest_size=6).hexdigest()}"


def _good(reply: Reply) -> Reply:
    if not 200 <= reply.status < 300:
        raise TransportError(failure_of(reply.status))
    if reply.content_type.partition(";")[0].strip().lower() != _JSON:
        raise TransportError(CallResult.PROTOCOL)
    return reply
