"""What a policy's tests say: a text, a conversation or a whole request, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from detectors.documents import nearest
from detectors.types import Origin
from policies.types import Facts

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


def _known_facts(value: object) -> object:
    if isinstance(value, Mapping):
        for name in value:
            if name not in _FACTS:
                raise ValueError(f"unknown fact '{name}'{nearest(str(name), _FACTS)}")
    return value


def _absent(value: object) -> bool:
    return value is None


def _later(**more: Any) -> Any:
    """A key that came later: left out of what revisions are made of where it is not given."""
    return Field(default=None, exclude_if=_absent, **more)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TurnDocument(_Strict):
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


class RequestDocument(_Strict):
    """A whole request as an app sends it, of any dialect that has a codec."""

    path: Annotated[str, Field(pattern=r"^/")]
    method: Literal["POST", "GET", "DELETE"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any]


class TestDocument(_Strict):
    """What is judged, under which circumstances, and what the policy must make of it."""

    __test__ = False  # not a test class of our own suite
    name: str
    user: str | None = None
    tool: str | None = None
    document: str | None = None
    system: str | None = None
    assistant: str | None = None
    answer: str | None = _later(description="What a model answers; `{canary}` in it stands for the tenant's canary.")
    conversation: Annotated[tuple[TurnDocument, ...], Field(min_length=1)] | None = _later()
    request: RequestDocument | None = _later()
    at: Annotated[float, BeforeValidator(_moment)] | None = _later(description="When it is judged (default: now).")
    facts: Annotated[dict[str, Any], BeforeValidator(_known_facts)] | None = _later()
    content: Annotated[str, Field(pattern=r"^hmac:[0-9a-f]{32}$")] | None = _later(
        description="The keyed hash that the decision log has of the text, for exclusions that name it."
    )
    expect: Expected
    rule: str | None = _later(description="The policy's rule that must have decided.")
    masked: str | dict[str, str] | None = _later(description="The text after all edits; several by pointer.")

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


class TestFileDocument(_Strict):
    """A file of tests beside a policy: `acme.tests.yaml` belongs to `acme.yaml` unless it names another."""

    __test__ = False
    policy: str | None = None
    tests: Annotated[tuple[TestDocument, ...], Field(min_length=1)]
