"""What each role may do, as data: the table in docs/access.md is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from proxy.control.access.types import AdminRole, Permission

_ALL: Final = frozenset(Permission)
_READ: Final = frozenset(permission for permission in Permission if permission.endswith(":read"))

# Stored prompts and answers are read by those who work with them: an auditor's task is what was decided and done.
_AUDITOR: Final = _READ - {Permission.BODIES_READ}
# Whose tokens count as whose is for the platform to say: a tenant could name the issuer of another.
_TENANT_ADMIN: Final = _ALL - {
    Permission.TENANTS_WRITE,
    Permission.TENANTS_PURGE,
    Permission.JUDGES_WRITE,
    Permission.ISSUERS_WRITE,
}
_ANALYST: Final = frozenset(
    {
        Permission.TENANTS_READ,
        Permission.APPS_READ,
        Permission.KEYS_READ,
        Permission.POLICIES_READ,
        Permission.POLICIES_WRITE,
        Permission.EXCLUSIONS_READ,
        Permission.EXCLUSIONS_WRITE,
        Permission.REVIEWS_READ,
        Permission.REVIEWS_WRITE,
        Permission.DECISIONS_READ,
        Permission.BODIES_READ,
        Permission.USAGE_READ,
        Permission.JUDGES_READ,
        Permission.INCIDENTS_READ,
        Permission.INCIDENTS_WRITE,
    }
)

MATRIX: Final[Mapping[AdminRole, frozenset[Permission]]] = MappingProxyType(
    {
        AdminRole.PLATFORM_ADMIN: _ALL,
        AdminRole.TENANT_ADMIN: _TENANT_ADMIN,
        AdminRole.ANALYST: _ANALYST,
        AdminRole.AUDITOR: _AUDITOR,
    }
)


def matrix_table() -> str:
    """Return the matrix as a Markdown table: a row for each permission, a column for each role."""
    roles = list(MATRIX)
    lines = [f"| permission | {' | '.join(roles)} |", f"|---|{'---|' * len(roles)}"]
    for permission in Permission:
        marks = ("✓" if permission in MATRIX[role] else "" for role in roles)
        lines.append(f"| `{permission}` | {' | '.join(marks)} |")
    return "\n".join(lines)
