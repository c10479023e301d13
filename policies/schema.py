"""The policy file as its authors write it. Every unknown key is an error; the JSON Schema falls out of these models."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from detectors.names import OriginName
from detectors.types import Unscanned
from policies.expectations import TestDocument
from policies.judging_schema import JudgesDocument, StreamsDocument
from policies.lexicon import KeywordsDocument, Levels
from policies.limits_schema import LimitsDocument
from policies.preamble import check_preamble
from policies.risk_schema import RiskDocument
from policies.routes import ROUTE_PATH, why_closed
from policies.rule_schema import RuleDocument
from policies.schema_words import (
    AnyListed,
    Day,
    DaysText,
    HostName,
    LanguageCode,
    Listed,
    ShareText,
    Slug,
    Strict,
)
from policies.types import (
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


class ExclusionDocument(Strict):
    """An excused finding. `origin` or `content` (a keyed hash as the decision shows it) is mandatory."""

    rule: str
    origin: OriginName | None = None
    content: Annotated[str, Field(pattern=r"^hmac:[0-9a-f]{32}$")] | None = None
    until: Day
    owner: Annotated[str, Field(min_length=3)]
    reason: Annotated[str, Field(min_length=3)]

    @model_validator(mode="after")
    def _narrow(self) -> ExclusionDocument:
        if self.origin is None and self.content is None:
            raise ValueError("an exclusion needs an origin or a content hash")
        return self


class ModelsDocument(Strict):
    allow: tuple[str, ...] | None = None


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
    methods: Annotated[tuple[Literal["POST", "GET"], ...], *Listed] = ("POST",)
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
    hosts: tuple[HostName, ...] = ()


class PseudonymsDocument(Strict):
    """Where real values come back beside the text of an answer: in the arguments of these tools."""

    restore_in_tools: Annotated[tuple[str, ...], *AnyListed] | None = None


class OutputDocument(Strict):
    """What answers have to be; `action` is what is done about those that are not."""

    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    max_length: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    links: tuple[HostName, ...] | None = None
    action: Literal["flag", "block"] = "block"


WEBHOOK_URL: Final = r"^https?://[^\s@]{1,500}$"
Told = Literal["allow", "flag", "mask", "pseudonymise", "block", "error", "limit"]


class WebhookDocument(Strict):
    """An endpoint that is called, signed, for decisions of these actions; `limit`: that most of a limit is used."""

    url: Annotated[str, Field(pattern=WEBHOOK_URL)]
    on: Annotated[tuple[Told, ...], *Listed] = ("block",)


class CandidateDocument(Strict):
    """A policy to be decided beside this one. `rollout`: the share of API keys for which it is in force already."""

    policy: str
    until: Day
    sample: ShareText = 0.0
    rollout: ShareText = 0.0


class PolicyDocument(Strict):
    """A tenant's policy file."""

    extends: Annotated[tuple[str, ...], *AnyListed] = ()
    mode: Mode | None = None
    failure_mode: FailureMode | None = None
    disclose: Disclose | None = None
    block_as: BlockAs | None = None
    credentials: Credentials | None = None
    references: References | None = None
    routes: tuple[RouteDocument, ...] | None = None
    unscanned: UnscannedDocument = UnscannedDocument()
    models: ModelsDocument = ModelsDocument()
    limits: LimitsDocument = LimitsDocument()
    rules: tuple[RuleDocument, ...] = ()
    disable: tuple[Slug, ...] = ()
    exclusions: tuple[ExclusionDocument, ...] = ()
    leakage: LeakageDocument = LeakageDocument()
    levels: Levels = Field(default_factory=dict)
    keywords: Annotated[tuple[KeywordsDocument, ...], Field(max_length=100)] = ()
    audit: AuditDocument = AuditDocument()
    pseudonyms: PseudonymsDocument = PseudonymsDocument()
    judges: JudgesDocument = JudgesDocument()
    streams: StreamsDocument = StreamsDocument()
    risk: RiskDocument | None = None
    output: OutputDocument | None = None
    webhooks: Annotated[tuple[WebhookDocument, ...], Field(max_length=8)] = ()
    candidate: CandidateDocument | None = None
    preamble: Annotated[str, AfterValidator(check_preamble)] | None = None
    refusals: dict[LanguageCode, Annotated[str, Field(min_length=3, max_length=500)]] = Field(default_factory=dict)
    tests: tuple[TestDocument, ...] = ()


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema that editors check policy files against."""
    return PolicyDocument.model_json_schema(mode="validation")
