"""The words of storage: who asks (Identity), what happened (DecisionRecord), what may pass (LimitKey, Grant)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from detectors.frozen import statically_frozen


class Role(StrEnum):
    """The database role a transaction takes on with SET LOCAL ROLE."""

    APP = "ps_app"
    SHIP = "ps_ship"
    READER = "ps_reader"
    ACCESS = "ps_access"


class Outcome(StrEnum):
    """How an exchange ended; a closed list."""

    ANSWERED = "answered"
    BLOCKED_REQUEST = "blocked_request"
    BLOCKED_RESPONSE = "blocked_response"
    REJECTED = "rejected"
    UPSTREAM_ERROR = "upstream_error"
    CLIENT_CLOSED = "client_closed"
    INTERRUPTED = "interrupted"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Tenant:
    id: int
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sent a request: an API key belongs to a tenant and names an app.

    `key_id` is 0 for who shows a token of the tenant's own issuer.
    `roles` are what such a token says of its holder.
    `expires_at` is seconds since the epoch; `scopes` and `models` are patterns of what the key may, None for all.
    """

    tenant_id: int
    tenant: str
    app_id: int
    app: str
    key_id: int
    expires_at: float | None = None
    scopes: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ()


class ObjectName(NamedTuple):
    """An object that lives at a provider: `kind` as in `response`, and the provider's own id."""

    kind: str
    id: str


@statically_frozen
@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """What is known of an exchange when it goes upstream: all that its row will hold should it never close."""

    id: str
    tenant_id: int
    app_id: int | None
    key_id: int | None
    instance: str
    worker: int
    via: str
    request_id: str
    route: str
    dialect: str
    model: str
    upstream: str
    streaming: bool
    mode: str
    action: str
    intended_action: str
    category: str
    confidence: float
    scores: str
    scores_overflow: bool
    facts: str
    coverage: str
    digests: str
    degraded: tuple[str, ...]
    policy_id: str
    policy_revision: str
    ruleset_revision: str
    personal: str = "{}"
    personal_digest: str = ""
    subjects: tuple[str, ...] = ()
    bodies: str = "[]"
    canonical: int = 0


@statically_frozen
@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One row of `decisions`, flat. The JSON columns hold serialised JSON without any text of a user.

    `id` is a UUIDv7 whose time is `opened_at`; `closed_at` is seconds since the epoch; `*_ms` are milliseconds;
    `confidence` is 0-1, the highest over the attack categories; token counts are None where unknown.
    """

    id: str
    tenant_id: int
    app_id: int | None
    key_id: int | None
    instance: str
    worker: int
    via: str
    request_id: str
    route: str
    dialect: str
    model: str
    upstream: str
    streaming: bool
    outcome: Outcome
    status: int
    error_code: str
    error_stage: str
    mode: str
    action: str
    intended_action: str
    request_action: str
    response_action: str
    category: str
    confidence: float
    scores: str  # JSON array of at most 64 {direction, origin, category, rule, detector, confidence, pointer, count}
    scores_overflow: bool
    facts: str  # JSON object
    coverage: str  # JSON object, one receipt per direction
    digests: str  # JSON object of keyed hashes
    degraded: tuple[str, ...]
    policy_id: str
    policy_revision: str
    ruleset_revision: str
    provider_saw_prompt: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    overhead_ms: float
    upstream_ms: float
    total_ms: float
    closed_at: float
    # Younger fields stand at the end and have defaults, so that older journals can still be read.
    personal: str = "{}"  # JSON object of personal data (network), outside the chain: it can be erased
    personal_digest: str = ""  # keyed hash of `personal`, inside the chain
    subjects: tuple[str, ...] = ()  # keyed hashes of identifiers of persons, at most 32
    bodies: str = "[]"  # JSON array of encrypted bodies: {direction, form, key, nonce, data}
    canonical: int = (
        0  # 1: the chained JSON columns were all made by storage.chains.canonical.canonical_json; 0: who knows
    )


@statically_frozen
@dataclass(frozen=True, slots=True)
class LimitKey:
    """One sliding window: at most `limit` units of `name` per `window_seconds` for a tenant."""

    tenant_id: int
    name: str
    limit: int
    window_seconds: int


class Grant(Protocol):
    """The answer to `take()`. `remaining` is an estimate for headers; both methods are idempotent.

    `refused` is the window that said no, None where it is allowed; `limit` and the times are its, else the first one's.
    """

    allowed: bool
    refused: LimitKey | None
    limit: int
    remaining: int
    reset_seconds: float
    retry_after_seconds: float

    def tightest(self) -> tuple[LimitKey, int, float] | None:
        """Return the window that is the fullest, the units left of it, and when it is empty (seconds); None of none."""

    def nearly_used(self) -> list[tuple[LimitKey, int]]:
        """Return the windows that are four fifths full, with the units left."""

    def settle(self, actual: Mapping[str, int]) -> None:
        """Correct the amounts taken, by limit name, once the true figures are known."""

    def release(self) -> None:
        """Give back what is held only while the exchange lives."""


class Limits(Protocol):
    async def take(self, keys: Sequence[LimitKey], amounts: Sequence[int]) -> Grant: ...


class Sink(Protocol):
    """A destination of decisions. A batch can come twice: a sink keeps it once, or every copy names its decision."""

    @property
    def name(self) -> str: ...
    async def write(self, records: Sequence[DecisionRecord]) -> None:
        """Return once the records are there for good.

        Raises UnavailableError if the same records may be taken later, any other StorageError if they are to blame.
        """

    async def close(self) -> None:
        """Let go of files and connections; whatever `write` took stays safe. May be called twice."""
