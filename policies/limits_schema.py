"""The key `limits` of a policy file, what it comes to over all that it extends, and how ceilings join it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from policies.amounts import Budget, LevelLimits, Levels, PolicyLimits, Rate
from policies.quantities import parse_budget, parse_rate
from policies.schema_words import SizeText, Strict, last_said, listed

TEXT_LIMIT, BODY_LIMIT = 256 * 1024, 4 * 1024 * 1024
_MOST: Final = 4  # amounts of one kind for one level
_MOST_LEVELS: Final = 200


def _each(parse: Any) -> Any:
    def read(value: object) -> tuple[Any, ...]:
        found: tuple[Any, ...] = tuple(parse(item) for item in listed(value))  # type: ignore[attr-defined]
        seconds = [item.seconds for item in found]
        if not 1 <= len(found) <= _MOST or len(set(seconds)) < len(seconds):
            raise ValueError(f"expected one to {_MOST} amounts, each for another length of time")
        return found

    return read


_TEXT: Final = {"type": "string"}
_OR_LIST: Final = WithJsonSchema(
    {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": _MOST}]}
)
Rates = Annotated[tuple[Rate, ...], BeforeValidator(_each(parse_rate)), _OR_LIST]
Budgets = Annotated[tuple[Budget, ...], BeforeValidator(_each(parse_budget)), _OR_LIST]
Pattern = Annotated[str, Field(pattern=r"^[^?\[\]\s]{1,200}$")]
KeyPattern = Annotated[str, Field(pattern=r"^(\*|[1-9][0-9]{0,17})$")]


class LevelDocument(Strict):
    """What one level may use: `requests: 600/min`, or `tokens: [100k/min, 2M/day]`, of which both hold."""

    requests: Rates | None = None
    tokens: Rates | None = None
    cost: Budgets | None = None
    concurrent: Annotated[int, Field(ge=1, le=100_000)] | None = None


class LimitsDocument(LevelDocument):
    """A tenant's own, and by pattern those of its apps, API keys (numbers, or `*`) and models."""

    text: SizeText | None = None
    body: SizeText | None = None
    apps: Annotated[dict[Pattern, LevelDocument], Field(max_length=_MOST_LEVELS)] = Field(default_factory=dict)
    keys: Annotated[dict[KeyPattern, LevelDocument], Field(max_length=_MOST_LEVELS)] = Field(default_factory=dict)
    models: Annotated[dict[Pattern, LevelDocument], Field(max_length=_MOST_LEVELS)] = Field(default_factory=dict)


def policy_limits(documents: Sequence[LimitsDocument]) -> PolicyLimits:
    """Merge what the layers say, parents first: the child wins, key by key, and pattern by pattern."""
    return PolicyLimits(
        tenant=LevelLimits(
            requests=last_said((document.requests for document in documents), ()),
            tokens=last_said((document.tokens for document in documents), ()),
            cost=last_said((document.cost for document in documents), ()),
            concurrent=last_said((document.concurrent for document in documents), None),
        ),
        text=last_said((document.text for document in documents), TEXT_LIMIT),
        body=last_said((document.body for document in documents), BODY_LIMIT),
        apps=_levels(document.apps for document in documents),
        keys=_levels(document.keys for document in documents),
        models=_levels(document.models for document in documents),
    )


def bounded(limits: PolicyLimits, top: LimitsDocument) -> PolicyLimits:
    """Return a policy's limits under the platform's ceilings: they hold where it says nothing; its levels beside it."""
    own = limits.tenant
    return replace(
        limits,
        tenant=LevelLimits(
            requests=own.requests or top.requests or (),
            tokens=own.tokens or top.tokens or (),
            cost=own.cost or top.cost or (),
            concurrent=own.concurrent or top.concurrent,
        ),
        text=min(limits.text, top.text or limits.text),
        body=min(limits.body, top.body or limits.body),
        apps=limits.apps + _levels([top.apps]),
        keys=limits.keys + _levels([top.keys]),
        models=limits.models + _levels([top.models]),
    )


def exceeds(own: Any, top: Any) -> bool:
    """Tell whether what a policy says under one key may let through in some stretch of time more than the ceiling."""
    if isinstance(own, int) or isinstance(top, int):
        return isinstance(own, int) and isinstance(top, int) and own > top
    return any(all(_rate_exceeds(rate, most) for rate in own) for most in top)


def _rate_exceeds(own: Rate | Budget, top: Rate | Budget) -> bool:
    amount, most = (rate.usd if isinstance(rate, Budget) else rate.limit for rate in (own, top))
    return amount * max(1, math.ceil(top.seconds / own.seconds)) > most


def _levels(documents: Iterable[dict[str, LevelDocument]]) -> tuple[Levels, ...]:
    merged: dict[str, LevelDocument] = {}
    for document in documents:
        merged |= document
    levels = ((pattern, _level(document)) for pattern, document in sorted(merged.items(), key=_specific))
    kept = tuple((pattern, level) for pattern, level in levels if not level.empty)
    return (kept,) if kept else ()


def _specific(item: tuple[str, LevelDocument]) -> tuple[bool, int, str]:
    pattern = item[0]
    return "*" in pattern, -len(pattern), pattern


def _level(document: LevelDocument) -> LevelLimits:
    return LevelLimits(document.requests or (), document.tokens or (), document.cost or (), document.concurrent)
