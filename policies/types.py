"""The words of policy: what a tenant wants (Policy), what is decided (Verdict) and what that does (Effect, Edit)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from detectors.frozen import statically_frozen
from detectors.types import Category, Coverage, Direction, Finding, Origin, Severity, Span, Unscanned
from policies.judging import JudgePolicy, SlowStreams
from policies.leakage import Leakage
from policies.routes import OpenRoute


class ActionName(StrEnum):
    """What a verdict says, lightest first. `allow` and `error` are results, the others what a rule may ask for."""

    ALLOW = "allow"
    FLAG = "flag"
    PSEUDONYMISE = "pseudonymise"
    MASK = "mask"
    BLOCK = "block"
    ERROR = "error"

    @property
    def weight(self) -> int:
        return _WEIGHTS[self]


_WEIGHTS: Mapping[ActionName, int] = {name: weight for weight, name in enumerate(ActionName)}


class Mode(StrEnum):
    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"


class FailureMode(StrEnum):
    CLOSED = "closed"
    OPEN = "open"


class Disclose(StrEnum):
    """How much a block tells the caller."""

    ID = "id"
    CATEGORY = "category"
    FULL = "full"


class BlockAs(StrEnum):
    """How a blocked answer is delivered; a blocked request is always a 400."""

    ERROR = "error"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"


class References(StrEnum):
    """Which objects at a provider a request may lean on: those that its tenant made through here, or any."""

    KNOWN = "known"
    ANY = "any"


class Credentials(StrEnum):
    """Whose credential goes upstream: ours for the upstream, or the one the client sent beside our key."""

    UPSTREAM = "upstream"
    CLIENT = "client"


class AuditLevel(StrEnum):
    REQUIRED = "required"
    BEST_EFFORT = "best_effort"


class StoredForm(StrEnum):
    """What is kept of bodies: nothing, keyed hashes, or encrypted: with every finding masked, or whole."""

    NONE = "none"
    HASH = "hash"
    MASKED = "masked"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """A replacement that only the proxy can make, since it has the text and the key."""

    kind: str


@statically_frozen
@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `span` (characters of the string at `pointer`) by `replacement`."""

    pointer: str
    span: Span
    replacement: str | Pseudonym


@statically_frozen
@dataclass(frozen=True, slots=True)
class Effect:
    stop: bool = False
    edits: tuple[Edit, ...] = ()
    route: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """The conditions of a rule; an empty one holds for every finding. All that are given must hold."""

    category: frozenset[Category] = frozenset()
    origin: frozenset[Origin] = frozenset()
    direction: Direction | None = None
    rule: frozenset[str] = frozenset()
    tag: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    min_confidence: float = 0.0
    min_severity: Severity = Severity.LOW

    def holds(self, finding: Finding) -> bool:
        hit, segment = finding.hit, finding.segment
        return (
            hit.confidence >= self.min_confidence
            and hit.severity >= self.min_severity
            and (not self.category or hit.category in self.category)
            and (not self.origin or segment.origin in self.origin)
            and (self.direction is None or segment.direction is self.direction)
            and (not self.rule or hit.rule_id in self.rule)
            and (not self.kind or hit.kind in self.kind)
            and (not self.tag or not self.tag.isdisjoint(hit.tags))
        )


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    match: Match
    action: ActionName


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
class Rate:
    """At most `limit` in any `seconds`."""

    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """`text` in characters of one user segment, `body` in bytes after decoding."""

    requests: Rate | None
    text: int
    body: int


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

    @property
    def pseudonymises(self) -> bool:
        return any(rule.action is ActionName.PSEUDONYMISE for rule in self.rules)

    def allows_model(self, model: str) -> bool:
        return "*" in self.models or any(fnmatchcase(model, pattern) for pattern in self.models)

    def opened(self, method: str, path: str, dialect: str) -> OpenRoute | None:
        """Return the route that lets such a request in although no codec knows its shape."""
        return next((r for r in self.routes if r.dialect == dialect and r.opens(method, path)), None)


@statically_frozen
@dataclass(frozen=True, slots=True)
class Facts:
    """A snapshot of everything else that `decide` may look at; stored in the decision. `at` is epoch seconds."""

    at: float
    tenant: str = ""
    app: str = ""
    key_id: int | None = None
    dialect: str = ""
    route: str = ""
    model: str = ""
    upstream: str = ""
    streaming: bool = False
    network: str = ""


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

    @property
    def found(self) -> tuple[Finding, ...]:
        """What was found, also where somebody excused it: that decides nothing, and is personal all the same."""
        return (*(item.finding for item in self.judged), *self.excused)

    def as_stop(self, reason: StopReason) -> Verdict:
        """Return this verdict as one that stops, because what it asks for cannot be done."""
        block = ActionName.BLOCK
        return replace(self, action=block, intended_action=block, effect=Effect(stop=True), stop_reason=reason)


@runtime_checkable
class Action(Protocol):
    """What a rule may ask for. `effect` is pure."""

    @property
    def name(self) -> ActionName: ...
    def effect(self, findings: Sequence[Finding]) -> Effect: ...


class PolicySource(Protocol):
    """Where the proxy gets the policy in force for an app of a tenant."""

    def policy_for(self, tenant: str, app: str) -> Policy: ...
