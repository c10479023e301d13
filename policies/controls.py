"""What a pack's rules are for: the controls of a standard, in our words, and which of them a policy covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from detectors.chain import Chain
from detectors.documents import nearest, read_document
from detectors.errors import PolicyError
from policies.engine import Actions
from policies.layers import PACKS
from policies.loader import LoadedPolicy
from policies.testing import RequestReader, run_test
from policies.types import ActionName, AuditLevel, Mode, Policy

CONTROLS: Final = PACKS / "controls"


def _at_least(value: Callable[[Policy], float]) -> Callable[[Policy, Policy], bool]:
    return lambda own, pack: value(own) >= value(pack)


def _at_most(value: Callable[[Policy], float]) -> Callable[[Policy, Policy], bool]:
    return lambda own, pack: value(own) <= value(pack)


def _per_second(policy: Policy) -> float:
    rates = policy.limits.tenant.requests
    return min((rate.limit / rate.seconds for rate in rates), default=float("inf"))


# Settings that serve a control, and when a policy's own is as strict as the pack's.
SETTINGS: Final[Mapping[str, Callable[[Policy, Policy], bool]]] = MappingProxyType(
    {
        "audit.retain": _at_least(lambda policy: policy.retain_days),
        "audit.retain at most": _at_most(lambda policy: policy.retain_days),
        "audit.level": _at_least(lambda policy: policy.audit_level is AuditLevel.REQUIRED),
        "leakage.canary": _at_least(lambda policy: policy.leakage.canary),
        "leakage.fingerprints": _at_least(lambda policy: policy.leakage.fingerprints),
        "limits.requests": _at_most(_per_second),
        "limits.text": _at_most(lambda policy: policy.limits.text),
    }
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Control(_Strict):
    """One control of a standard: its own id, what it asks for, and what of the pack serves it."""

    id: str
    meaning: Annotated[str, Field(min_length=20)]
    rules: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _serves_something(self) -> Control:
        if not self.rules and not self.settings:
            raise ValueError("a control names the rules or settings that serve it")
        for name in self.settings:
            if name not in SETTINGS:
                raise ValueError(f"unknown setting '{name}'{nearest(name, sorted(SETTINGS))}")
        return self


class ControlTable(_Strict):
    """The controls that a pack serves, and what is `outside` of what any policy here can do."""

    title: str
    source: str
    controls: Annotated[tuple[Control, ...], Field(min_length=1)]
    outside: Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class ControlCoverage:
    """Whether a policy does for a control what the pack does; `gaps` says what it does less."""

    control: Control
    gaps: tuple[str, ...]


def load_controls(pack: str) -> ControlTable:
    """Return the table of `pack/<name>`. Raises PolicyError."""
    name = pack.removeprefix("pack/")
    file = CONTROLS / f"{name}.yaml"
    if not file.is_file():
        raise PolicyError(
            pack, None, f"there is no such pack{nearest(name, sorted(f.stem for f in CONTROLS.glob('*')))}"
        )
    return read_document(file, PolicyError).validate(ControlTable)


async def cover(
    policy: Policy,
    pack: LoadedPolicy,
    table: ControlTable,
    chain: Chain,
    actions: Actions,
    reader: RequestReader | None = None,
) -> tuple[ControlCoverage, ...]:
    """Hold a policy to a pack by what it does: each test of the pack's rules must come out as strictly."""
    gaps: dict[str, list[str]] = {}
    for test in pack.tests:
        if test.rule is None:
            continue
        result = await run_test(policy, test, chain, actions, reader)
        if result.action is None or result.action.weight < ActionName(test.expect).weight:
            gap = f"{test.name}: {result.action or 'refused'} instead of {test.expect}"
            gaps.setdefault(test.rule, []).append(gap)
    return tuple(ControlCoverage(c, _gaps(c, gaps, policy, pack.policy)) for c in table.controls)


def _gaps(control: Control, by_rule: Mapping[str, Sequence[str]], policy: Policy, pack: Policy) -> tuple[str, ...]:
    if policy.mode is not Mode.ENFORCE:
        return (f"mode: {policy.mode} stops and changes nothing",)
    rules = [gap for rule in control.rules for gap in by_rule.get(rule, ())]
    settings = [f"{name} is laxer than the pack's" for name in control.settings if not SETTINGS[name](policy, pack)]
    return (*rules, *settings)
