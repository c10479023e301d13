"""What a page of the console is, and one look at it: who looks, what was typed, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel

from detectors.errors import OperationError
from proxy.control.access.types import Permission, Principal
from proxy.control.console.forms import Filled, Wrong
from proxy.control.console.rendering import Rendering
from proxy.control.operations import Operation, perform
from proxy.control.parts import ControlParts

Answer = TypeVar("Answer", bound=BaseModel)
FRAGMENT: Final = "X-Console-Fragment"


@dataclass(frozen=True, slots=True)
class Console:
    """What all pages share."""

    parts: ControlParts
    operations: Mapping[str, Operation]
    rendering: Rendering


@dataclass(slots=True)
class Visit:
    """One request for a page. `typed` is what its form sent, `wrong` what was the matter with that."""

    console: Console
    principal: Principal
    request: web.Request
    csrf: str
    typed: MultiMapping[str]
    wrong: Wrong | None = None
    tenants: Sequence[Any] = field(default=())
    _sent: Filled | None = None

    @property
    def tenant(self) -> str | None:
        """Return the slug that the page is about, None for all tenants."""
        return self.principal.tenant or self.request.query.get("tenant") or None

    @property
    def doing(self) -> str:
        """Return which form of the page was sent."""
        return str(self.typed.get("do", ""))

    def name(self, part: str) -> str:
        """Return a part of the page's address."""
        return str(self.request.match_info[part])

    def may(self, permission: str) -> bool:
        """Tell whether a button for it is worth showing; `perform` decides."""
        return self.principal.may(Permission(permission), self.principal.tenant_id)

    async def ask(
        self,
        operation: str,
        answer: type[Answer],
        *,
        names: Mapping[str, str] = MappingProxyType({}),
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Answer:
        """Do an operation for who looks. Raises OperationError."""
        done = await perform(
            self.console.parts, self.principal, self.console.operations[operation], names=names, query=query, body=body
        )
        assert isinstance(done, answer)  # noqa: S101 - the operation declares it
        return done

    async def look(self, operation: str, answer: type[Answer], **asked: Any) -> Answer | None:
        """Ask for a part of a page that shows the rest where that part may not be seen or is not there.

        What the role does not have is not asked for, so that looking at a page leaves no denials in the audit.
        """
        wanted = self.console.operations[operation]
        if not self.may(wanted.permission) or (wanted.platform and self.principal.tenant_id is not None):
            return None
        try:
            return await self.ask(operation, answer, **asked)
        except OperationError as exc:
            if exc.status not in {403, 404, 409}:
                raise
            return None

    async def attempt(self, operation: str, answer: type[Answer], **asked: Any) -> Answer | None:
        """Do what a form asks for; what is wrong with it is kept for the form, and None returned."""
        try:
            return await self.ask(operation, answer, **asked)
        except OperationError as exc:
            self.wrong = Wrong(self.doing, exc.status, exc.message, exc.field, exc.problems)
            return None

    def filled(self, form: str) -> Filled:
        """Return what stands in a form of the page: what was typed, and what was wrong with it."""
        if self.doing != form:
            return Filled(None, None)
        if self._sent is None:
            self._sent = Filled(self.typed, self.wrong)
        return self._sent

    @property
    def untold(self) -> str:
        """Return what was wrong if the page, as it is by now, does not have the form beside which it would stand."""
        if self.wrong is None or (self._sent is not None and self._sent.is_told):
            return ""
        return Filled(self.typed, self.wrong).rest()

    def sent(self, *names: str, lists: Sequence[str] = ()) -> dict[str, Any]:
        """Return fields of the form as a body: empty ones left out; `lists` are split at commas, spaces and lines."""
        one = {name: text for name in names if (text := str(self.typed.get(name, "")).strip())}
        many = {name: items for name in lists if (items := _items(self.typed.getall(name, [])))}
        return one | many

    def page(self, template: str, title: str, **values: Any) -> web.Response:
        """Return a page; or, where the script asks for it, only the part of it that changes by itself."""
        shown = self.wrong.status if self.wrong else 200
        values |= {"visit": self, "title": title, "tenant": self.tenant, "path": self.request.path}
        fragment = self.request.headers.get(FRAGMENT, "")
        return self.console.rendering.response(template, values, shown, fragment)

    def go(self, path: str, said: str = "", **query: str | None) -> web.Response:
        """Send the browser on to a page of ours, which will say that it was done."""
        return web.Response(status=303, headers={"Location": self.link(path, said=said or None, **query)})

    def link(self, path: str, **query: str | int | None) -> str:
        """Return an address of the console that keeps to the tenant one looks at."""
        chosen = {"tenant": None if self.principal.tenant else self.tenant} | query
        given = {key: str(value) for key, value in chosen.items() if value not in {None, ""}}
        return f"{quote(path)}?{urlencode(given)}" if given else quote(path)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its address, how it is shown, and what each of its forms does, by the value of the field `do`."""

    path: str
    show: Callable[[Visit], Awaitable[web.Response]]
    forms: Mapping[str, Callable[[Visit], Awaitable[web.Response]]] = field(default_factory=dict)
    needs_tenant: bool = False


def _items(texts: Sequence[str]) -> list[str]:
    return [item for text in texts for item in text.replace(",", " ").split()]
