"""The keys `judges` and `streams` of a policy file, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from detectors.judges.types import Send, Strategy, Terms
from detectors.types import Category, Direction, Origin
from policies.amounts import Budget, Rate
from policies.judging import JudgeMatch, JudgePolicy, Slow, SlowStreams
from policies.quantities import parse_budget, parse_rate, parse_share

_LONGEST: Final = 60.0  # seconds that anybody may be made to wait
_CALLS: Final = Rate(10_000, 86_400)  # what a policy may spend that bounds neither calls nor money
Value = TypeVar("Value")


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _origin(value: object) -> object:
    return Origin.TOOL if value == "document" else value


def _panel(value: object) -> object:
    return () if value == "default" else _listed(value)


_Origin = Annotated[Origin, BeforeValidator(_origin)]
_Origins = Annotated[tuple[_Origin, ...], BeforeValidator(_listed), Field(min_length=1)]
_Categories = Annotated[tuple[Category, ...], BeforeValidator(_listed), Field(min_length=1)]
_Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JudgeWhenDocument(_Strict):
    """Findings that leave their text open: every key that is given must hold, and of a list any one."""

    category: _Categories = ()
    origin: _Origins = ()
    direction: Direction = Direction.REQUEST
    confidence: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] = (0.0, 1.0)

    @field_validator("confidence")
    @classmethod
    def _rises(cls, band: tuple[float, float]) -> tuple[float, float]:
        if band[0] > band[1]:
            raise ValueError("expected a band from low to high, such as [0.35, 0.8]")
        return band


class AlwaysDocument(_Strict):
    """Texts that are judged whatever was found: by these origins, or for these models (patterns)."""

    origin: _Origins | None = None
    model: _Names | None = None


class JudgesDocument(_Strict):
    when: tuple[JudgeWhenDocument, ...] = ()
    always: AlwaysDocument = AlwaysDocument()
    sample: Annotated[float, BeforeValidator(parse_share)] | None = None
    panel: Annotated[tuple[str, ...], BeforeValidator(_panel)] | None = None
    strategy: Strategy | None = None
    deadline: Annotated[float, Field(gt=0, le=_LONGEST)] | None = None
    send: Send | None = None
    budget: Annotated[Budget, BeforeValidator(parse_budget)] | None = None
    calls: Annotated[Any, BeforeValidator(parse_rate)] = None
    concurrent: bool | None = None


class StreamsDocument(_Strict):
    """What streamed text does while slow detectors read it, and for how long (seconds)."""

    slow: Literal["release", "hold"] | None = None
    max_wait: Annotated[float, Field(gt=0, le=_LONGEST)] | None = None


def judge_policy(documents: Sequence[JudgesDocument]) -> JudgePolicy | None:
    """Return what a policy and all it extends say of judges; None where no text would ever be judged."""
    when = tuple(_match(item) for document in documents for item in document.when)
    origins = _last((document.always.origin for document in documents), ())
    models = _last((document.always.model for document in documents), ())
    sample = _last((document.sample for document in documents), 0.0)
    send = _last((document.send for document in documents), Send.MASKED)
    if send is Send.NEVER or not (when or origins or models or sample):
        return None
    terms = Terms(
        panel=_last((document.panel for document in documents), ()),
        strategy=_last((document.strategy for document in documents), Strategy.HEDGE),
        deadline=_last((document.deadline for document in documents), Terms().deadline),
        send=send,
    )
    budget = _last((document.budget for document in documents), None)
    calls = _last((document.calls for document in documents), _CALLS if budget is None else None)
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
        concurrent=_last((document.concurrent for document in documents), False),
    )


def slow_streams(documents: Sequence[StreamsDocument]) -> SlowStreams:
    default = SlowStreams()
    return SlowStreams(
        slow=Slow(_last((document.slow for document in documents), default.slow)),
        max_wait=_last((document.max_wait for document in documents), default.max_wait),
    )


def _match(document: JudgeWhenDocument) -> JudgeMatch:
    low, high = document.confidence
    return JudgeMatch(frozenset(document.category), frozenset(document.origin), document.direction, low, high)


def _last(values: Iterable[Value | None], default: Value) -> Value:
    """Scalars: the child wins."""
    given = [value for value in values if value is not None]
    return given[-1] if given else default
