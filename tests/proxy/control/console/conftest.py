"""The console's pages as a server has them, before operations that answer what a test wants, for whom it wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel

from detectors.errors import AccessError, OperationError
from proxy.control.access.matrix import MATRIX
from proxy.control.access.types import AdminRole, Principal
from proxy.control.console import mount as mounting
from proxy.control.console import page as paging
from proxy.control.console.assets import Assets
from proxy.control.console.rendering import Rendering
from proxy.control.operations import Operation
from tests.proxy.control.console.made_up import HOSTILE, made_up

CSRF = "a-token"


def principal(role: AdminRole, tenant: str | None = None, name: str = "ada") -> Principal:
    return Principal(
        kind="user", id=1, name=name, role=role, tenant_id=None if tenant is None else 7, tenant=tenant,
        granted=MATRIX[role], csrf=CSRF,
    )  # fmt: skip


@dataclass(slots=True)
class Stage:
    """Who looks, what operations say, and what was asked of them."""

    principal: Principal | None = field(default_factory=lambda: principal(AdminRole.PLATFORM_ADMIN))
    text: str = "plain"
    answers: dict[str, BaseModel | OperationError] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    must_choose_password: bool = False
    asked: list[tuple[str, Mapping[str, str], Any, Any]] = field(default_factory=list)

    async def perform(
        self,
        _parts: object,
        _who: Principal,
        operation: Operation,
        *,
        names: Any = (),
        query: Any = None,
        body: Any = None,
    ) -> BaseModel:
        self.asked.append((operation.id, dict(names), query, body))
        answer = self.answers.get(operation.id)
        if isinstance(answer, OperationError):
            raise answer
        return answer or made_up(operation.answer, self.text, **self.fixed)

    async def principal_of(self, _access: object, request: web.Request) -> Principal:
        if self.principal is None:
            raise AccessError(401, "unauthenticated", "Sign in first.")
        if self.must_choose_password:
            raise AccessError(403, "password_change_required", "Choose a password of your own first: /account.")
        if request.method == "POST" and (await request.post()).get("csrf") != CSRF:
            raise AccessError(403, "csrf", "This form is out of date.")
        return self.principal

    def sent(self, operation: str) -> Any:
        """Return the body that an operation was last asked with."""
        return next(body for id_, _, _, body in reversed(self.asked) if id_ == operation)

    def become(self, role: AdminRole, tenant: str | None = None) -> None:
        self.principal = principal(role, tenant)

    def be_hostile(self) -> None:
        self.text = HOSTILE
        assert self.principal is not None
        self.principal = replace(self.principal, name=HOSTILE)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(paging, "perform", stage.perform)
    monkeypatch.setattr(mounting, "perform", stage.perform)
    monkeypatch.setattr(mounting, "principal_of", stage.principal_of)
    return stage


@pytest.fixture(scope="session")
def rendering() -> Rendering:
    """Templates are compiled once for all tests."""
    return Rendering(Assets())


@pytest.fixture
async def console(
    stage: Stage, rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    monkeypatch.setattr(mounting, "Rendering", lambda _assets: rendering)
    app = web.Application()
    parts = SimpleNamespace(access=None, settings=SimpleNamespace(four_eyes=True))
    mounting.mount_console(app, cast("Any", parts))
    async with TestClient(TestServer(app)) as client:
        yield client
