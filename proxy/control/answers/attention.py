"""What waits for somebody, as it is asked for and shown."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from proxy.control.fields import Sent, Shown, Slug


class AttentionQuery(Sent):
    tenant: Slug | None = None
    hours: Annotated[int, Field(ge=1, le=168)] = 24


class FailedPolicy(Shown):
    """A policy whose present text does not load, and why; an earlier one is in force."""

    policy: str
    problem: str


class FailedPack(Shown):
    """A tenant's signatures (null: everybody's) that do not load, and why; the last good ones are in force."""

    tenant: str | None
    problem: str


class EndingExclusion(Shown):
    """An exclusion that ends within two weeks."""

    policy: str
    rule: str
    until: date


class Gap(Shown):
    """How many decisions had something that nobody looked at: `reason` is why, or the detector that could not."""

    reason: str
    decisions: int


class Attention(Shown):
    """`gaps` are of the newest `looked_at` decisions of the time asked for, 2,000 at most."""

    failed_policies: list[FailedPolicy]
    failed_signatures: list[FailedPack]
    ending_exclusions: list[EndingExclusion]
    gaps: list[Gap]
    looked_at: int
