"""The judges of this process: asked once for a text, whoever else asks meanwhile, and remembered if they are late."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from detectors.judges.judge import Judge, identity
from detectors.judges.round import Round
from detectors.judges.strategies import STRATEGIES, said_in_the_end
from detectors.judges.types import JudgeCounts, Outcome, Purse, Question, Ruling, Strategy, Terms
from detectors.words import BreakerState

PROMPT_REVISION: Final = "1"  # changes with the instructions, the box, or what of an answer counts
_MOST_ROUNDS: Final = 256  # questions that are before judges at one time
_MOST_RULINGS: Final = 4096
_RULING_SECONDS: Final = 600.0


class Panel:
    """Judges in the order in which they are asked. Holds rulings for a while, since one that comes too late for its
    request is there for the next. `revision` changes with whoever may answer.
    """

    def __init__(
        self, judges: Sequence[Judge], counts: JudgeCounts, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._judges = {judge.spec.name: judge for judge in judges if not judge.spec.shadow}
        self._shadows = [judge for judge in judges if judge.spec.shadow]
        self._counts, self._clock = counts, clock
        self._salt = secrets.token_bytes(32)
        self._rounds: dict[bytes, Round] = {}
        self._rulings: OrderedDict[bytes, tuple[float, Ruling]] = OrderedDict()
        self.revision = "\0".join([PROMPT_REVISION, *(identity(judge.spec) for judge in self._judges.values())])

    @property
    def judges(self) -> tuple[Judge, ...]:
        return (*self._judges.values(), *self._shadows)

    def states(self) -> dict[str, BreakerState]:
        return {judge.spec.name: judge.state for judge in self.judges}

    async def judge(self, question: Question, terms: Terms, purse: Purse) -> Outcome:
        """Return what judges say of a text within `terms.deadline` seconds. Never raises for a judge's failure."""
        key = self._key(question, terms)
        ruling = self._recall(key)
        if ruling is not None:
            return Outcome(ruling)
        hearing, joined = self._rounds.get(key), True
        if hearing is None:
            joined = False
            if len(self._rounds) >= _MOST_ROUNDS:
                return Outcome(None)
            hearing = self._rounds[key] = self._open(key, question, terms, purse)
        with hearing.attended():
            if not joined:
                await hearing.start_shadows([judge for judge in self._shadows if judge.spec.reads(question.language)])
            ruling = await STRATEGIES[terms.strategy](hearing, terms.deadline, self._clock)
            if ruling is not None:
                self._keep(key, ruling)
        outcome = hearing.outcome(ruling)
        return replace(outcome, calls=()) if joined else outcome  # they stand in the account of whoever came first

    def _open(self, key: bytes, question: Question, terms: Terms, purse: Purse) -> Round:
        named = [self._judges[name] for name in terms.panel if name in self._judges]
        known = named if terms.panel else list(self._judges.values())
        willing = [judge for judge in known if judge.spec.reads(question.language)]
        return Round(question, willing, purse, self._counts, partial(self._close, key, terms.strategy))

    def _close(self, key: bytes, strategy: Strategy) -> None:
        """Forget a question that nobody thinks about any more; what was said of it stays known for a while."""
        hearing = self._rounds.pop(key, None)
        ruling = None if hearing is None else said_in_the_end(hearing, strategy)
        if ruling is not None:
            self._keep(key, ruling)

    def _recall(self, key: bytes) -> Ruling | None:
        known = self._rulings.get(key)
        return known[1] if known is not None and self._clock() < known[0] else None

    def _keep(self, key: bytes, ruling: Ruling) -> None:
        if self._recall(key) is not None:
            return
        self._rulings.pop(key, None)
        self._rulings[key] = (self._clock() + _RULING_SECONDS, ruling)
        while len(self._rulings) > _MOST_RULINGS:
            self._rulings.popitem(last=False)

    def _key(self, question: Question, terms: Terms) -> bytes:
        """All that an answer depends on, and whose text it is: no tenant learns what another's text was taken for."""
        head = (str(question.tenant_id), question.origin, question.language, terms.strategy, *terms.panel)
        text = question.text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b("\0".join(head).encode() + b"\0\0" + text, key=self._salt, digest_size=32).digest()

    async def close(self) -> None:
        """Ask nobody any more: what still runs is given up."""
        for hearing in list(self._rounds.values()):
            hearing.cancel()
        await asyncio.gather(*(judge.close() for judge in self.judges))
