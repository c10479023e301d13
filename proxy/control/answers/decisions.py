"""Decisions of the log, in a list and one by one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from proxy.control.fields import AppName, Line, Moment, Page, Sent, SentMoment, Shown, Slug

CategoryName = Literal[
    "prompt_injection", "jailbreak", "system_prompt_leak", "data_extraction", "exfiltration", "obfuscation",
    "harmful_request", "credential", "pii", "leakage", "keyword",
]  # fmt: skip
OutcomeName = Literal[
    "answered", "blocked_request", "blocked_response", "rejected", "upstream_error", "client_closed", "interrupted",
    "internal_error",
]  # fmt: skip
Action = Literal["allow", "flag", "pseudonymise", "mask", "block", "error"]


class DecisionQuery(Page):
    """All conditions must hold; `rule`, `category` and `content` of one finding. Opened in [`since`, `until`)."""

    tenant: Slug | None = None
    since: SentMoment | None = None
    until: SentMoment | None = None
    app: AppName | None = None
    key: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    action: Action | None = None
    outcome: OutcomeName | None = None
    category: CategoryName | None = None
    rule: Line | None = None
    content: Annotated[str, Field(pattern=r"^(hmac:)?[0-9a-f]{32}$")] | None = None
    model: Line | None = None
    request_id: Line | None = None
    policy: Line | None = None


class ShownDecision(Shown):
    """One line of the log. Times are milliseconds; `rules` are those of findings, the surest first."""

    id: str
    tenant: str
    app: str | None
    key_id: int | None
    opened_at: Moment
    request_id: str
    route: str
    dialect: str
    model: str
    upstream: str
    streaming: bool
    outcome: OutcomeName
    status: int
    mode: str
    action: str
    intended_action: str
    category: str
    confidence: float
    rules: list[str]
    degraded: list[str]
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    overhead_ms: float
    total_ms: float


class DecisionList(Shown):
    items: list[ShownDecision]
    next: str | None


class ShownFinding(Shown):
    """What one rule claimed of one origin: its highest confidence, where, how often, and what the policy made of it."""

    rule: str
    detector: str
    category: str
    kind: str
    severity: str
    direction: str
    origin: str
    confidence: float
    pointer: str
    content: str
    count: int
    policy_rule: str
    action: str
    words: str


class ShownCoverage(Shown):
    direction: str
    receipt: dict[str, Any]


class NewLabel(Sent):
    """What the decision's request was; `none` takes back what was said of it."""

    label: Literal["attack", "benign", "none"]


class ShownLabel(Shown):
    """What somebody said that a decision's request was."""

    label: Literal["attack", "benign"]
    made_by: str
    made_at: Moment


class DecisionDetail(Shown):
    """`why` says in sentences and in order how it came. `facts` is all else that the policy could look at."""

    decision: ShownDecision
    why: list[str]
    findings: list[ShownFinding]
    findings_overflow: bool
    coverage: list[ShownCoverage]
    facts: dict[str, Any]
    digests: dict[str, Any]
    personal: dict[str, Any] | None
    error_code: str
    error_stage: str
    request_action: str
    response_action: str
    policy: str
    policy_revision: str
    ruleset_revision: str
    provider_saw_prompt: bool
    instance: str
    worker: int
    via: str
    upstream_ms: float
    closed_at: Moment
    seq: int | None
    hash: str | None
    label: ShownLabel | None


class ShownBody(Shown):
    """`text` is null where it cannot be read any more; `problem` says why."""

    direction: str
    form: str
    cut: bool
    text: str | None
    problem: str


class BodyList(Shown):
    items: list[ShownBody]
    next: str | None
