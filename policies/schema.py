"""The policy file as its authors write it. Every unknown key is an error; the JSON Schema falls out of these models."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from detectors.documents import nearest
from detectors.types import Category, Direction, Origin, Severity, Unscanned
from policies.judging_schema import JudgesDocument, StreamsDocument
from policies.quantities import parse_days, parse_rate, parse_size
from policies.routes import ROUTE_PATH, why_closed
from policies.types import (
    ActionName,
    AuditLevel,
    BlockAs,
    Credentials,
    Disclose,
    FailureMode,
    Mode,
    Rate,
    References,
    StoredForm,
)

_HOST: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _origin(value: object) -> object:
    return Origin.TOOL if value == "document" else value


def _severity(value: object) -> object:
    if isinstance(value, str) and value.upper() in Severity.__members__:
        return Severity.parse(value)
    hint = nearest(str(value), [severity.name.lower() for severity in Severity])
    raise ValueError(f"expected 'low', 'medium', 'high' or 'critical'{hint}")


def _host(value: object) -> object:
    if isinstance(value, str) and _HOST.fullmatch(value):
        return value.lower()
    raise ValueError("expected a host such as 'images.example.org' or '*.example.org', without 'https://' and path")


def _day(value: object) -> object:
    # Not pydantic's own reading, for which a number is a time since 1970.
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("expected a day such as 2027-03-01") from None


# An empty list would hold for everything, not for nothing.
_Listed = (BeforeValidator(_listed), Field(min_length=1))
Categories = Annotated[tuple[Category, ...], *_Listed]
Origins = Annotated[tuple[Annotated[Origin, BeforeValidator(_origin)], ...], *_Listed]
Names = Annotated[tuple[str, ...], *_Listed]
SeverityName = Annotated[Severity, BeforeValidator(_severity)]
RateText = Annotated[Rate, BeforeValidator(parse_rate)]
SizeText = Annotated[int, BeforeValidator(parse_size)]
DaysText = Annotated[int, BeforeValidator(parse_days)]
RuleAction = Literal["flag", "pseudonymise", "mask", "block"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WhenDocument(Strict):
    """Which findings a rule is about; every key that is given must hold, and of a list any one."""

    category: Categories = ()
    origin: Origins = ()
    direction: Direction | None = None
    rule: Names = ()
    tag: Names = ()
    kind: Names = ()
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    min_severity: SeverityName = Severity.LOW


class RuleDocument(Strict):
    id: Slug
    when: WhenDocument
    action: RuleAction


class ExclusionDocument(Strict):
    """An excused finding. `origin` or `content` (a keyed hash as the decision shows it) is mandatory."""

    rule: str
    origin: Annotated[Origin, BeforeValidator(_origin)] | None = None
    content: Annotated[str, Field(pattern=r"^hmac:[0-9a-f]{32}$")] | None = None
    until: Annotated[date, BeforeValidator(_day)]
    owner: Annotated[str, Field(min_length=3)]
    reason: Annotated[str, Field(min_length=3)]

    @model_validator(mode="after")
    def _narrow(self) -> ExclusionDocument:
        if self.origin is None and self.content is None:
            raise ValueError("an exclusion needs an origin or a content hash")
        return self


class ModelsDocument(Strict):
    allow: tuple[str, ...] | None = None


class LimitsDocument(Strict):
    requests: RateText | None = None
    text: SizeText | None = None
    body: SizeText | None = None


class UnscannedDocument(Strict):
    media: Literal["block", "flag", "allow"] | None = None
    oversize: Literal["block", "flag", "allow"] | None = None
    decode_budget: Literal["block", "flag", "allow"] | None = None
    token_ids: Literal["block", "flag", "allow"] | None = None
    embedding_token_ids: Literal["block", "flag", "allow"] | None = None

    def given(self) -> dict[Unscanned, ActionName]:
        return {Unscanned(k): ActionName(v) for k, v in self.model_dump(exclude_none=True).items()}


class RouteDocument(Strict):
    """A route whose shape no codec knows, opened: JSON in, JSON out, all of it read and none of it trusted."""

    path: Annotated[str, Field(json_schema_extra={"pattern": f"^{ROUTE_PATH.pattern}$"})]
    methods: Annotated[tuple[Literal["POST", "GET"], ...], *_Listed] = ("POST",)
    dialect: Literal["openai", "anthropic", "gemini"] = "openai"

    @model_validator(mode="after")
    def _may_be_opened(self) -> RouteDocument:
        problem = why_closed(self.path, self.methods)
        if problem is not None:
            raise ValueError(problem)
        return self


class AuditDocument(Strict):
    level: AuditLevel | None = None
    retain: DaysText | None = None
    store: StoredForm | None = None
    retain_bodies: DaysText | None = None


class LeakageDocument(Strict):
    """What answers must not say or carry out. No more than thirty words: a stream is held back for about as long."""

    canary: bool | None = None
    fingerprints: bool | None = None
    words: Annotated[int, Field(ge=8, le=30)] | None = None
    hosts: tuple[Annotated[str, BeforeValidator(_host)], ...] = ()


class PseudonymsDocument(Strict):
    """Where real values come back beside the text of an answer: in the arguments of these tools."""

    restore_in_tools: Annotated[tuple[str, ...], BeforeValidator(_listed)] | None = None


class TestDocument(Strict):
    """One text by one origin, and the action the policy must take on it."""

    __test__ = False  # not a test class of our own suite
    name: str
    user: str | None = None
    tool: str | None = None
    document: str | None = None
    system: str | None = None
    assistant: str | None = None
    expect: Literal["allow", "flag", "pseudonymise", "mask", "block"]

    @property
    def text(self) -> tuple[Origin, str]:
        given = (
            (Origin.USER, self.user),
            (Origin.TOOL, self.tool),
            (Origin.TOOL, self.document),
            (Origin.SYSTEM, self.system),
            (Origin.ASSISTANT, self.assistant),
        )
        return next((origin, text) for origin, text in given if text is not None)

    @model_validator(mode="after")
    def _one_text(self) -> TestDocument:
        texts = (self.user, self.tool, self.document, self.system, self.assistant)
        if sum(text is not None for text in texts) != 1:
            raise ValueError("a test has exactly one of user, tool, document, system, assistant")
        return self


class PolicyDocument(Strict):
    """A tenant's policy file."""

    extends: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    mode: Mode | None = None
    failure_mode: FailureMode | None = None
    disclose: Disclose | None = None
    block_as: BlockAs | None = None
    credentials: Credentials | None = None
    references: References | None = None
    # Left out of what revisions are made of where it is not given: files written before it keep theirs.
    routes: tuple[RouteDocument, ...] | None = Field(default=None, exclude_if=lambda routes: routes is None)
    unscanned: UnscannedDocument = UnscannedDocument()
    models: ModelsDocument = ModelsDocument()
    limits: LimitsDocument = LimitsDocument()
    rules: tuple[RuleDocument, ...] = ()
    disable: tuple[Slug, ...] = ()
    exclusions: tuple[ExclusionDocument, ...] = ()
    leakage: LeakageDocument = LeakageDocument()
    audit: AuditDocument = AuditDocument()
    pseudonyms: PseudonymsDocument = PseudonymsDocument()
    judges: JudgesDocument = JudgesDocument()
    streams: StreamsDocument = StreamsDocument()
    tests: tuple[TestDocument, ...] = ()


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema that editors check policy files against."""
    return PolicyDocument.model_json_schema(mode="validation")
