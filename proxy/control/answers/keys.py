"""API keys, as they are sent and shown. The key itself is shown once, in `MadeKey`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proxy.control.fields import AppName, Line, Moment, Page, Sent, SentMoment, Shown

Scope = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9 /*._:{}-]+$")]
ModelPattern = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=32)]
Models = Annotated[list[ModelPattern], Field(min_length=1, max_length=64)]


class NewKey(Sent):
    """`scopes` are patterns of a dialect (`openai`) or of a method and path (`POST /v1/chat/*`); `models` of models.

    An app has one live key unless `additional` says that this one is wanted beside others.
    """

    app: AppName = "default"
    name: Line = ""
    expires_at: SentMoment | None = None
    scopes: Scopes | None = None
    models: Models | None = None
    additional: bool = False


class KeyChange(Sent):
    """What is not given stays; null takes a limit away."""

    name: Line | None = None
    expires_at: SentMoment | None = None
    scopes: Scopes | None = None
    models: Models | None = None


class Rotation(Sent):
    """How long the old key works beside the new one."""

    overlap_minutes: Annotated[int, Field(ge=0, le=43_200)] = 60


class KeyQuery(Page):
    app: AppName | None = None
    state: Literal["live", "expired", "revoked"] | None = None


class ShownKey(Shown):
    """`prefix` is what may be seen of it. `rotated_to` is the key that takes its place."""

    id: int
    app: str
    prefix: str
    name: str
    state: Literal["live", "expired", "revoked"]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    scopes: list[str] | None
    models: list[str] | None
    rotated_to: int | None


class MadeKey(Shown):
    """`secret` is never shown again."""

    key: ShownKey
    secret: str


class KeyList(Shown):
    items: list[ShownKey]
    next: str | None
