"""Judges, their breakers, and those of upstreams."""

from __future__ import annotations

from typing import Literal

from proxy.control.fields import Shown

State = Literal["closed", "half_open", "open", "unknown"]


class ShownJudge(Shown):
    """`usable`: it has the credential that it needs. Prices are US dollars for a million tokens."""

    name: str
    model: str
    dialect: str
    endpoint: str
    priority: int
    usable: bool
    shadow: bool
    price_in: float
    price_out: float
    timeout: float
    breaker: State
    seconds_open: float


class ShownBreaker(Shown):
    name: str
    state: State


class JudgeList(Shown):
    """`upstreams` are breakers as the workers say of them."""

    items: list[ShownJudge]
    upstreams: list[ShownBreaker]
    next: str | None
