"""A control plane without its port: real stores, two tenants that have one of everything, and whoever asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from detectors.errors import OperationError
from proxy.control.access.matrix import MATRIX
from proxy.control.access.types import AdminRole, Principal
from proxy.control.catalogue import all_operations
from proxy.control.operations import perform
from proxy.control.parts import ControlParts
from storage.types import Tenant


def principal(role: AdminRole, tenant: Tenant | None = None, name: str = "ada", number: int = 1) -> Principal:
    own = None if tenant is None else tenant.id
    slug = None if tenant is None else tenant.slug
    return Principal("user", number, name, role, own, slug, MATRIX[role], "192.0.2.7", None, True)


@dataclass(frozen=True, slots=True)
class House:
    """`parts`, and two tenants."""

    parts: ControlParts
    acme: Tenant
    globex: Tenant

    @property
    def chief(self) -> Principal:
        return principal(AdminRole.PLATFORM_ADMIN)

    def admin(self, tenant: Tenant | None = None, name: str = "ada") -> Principal:
        return principal(AdminRole.TENANT_ADMIN, tenant or self.acme, name)

    async def do(
        self,
        operation: str,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        *,
        by: Principal | None = None,
    ) -> Any:
        """Perform an operation by its id, as a tenant admin of acme unless somebody else is named."""
        answer = await perform(
            self.parts, by or self.admin(), all_operations()[operation], names=names or {}, query=query, body=body
        )
        assert isinstance(answer, all_operations()[operation].answer)
        assert isinstance(answer, BaseModel)
        return answer


@contextmanager
def refused(
    status: int, code: str | None = None, field: str | None = None
) -> Iterator[pytest.ExceptionInfo[OperationError]]:
    with pytest.raises(OperationError) as caught:
        yield caught
    assert caught.value.status == status, caught.value
    assert code in {None, caught.value.code}
    assert field in {None, caught.value.field}
