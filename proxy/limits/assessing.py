"""Whoever comes near to an attack again and again is looked at more closely: the score before, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from detectors.types import Direction
from policies.risk import RiskPolicy
from policies.stepping import risk_finding
from policies.types import Policy, Verdict
from proxy.exchange import Exchange
from proxy.limits.risk import Risk
from proxy.output_check import joined
from proxy.parts import Parts
from proxy.recording.subjects import end_users
from proxy.screen import Later, Screened
from storage.subjects import subject_hash, subject_key
from storage.types import Identity

_LONGEST: Final = 512  # characters of a session's name


async def assess(
    parts: Parts, exchange: Exchange, policy: Policy, risk: RiskPolicy, headers: Mapping[str, str], body: Any
) -> None:
    """Give the exchange its risk, and the policy that is held to for it."""
    identity = exchange.identity
    if identity is None:
        return
    names = _names(risk, identity, _session(risk, headers, body), exchange.content_key)
    scores = await parts.metering.scores.read(identity.tenant_id, names, risk.half_life) if names else ()
    score = round(max(scores, default=0.0), 3)
    exchange.risk = Risk(score, risk.blocks(score), parts.metering.scores, identity.tenant_id, names, risk.half_life)
    exchange.policy = parts.metering.steps.of(policy, risk, score)
    exchange.forget_facts()


def weigh_risk(parts: Parts, exchange: Exchange, screened: Screened, direction: Direction) -> Screened:
    """Return what was made of a request with what its sender's risk makes of it."""
    risk, policy = exchange.risk, exchange.policy
    if risk is None or policy is None or not risk.blocks or direction is not Direction.REQUEST:
        return screened
    whole = parts.screen.weigh((risk_finding(),), policy, exchange.facts())
    return _with_risk(screened, whole)


def _with_risk(screened: Screened, whole: Verdict) -> Screened:
    verdict, later = joined(screened.verdict, whole), screened.later
    kept = None if later is None or verdict.effect.stop else partial(_judged_with_risk, later, whole)
    return replace(screened, verdict=verdict, later=kept)


async def _judged_with_risk(later: Later, whole: Verdict) -> Screened:
    return _with_risk(await later(), whole)


def _names(risk: RiskPolicy, identity: Identity, session: str, content_key: bytes) -> tuple[str, ...]:
    """Return whose scores there are; a session's name is somebody's, so only its keyed hash is kept."""
    names = []
    if "session" in risk.of and session:
        hashed = subject_hash(subject_key(content_key), f"session\0{session}")
        names += [f"session:{hashed}"] if hashed else []
    if "app" in risk.of:
        names.append(f"app:{identity.app_id}")
    if "tenant" in risk.of:
        names.append("all")
    return tuple(names)


def _session(risk: RiskPolicy, headers: Mapping[str, str], body: Any) -> str:
    named: object = headers.get(risk.session, "")
    if risk.session == "user":
        named = next((name for name in end_users(body) if name), "")
    return named if isinstance(named, str) and len(named) <= _LONGEST else ""
