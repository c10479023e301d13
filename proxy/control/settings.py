"""`control:` of promptshield.yaml: where the control plane listens, who signs in there, how, and from where."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, model_validator

from policies.rule_schema import TimeDocument
from policies.schema_words import AnyListed, Networks
from proxy.base_urls import BaseUrl, OptionalBaseUrl
from proxy.control.access.types import PLATFORM_ROLES, AdminRole, Permission
from proxy.edge_settings import Listener

ANY: Final = "*"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleMapping(Strict):
    """Who has `value` in the claim `claim` (or as one of its list) has `role`, in the tenant of that slug if any."""

    claim: str = Field(min_length=1)
    value: str = Field(min_length=1)
    role: AdminRole
    tenant: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.role is AdminRole.PLATFORM_ADMIN and self.tenant is not None:
            raise ValueError("a platform_admin belongs to no tenant")
        if self.role not in PLATFORM_ROLES and self.tenant is None:
            raise ValueError(f"a role of {self.role} needs a tenant")
        return self


class OidcSettings(Strict):
    """A provider of sign-ins (OpenID Connect). Of `roles` the first that fits counts; whom none fits is turned away.

    Only public addresses over HTTPS are asked, unless `allow_networks` names the provider's.
    `second_factor_claims` are values of `amr` that tell of a second factor at the provider (RFC 8176).
    """

    issuer: BaseUrl
    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1, repr=False)
    name: str = "single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    roles: Annotated[tuple[RoleMapping, ...], Field(min_length=1)]
    allow_networks: tuple[IPvAnyNetwork, ...] = ()
    second_factor_claims: tuple[str, ...] = ("mfa", "otp", "hwk", "swk", "fpt", "face")
    timeout: float = Field(default=10, gt=0)


def _permission(text: str) -> str:
    """A permission, `users:*`, `*:write` or `*`."""
    resource, _, verb = text.partition(":")
    known = [permission.split(":") for permission in Permission]
    if text != ANY and not any(resource in {ANY, one} and verb in {ANY, other} for one, other in known):
        raise ValueError("expected a permission such as users:write, users:*, *:write or *")
    return text


PermissionPattern = Annotated[str, AfterValidator(_permission)]


class ConditionSettings(Strict):
    """`roles` (default: all) have `permissions` (default: all) only where everything else that is given here holds."""

    roles: Annotated[tuple[AdminRole, ...], *AnyListed] = tuple(AdminRole)
    permissions: Annotated[tuple[PermissionPattern, ...], *AnyListed] = (ANY,)
    network: Networks = ()
    not_network: Networks = ()
    time: TimeDocument | None = None
    second_factor: bool = False

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.network or self.not_network or self.time or self.second_factor):
            raise ValueError("a condition asks for network, not_network, time or second_factor")
        return self


class SessionSettings(Strict):
    """Seconds: a session in a browser ends after so long without a request (`idle`), any after `absolute`."""

    idle: float = Field(default=1800, gt=0)
    absolute: float = Field(default=43_200, gt=0)


class ControlSettings(Listener):
    """Where the control plane listens: to this machine only, unless said otherwise.

    `url` is how browsers reach it, if something in front speaks TLS; `proxies` are whose X-Forwarded-For is believed;
    `cors` lists origins of other sites whose scripts may call the API with a bearer token.
    """

    port: int = Field(default=8001, ge=0, le=65535)
    url: OptionalBaseUrl = ""
    proxies: tuple[IPvAnyNetwork, ...] = ()
    cors: tuple[BaseUrl, ...] = ()
    sessions: SessionSettings = SessionSettings()
    oidc: OidcSettings | None = None
    conditions: tuple[ConditionSettings, ...] = ()
