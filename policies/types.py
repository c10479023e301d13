"""The words of policy: what a tenant wants (Policy), what is decided (Verdict) and what that does (Effect, Edit)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from detectors.frozen import statically_frozen
from detectors.lexicon import Lexicon
from detectors.types import Coverage, Finding, Origin, Unscanned
from policies.amounts import Budget, LevelLimits, PolicyLimits, Rate
from policies.effects import Edit, Effect, Pseudonym, Route
from policies.facts import Facts
from policies.judging import JudgePolicy, SlowStreams
from policies.leakage import Leakage
from policies.matcher import Circumstances, Condition, Match
from policies.output import OutputRules
from policies.risk import RiskPolicy
from policies.routes import OpenRoute
from policies.rule_table import RuleTable
from policies.webhooks import Webhook
from policies.words import (
    ActionName,
    AuditLevel,
    BlockAs,
    Credentials,
    Disclose,
    FailureMode,
    Mode,
    References,
    StoredForm,
)

# Words of other rooms that everybody says together with these.
__all__ = [
    "ActionName",
    "AuditLevel",
    "BlockAs",
    "Budget",
    "Circumstances",
    "Condition",
    "Credentials",
    "Disclose",
    "Edit",
    "Effect",
    "Facts",
    "FailureMode",
    "LevelLimits",
    "Match",
    "Mode",
    "PolicyLimits",
    "Pseudonym",
    "Rate",
    "References",
    "Route",
    "StoredForm",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done about findings that match, in the circumstances that hold, if the condition does.

    `route` and `labels` take effect wherever the rule applies, also where a heavier one decides the action; `review`
    where it is the rule that stops.
    """

    id: str
    match: Match
    action: ActionName
    where: Circumstances | None = None
    condition: Condition | None = None
    route: Route | None = None
    labels: tuple[str, ...] = ()
    review: bool = False


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An excused finding, until and including a day (UTC). `origin` or `content` is always given."""

    rule: str
    origin: Origin | None
    content: str | None
    until: date
    owner: str
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One tenant's (or app's) policy, ready to decide with. `id` is the file's name, `revision` its content's hash."""

    id: str
    revision: str
    mode: Mode
    failure_mode: FailureMode
    unscanned: Mapping[Unscanned, ActionName]
    models: tuple[str, ...]
    limits: PolicyLimits
    rules: tuple[Rule, ...]
    exclusions: tuple[Exclusion, ...]
    disclose: Disclose
    block_as: BlockAs
    credentials: Credentials
    references: References
    leakage: Leakage
    audit_level: AuditLevel
    retain_days: int
    store: StoredForm
    retain_bodies_days: int  # never more than retain_days: bodies go with their row at the latest
    routes: tuple[OpenRoute, ...] = ()  # those without a placeholder first
    restore_in_tools: frozenset[str] = frozenset()  # names of tools whose arguments get real values back
    judges: JudgePolicy | None = None
    streams: SlowStreams = SlowStreams()  # noqa: RUF009 - immutable
    risk: RiskPolicy | None = None
    output: OutputRules | None = None
    candidate: Candidate | None = None
    webhooks: tuple[Webhook, ...] = ()
    preamble: str = ""
    refusals: Mapping[str, str] = field(default_factory=dict)  # what a block says, by language
    lexicon: Lexicon = Lexicon()  # noqa: RUF009 - immutable
    table: RuleTable = field(init=False, repr=False, compare=False)
    excuses: Mapping[str, tuple[Exclusion, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        excuses: dict[str, tuple[Exclusion, ...]] = {}
        for exclusion in self.exclusions:
            excuses[exclusion.rule] = (*excuses.get(exclusion.rule, ()), exclusion)
        object.__setattr__(self, "table", RuleTable(self.rules))
        object.__setattr__(self, "excuses", excuses)

    @property
    def pseudonymises(self) -> bool:
        return any(rule.action is ActionName.PSEUDONYMISE for rule in self.rules)

    @property
    def reads_language(self) -> bool:
        """Whether anybody wants to know in which language a request is."""
        candidate = self.candidate
        own = self.table.reads_language or len(self.refusals) > 1
        return own or (candidate is not None and candidate.policy.table.reads_language)

    @property
    def reads_cost(self) -> bool:
        """Whether any rule wants to know what the tenant has spent today."""
        candidate = self.candidate
        return self.table.reads_cost or (candidate is not None and candidate.policy.table.reads_cost)

    def allows_model(self, model: str) -> bool:
        return allows(self.models, model)

    def refusal_text(self, language: str) -> str:
        """Return what a block says to whoever speaks a language: the first text where there is none in it."""
        return self.refusals.get(language) or next(iter(self.refusals.values()), "")

    def opened(self, method: str, path: str, dialect: str) -> OpenRoute | None:
        """Return the route that lets such a request in although no codec knows its shape."""
        return next((r for r in self.routes if r.dialect == dialect and r.opens(method, path)), None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy that is decided beside the one in force, on the same findings, until and including a day (UTC).

    `sample` (0-1) is the share of exchanges in which no stage is skipped for its sake; `rollout` (0-1) the share of
    API keys for which it is in force already.
    """

    policy: Policy
    until: date
    sample: float = 0.0
    rollout: float = 0.0


@statically_frozen
@dataclass(frozen=True, slots=True)
class CandidateVerdict:
    """What the candidate intends on the same findings, and the rule that asks for it (empty where none does)."""

    policy_id: str
    policy_revision: str
    action: ActionName
    rule: str


@statically_frozen
@dataclass(frozen=True, slots=True)
class Judged:
    """A finding with what the policy made of it: the heaviest action, and the rule that asked for it."""

    finding: Finding
    action: ActionName
    rule: str


class StopReason(StrEnum):
    """Why an effect stops: something was found, nobody could look, or a detector failed."""

    FOUND = "found"
    UNSCANNED = "unscanned"
    UNINSPECTED = "uninspected"


@statically_frozen
@dataclass(frozen=True, slots=True)
class Verdict:
    """The policy's answer for one direction. `intended_action` differs from `action` only under monitor."""

    action: ActionName
    intended_action: ActionName
    effect: Effect
    judged: tuple[Judged, ...]
    coverage: Coverage
    policy_id: str
    policy_revision: str
    ruleset_revision: str
    degraded: tuple[str, ...] = ()
    stop_reason: StopReason | None = None
    unscanned: tuple[Unscanned, ...] = ()
    excused: tuple[Finding, ...] = ()
    review: bool = False  # a person is to look at what was stopped
    candidate: CandidateVerdict | None = None

    @property
    def disagreement(self) -> CandidateVerdict | None:
        """What the candidate would have done, where the policy in force intends something else."""
        other = self.candidate
        return None if other is None or other.action is self.intended_action else other

    @property
    def found(self) -> tuple[Finding, ...]:
        """What was found, also where somebody excused it: that decides nothing, and is personal all the same."""
        return (*(item.finding for item in self.judged), *self.excused)

    def as_stop(self, reason: StopReason) -> Verdict:
        """Return this verdict as one that stops, because what it asks for cannot be done."""
        block = ActionName.BLOCK
        return replace(self, action=block, intended_action=block, effect=Effect(stop=True), stop_reason=reason)


def allows(models: Sequence[str], model: str) -> bool:
    """Tell whether a list of patterns allows a model."""
    return "*" in models or any(fnmatchcase(model, pattern) for pattern in models)


@runtime_checkable
class Action(Protocol):
    """What a rule may ask for. `effect` is pure."""

    @property
    def name(self) -> ActionName: ...
    def effect(self, findings: Sequence[Finding]) -> Effect: ...


class PolicySource(Protocol):
    """Where the proxy gets the policy in force for an app of a tenant."""

    def policy_for(self, tenant: str, app: str) -> Policy: ...
