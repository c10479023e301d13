"""The keys `judges` and `streams` of a policy file, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, field_validator

from detectors.judges.types import Send, Strategy, Terms
from detectors.types import Direction
from policies.amounts import Rate
from policies.judging import JudgeMatch, JudgePolicy, Slow, SlowStreams
from policies.schema_words import (
    BudgetText,
    Categories,
    Names,
    OneOrMany,
    Origins,
    RateText,
    ShareText,
    Strict,
    last_said,
    listed,
)

_LONGEST: Final = 60.0  # seconds that anybody may be made to wait
_CALLS: Final = Rate(10_000, 86_400)  # what a policy may spend that bounds neither calls nor money


def _panel(value: object) -> object:
    return () if value == "default" else listed(value)


class JudgeWhenDocument(Strict):
    """Findings that leave their text open: every key that is given must hold, and of a list any one."""

    category: Categories = ()
    origin: Origins = ()
    direction: Direction = Direction.REQUEST
    confidence: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] = (0.0, 1.0)

    @field_validator("confidence")
    @classmethod
    def _rises(cls, band: tuple[float, float]) -> tuple[float, float]:
        if band[0] > band[1]:
            raise ValueError("expected a band from low to high, such as [0.35, 0.8]")
        return band


class AlwaysDocument(Strict):
    """Texts that are judged whatever was found: by these origins, or for these models (patterns)."""

    origin: Origins | None = None
    model: Names | None = None


class JudgesDocument(Strict):
    when: tuple[JudgeWhenDocument, ...] = ()
    always: AlwaysDocument = AlwaysDocument()
    sample: ShareText | None = None
    panel: Annotated[tuple[str, ...], BeforeValidator(_panel), OneOrMany()] | None = None
    strategy: Strategy | None = None
    deadline: Annotated[float, Field(gt=0, le=_LONGEST)] | None = None
    send: Send | None = None
    budget: BudgetText | None = None
    calls: RateText | None = None
    concurrent: bool | None = None


class StreamsDocument(Strict):
    """What streamed text does while slow detectors read it, and for how long (seconds)."""

    slow: Literal["release", "hold"] | None = None
    max_wait: Annotated[float, Field(gt=0, le=_LONGEST)] | None = None


def judge_policy(documents: Sequence[JudgesDocument]) -> JudgePolicy | None:
    """Return what a policy and all it extends say of judges; None where no text would ever be judged."""
    when = tuple(_match(item) for document in documents for item in document.when)
    origins = last_said((document.always.origin for document in documents), ())
    models = last_said((document.always.model for document in documents), ())
    sample = last_said((document.sample for document in documents), 0.0)
    send = last_said((document.send for document in documents), Send.MASKED)
    if send is Send.NEVER or not (when or origins or models or sample):
        return None
    terms = Terms(
        panel=last_said((document.panel for document in documents), ()),
        strategy=last_said((document.strategy for document in documents), Strategy.HEDGE),
        deadline=last_said((document.deadline for document in documents), Terms().deadline),
        send=send,
    )
    budget = last_said((document.budget for document in documents), None)
    calls = last_said((document.calls for document in documents), _CALLS if budget is None else None)
    return JudgePolicy(
        terms=terms,
        when=when,
        always_origins=frozenset(origins),
        always_models=models,
        sample=sample,
        usd=budget.usd if budget else None,
        usd_seconds=budget.seconds if budget else 86_400,
        calls=calls.limit if calls else None,
        calls_seconds=calls.seconds if calls else 86_400,
        concurrent=last_said((document.concurrent for document in documents), False),
    )


def slow_streams(documents: Sequence[StreamsDocument]) -> SlowStreams:
    default = SlowStreams()
    return SlowStreams(
        slow=Slow(last_said((document.slow for document in documents), default.slow)),
        max_wait=last_said((document.max_wait for document in documents), default.max_wait),
    )


def _match(document: JudgeWhenDocument) -> JudgeMatch:
    low, high = document.confidence
    return JudgeMatch(frozenset(document.category), frozenset(document.origin), document.direction, low, high)
