"""The words of judging: what a judge is (JudgeSpec), is asked (Question), says (Ruling) and costs (Call)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from detectors.types import Category, Origin


class Dialect(StrEnum):
    OPENAI = "openai"
    GEMINI = "gemini"


class Strategy(StrEnum):
    """In which order a panel is asked: the next judge before the last has failed, after it has, or all at once."""

    HEDGE = "hedge"
    SEQUENTIAL = "sequential"
    MAJORITY = "majority"


class Form(StrEnum):
    """How a judge's API is told to answer in JSON: by a schema, by a mode, or by the prompt alone."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """A judge as the operator configured it. `timeout` is seconds of one call; prices are USD per million tokens.

    `languages` are codes it is asked in (empty: any). A `shadow` judge is asked beside the others and never obeyed.
    """

    name: str
    dialect: Dialect
    endpoint: str
    model: str
    timeout: float = 30.0
    price_in: float = 0.0
    price_out: float = 0.0
    languages: tuple[str, ...] = ()
    form: Form = Form.OBJECT
    shadow: bool = False
    threshold: int = 5
    recovery: float = 30.0

    def reads(self, language: str) -> bool:
        return not self.languages or language in self.languages


@dataclass(frozen=True, slots=True)
class Question:
    """One text to be judged: a segment or seam of one tenant, or a piece of a very long one."""

    tenant_id: int | None
    text: str
    origin: Origin
    language: str


class Send(StrEnum):
    """What of a text leaves for a judge: all but what was found to be personal or secret, everything, or nothing."""

    MASKED = "masked"
    RAW = "raw"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a policy has judges asked: whom (names, in this order; none is the whole panel), and for how long (seconds)
    a text waits for their word.
    """

    panel: tuple[str, ...] = ()
    strategy: Strategy = Strategy.HEDGE
    deadline: float = 2.0
    send: Send = Send.MASKED


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a judge says of a text: a category, or None for no attack, and how sure it is (0-1).

    `reason` is the judge's own words, at most 300 printable characters: for the person who tests a judge, and for
    nobody else, since it may quote the text.
    """

    judge: str
    category: Category | None
    confidence: float
    reason: str = ""


class CallResult(StrEnum):
    """How one call of a judge ended; all but the first two count against its breaker."""

    ANSWERED = "answered"
    BUDGET = "budget"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    SERVER = "server"
    REDIRECT = "redirect"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    ECHO = "echo"

    @property
    def counts_against(self) -> bool:
        """Tell whether it is a failure of the judge."""
        return self not in {CallResult.ANSWERED, CallResult.BUDGET}

    @property
    def suspicious(self) -> bool:
        """Tell whether the text may have made the judge answer so."""
        return self in {CallResult.UNREADABLE, CallResult.ECHO}


@dataclass(frozen=True, slots=True)
class Call:
    """One judge's call: how it ended, how long it took (seconds), and what it cost in millionths of a US dollar."""

    judge: str
    result: CallResult
    seconds: float
    cost: int = 0
    ruling: Ruling | None = None
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over the wire, already bounded in size."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question in time: a ruling or none. `late` tells that a judge still thinks, `suspicious` that one
    answered as the text may have wanted it to, `spent` that nobody was asked for want of money.
    """

    ruling: Ruling | None
    calls: tuple[Call, ...] = ()
    late: bool = False
    suspicious: bool = False
    spent: bool = False


class TransportError(Exception):
    """No usable answer came; `result` says why. Never holds what was sent or received."""

    def __init__(self, result: CallResult) -> None:
        self.result = result
        super().__init__(result)


class Transport(Protocol):
    """One judge's wire, with its credential: filled by the proxy, since HTTP lives there."""

    async def post(self, path: str, body: bytes) -> Reply:
        """Send a JSON body to `path` below the endpoint. Raises TransportError. Follows no redirect."""

    async def close(self) -> None: ...


class Expense(Protocol):
    def settle(self, cost: int) -> None:
        """Say what a call that was paid for in advance really cost (millionths of a US dollar)."""


class Purse(Protocol):
    """One tenant's budget for judges, in money and calls."""

    async def take(self, cost: int) -> Expense | None:
        """Take one call that may cost this much, or return None where the budget is spent."""


class SharedBreakers(Protocol):
    """What all workers know together of a judge that fails. Nothing is known where the store is away: no method raises.

    `name` tells judges apart by what they are, not by what they are called.
    """

    async def seconds_open(self, name: str) -> float:
        """Return for how many more seconds nobody should ask; 0 where somebody may."""

    async def may_try(self, name: str, seconds: float) -> bool:
        """Claim the one trial after an opening, for at most `seconds`."""

    async def failed(self, name: str, threshold: int, recovery: float) -> float:
        """Count a failure of any worker; return for how many seconds the judge is now left alone."""

    async def answered(self, name: str) -> None:
        """Forget all failures."""


class JudgeCounts(Protocol):
    """What is counted of calls, in the proxy's metrics."""

    def call(self, call: Call) -> None: ...
    def agreement(self, shadow: Call, obeyed: Ruling) -> None: ...
