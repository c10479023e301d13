"""The words of access: roles, permissions, and who asks (Principal)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal


class AdminRole(StrEnum):
    """What somebody is to the firewall. Tenant admins and analysts belong to one tenant, platform admins to none, and
    auditors to one, or to none and so to all.
    """

    PLATFORM_ADMIN = "platform_admin"
    TENANT_ADMIN = "tenant_admin"
    AUDITOR = "auditor"
    ANALYST = "analyst"


class Permission(StrEnum):
    """`<resource>:<verb>`. `read` looks, `write` changes what is there or makes it, unless a finer verb stands here."""

    TENANTS_READ = "tenants:read"
    TENANTS_WRITE = "tenants:write"
    TENANTS_PURGE = "tenants:purge"
    APPS_READ = "apps:read"
    APPS_WRITE = "apps:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    KEYS_READ = "keys:read"
    KEYS_CREATE = "keys:create"
    KEYS_WRITE = "keys:write"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    POLICIES_ACTIVATE = "policies:activate"
    EXCLUSIONS_READ = "exclusions:read"
    EXCLUSIONS_WRITE = "exclusions:write"
    REVIEWS_READ = "reviews:read"
    REVIEWS_WRITE = "reviews:write"
    DECISIONS_READ = "decisions:read"
    BODIES_READ = "bodies:read"
    USAGE_READ = "usage:read"
    JUDGES_READ = "judges:read"
    JUDGES_WRITE = "judges:write"
    INCIDENTS_READ = "incidents:read"
    INCIDENTS_WRITE = "incidents:write"
    AUDIT_READ = "audit:read"
    SERVICE_ACCOUNTS_READ = "service-accounts:read"
    SERVICE_ACCOUNTS_WRITE = "service-accounts:write"
    ISSUERS_READ = "issuers:read"
    ISSUERS_WRITE = "issuers:write"


PLATFORM_ROLES: Final = frozenset({AdminRole.PLATFORM_ADMIN, AdminRole.AUDITOR})  # which need no tenant
PrincipalKind = Literal["user", "service_account", "first_admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as of this request. `tenant_id` and `tenant` (its slug) are None for the platform's own.

    `csrf` is what the forms of a session in a browser must carry, empty for who needs none.
    `name` is what the audit and pages show; `granted` is what the matrix gives the role, less what the conditions of
    access withhold at this moment; `session` names the sign-in, None for what has none.
    """

    kind: PrincipalKind
    id: int
    name: str
    role: AdminRole
    tenant_id: int | None
    tenant: str | None
    granted: frozenset[Permission]
    network: str = ""
    session: str | None = None
    second_factor: bool = False
    csrf: str = ""

    def may(self, permission: Permission, tenant_id: int | None) -> bool:
        """Tell whether that is allowed in a tenant, or with None on the platform as a whole."""
        return permission in self.granted and self.sees(tenant_id)

    def sees(self, tenant_id: int | None) -> bool:
        """Tell whether a tenant, or with None what concerns all of them, is within this one's reach."""
        return self.tenant_id is None or self.tenant_id == tenant_id
