"""The matrix of roles, and that docs/access.md shows it as it is."""

from __future__ import annotations

from pathlib import Path

from proxy.control.access.matrix import MATRIX, matrix_table
from proxy.control.access.types import AdminRole, Permission

DOCUMENT = Path(__file__).parents[4] / "docs" / "access.md"
MANAGE = {Permission.USERS_WRITE, Permission.KEYS_CREATE, Permission.KEYS_WRITE, Permission.SERVICE_ACCOUNTS_WRITE}


def test_every_role_and_permission_has_its_place() -> None:
    assert MATRIX.keys() == set(AdminRole)
    assert MATRIX[AdminRole.PLATFORM_ADMIN] == set(Permission)
    assert all(any(permission in granted for granted in MATRIX.values()) for permission in Permission)


def test_an_auditor_reads_only() -> None:
    assert all(permission.endswith(":read") for permission in MATRIX[AdminRole.AUDITOR])
    assert Permission.AUDIT_READ in MATRIX[AdminRole.AUDITOR]
    assert Permission.BODIES_READ not in MATRIX[AdminRole.AUDITOR]


def test_an_analyst_manages_no_users_and_no_keys() -> None:
    assert not MANAGE & MATRIX[AdminRole.ANALYST]
    assert Permission.POLICIES_ACTIVATE not in MATRIX[AdminRole.ANALYST]


def test_a_tenant_admin_makes_and_purges_no_tenants() -> None:
    granted = MATRIX[AdminRole.TENANT_ADMIN]
    assert granted >= MANAGE
    assert (
        not {Permission.TENANTS_WRITE, Permission.TENANTS_PURGE, Permission.JUDGES_WRITE, Permission.ISSUERS_WRITE}
        & granted
    )


def test_the_document_shows_the_matrix() -> None:
    assert matrix_table() in DOCUMENT.read_text()
