"""Issuers whose tokens a tenant's apps may show, as they are sent and shown."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from proxy.control.fields import Line, Moment, Name, Sent, Shown


class NewIssuer(Sent):
    """Keys at `jwks_url`, or in `jwks`. `claims` must be, or hold, these values; `tenant_claim` the tenant's slug;
    `app_claim` names an app, without it all tokens are of the app `default`; `role_claim` names a role, or several.
    """

    issuer: Name
    audience: Name
    jwks_url: Annotated[str, Field(max_length=500)] | None = None
    jwks: dict[str, Any] | None = None
    claims: Annotated[dict[Name, Line], Field(max_length=20, default_factory=dict)]
    tenant_claim: Line = ""
    app_claim: Line = ""
    role_claim: Line = ""


class ShownIssuer(Shown):
    id: int
    issuer: str
    audience: str
    jwks_url: str | None
    jwks: dict[str, Any] | None
    claims: dict[str, str]
    tenant_claim: str
    app_claim: str
    role_claim: str
    created_at: Moment


class IssuerList(Shown):
    items: list[ShownIssuer]
    next: None = None
