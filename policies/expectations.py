"""What a policy's tests say: a text, a conversation or a whole request, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from detectors.documents import nearest
from detectors.types import Origin
from policies.facts import Facts
from policies.schema_words import TEXT, Strict

_TEXTS: Final = ("user", "tool", "document", "system", "assistant")
_FACTS: Final = tuple(field.name for field in fields(Facts) if field.name != "at")
Expected = Literal["allow", "flag", "pseudonymise", "mask", "block"]


def _moment(value: object) -> object:
    """A day or a moment, UTC unless it says otherwise, as epoch seconds."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("expected a day or a moment such as 2027-03-01 or 2027-03-01T22:30") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


Moment = Annotated[float, BeforeValidator(_moment), TEXT]


def _known_facts(value: object) -> object:
    if isinstance(value, Mapping):
        for name in value:
            if name not in _FACTS:
                raise ValueError(f"unknown fact '{name}'{nearest(str(name), _FACTS)}")
    return value


class TurnDocument(Strict):
    """One message of a conversation: exactly one author and what it says."""

    user: str | None = None
    tool: str | None = None
    document: str | None = None
    system: str | None = None
    assistant: str | None = None

    @model_validator(mode="after")
    def _one_text(self) -> TurnDocument:
        if sum(getattr(self, name) is not None for name in _TEXTS) != 1:
            raise ValueError(f"a message has exactly one of {', '.join(_TEXTS)}")
        return self

    @property
    def text(self) -> tuple[Origin, str]:
        """Return who wrote it, and what."""
        name = next(name for name in _TEXTS if getattr(self, name) is not None)
        return Origin.parse(name), getattr(self, name)


class RequestDocument(Strict):
    """A whole request as an app sends it, of any dialect that has a codec."""

    path: Annotated[str, Field(pattern=r"^/")]
    method: Literal["POST", "GET", "DELETE"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any]


class TestDocument(Strict):
    """What is judged, under which circumstances, and what the policy must make of it.

    `content` is the keyed hash that the decision log has of the text, for exclusions that name it. `rule` is one that
    must ask for what is done, `masked` the text after all edits, several by pointer.
    """

    __test__ = False  # not a test class of our own suite
    name: str
    user: str | None = None
    tool: str | None = None
    document: str | None = None
    system: str | None = None
    assistant: str | None = None
    answer: str | None = None  # `{canary}` in it stands for the tenant's canary
    conversation: Annotated[tuple[TurnDocument, ...], Field(min_length=1)] | None = None
    request: RequestDocument | None = None
    at: Moment | None = None  # default: now
    facts: Annotated[dict[str, Any], BeforeValidator(_known_facts)] | None = None
    content: Annotated[str, Field(pattern=r"^hmac:[0-9a-f]{32}$")] | None = None
    expect: Expected
    rule: str | None = None
    masked: str | dict[str, str] | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> TestDocument:
        kinds = (*_TEXTS, "answer", "conversation", "request")
        given = [name for name in kinds if getattr(self, name) is not None]
        if len(given) != 1 and given != ["answer", "conversation"]:
            raise ValueError(f"a test has exactly one of {', '.join(kinds)}, or an answer and its conversation")
        return self

    @property
    def turns(self) -> tuple[tuple[Origin, str], ...]:
        """Return who wrote what before any answer, oldest first; nothing for a whole request."""
        if self.conversation is not None:
            return tuple(turn.text for turn in self.conversation)
        return tuple((Origin.parse(n), text) for n in _TEXTS if (text := getattr(self, n)) is not None)


class TestFileDocument(Strict):
    """A file of tests beside a policy: `acme.tests.yaml` belongs to `acme.yaml` unless it names another."""

    __test__ = False
    policy: str | None = None
    tests: Annotated[tuple[TestDocument, ...], Field(min_length=1)]
