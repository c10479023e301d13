"""The closed lists that detection speaks in: who wrote a text, which way it goes, what may be in it, who looks."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Direction(StrEnum):
    REQUEST = "request"
    RESPONSE = "response"


class Origin(StrEnum):
    """Who wrote a text."""

    USER = "user"
    TOOL = "tool"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL_DEFINITION = "tool_definition"
    METADATA = "metadata"
    UNKNOWN = "unknown"

    @classmethod
    def parse(cls, name: str) -> Origin:
        """Read an origin as written at the borders, where `document` means `tool`. Raises ValueError."""
        return cls.TOOL if name == "document" else cls(name)


# From least to most trusted; a seam takes the least trusted origin of its parts.
LEAST_TRUSTED_FIRST: tuple[Origin, ...] = (
    Origin.TOOL,
    Origin.UNKNOWN,
    Origin.USER,
    Origin.ASSISTANT,
    Origin.METADATA,
    Origin.TOOL_DEFINITION,
    Origin.SYSTEM,
)


class Kind(StrEnum):
    TEXT = "text"
    OPAQUE = "opaque"
    SEAM = "seam"


class Place(StrEnum):
    """What a text is in its document. A sealed one is a value under somebody's signature, read a second time: it may
    only become what was signed.
    """

    VALUE = "value"
    KEY = "key"
    NUMBER = "number"
    SEALED = "sealed"


class Category(StrEnum):
    PROMPT_INJECTION = "prompt_injection"
    JAILBREAK = "jailbreak"
    SYSTEM_PROMPT_LEAK = "system_prompt_leak"
    DATA_EXTRACTION = "data_extraction"
    EXFILTRATION = "exfiltration"
    OBFUSCATION = "obfuscation"
    HARMFUL_REQUEST = "harmful_request"
    CREDENTIAL = "credential"
    PII = "pii"
    LEAKAGE = "leakage"
    KEYWORD = "keyword"


ATTACK: frozenset[Category] = frozenset(
    {
        Category.PROMPT_INJECTION,
        Category.JAILBREAK,
        Category.SYSTEM_PROMPT_LEAK,
        Category.DATA_EXTRACTION,
        Category.EXFILTRATION,
        Category.OBFUSCATION,
    }
)
# What carries data out does it in an address, and nothing of an address leaves a stream before its end.
PHRASES: frozenset[Category] = ATTACK - {Category.EXFILTRATION}


class Severity(IntEnum):
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @classmethod
    def parse(cls, name: str) -> Severity:
        """Read `low`, `medium`, `high` or `critical`. Raises KeyError."""
        return cls[name.upper()]


class Stage(IntEnum):
    """A detector's cost tier; the chain runs them in this order. Those of the first compute, and wait for nothing;
    the last two cost so much that they look only at texts about which the others left it open.
    """

    PATTERN = 1
    MODEL = 2
    REFINER = 3
    JUDGE = 4

    @property
    def expensive(self) -> bool:
        return self >= Stage.REFINER


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class RunStatus(StrEnum):
    OK = "ok"
    TIMEOUT = "timeout"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    SKIPPED = "skipped"


class Unscanned(StrEnum):
    """Why nobody could look at a text."""

    MEDIA = "media"
    OVERSIZE = "oversize"
    DECODE_BUDGET = "decode_budget"
    TOKEN_IDS = "token_ids"  # noqa: S105 - a reason, not a secret
    EMBEDDING_TOKEN_IDS = "embedding_token_ids"  # noqa: S105 - the same where no model acts on them
