"""What the control plane can do, and the only way to do it: who may, on whose behalf, and a note of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, cast

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from detectors.complaints import in_plain_words
from detectors.errors import OperationError, PolicyError, StorageError, UnavailableError
from proxy.control.access.audit import record
from proxy.control.access.types import Permission, Principal
from proxy.control.fields import escape_invisible, read_id
from proxy.control.parts import ControlParts
from storage.tenants.tenancy import Tenancy, TenantState

JsonObject = dict[str, Any]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Model = TypeVar("Model", bound=BaseModel)
_LOG: Final = structlog.get_logger("promptshield.control")
_LONGEST_NAME: Final = 200
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(slots=True)
class Call:
    """One call of an operation. `tenant` is whose matters it is about, None for a platform principal who named none.

    What a change was is told with `note`, for the admin audit.
    """

    parts: ControlParts
    principal: Principal
    names: Mapping[str, str] = field(default_factory=dict)
    tenant: TenantState | None = None
    query: BaseModel | None = None
    body: BaseModel | None = None
    target: str = ""
    before: JsonObject | None = None
    after: JsonObject | None = None

    @property
    def tenant_id(self) -> int | None:
        return None if self.tenant is None else self.tenant.id

    def the_tenant(self) -> TenantState:
        """Return the tenant of an operation that has one in its path."""
        if self.tenant is None:
            raise OperationError(422, "tenant_needed", "Name a tenant.", "tenant")
        return self.tenant

    def hold_to_living(self) -> None:
        """Raises OperationError 409 where the call is about a tenant that is deleted."""
        if self.tenant is not None and self.tenant.deleted_at is not None:
            raise OperationError(409, "refused", "The tenant is deleted.")

    async def concerns(self, tenant_id: int) -> None:
        """Say whose matter it turned out to be, where nobody named a tenant: the audit is told, and its readers."""
        if self.tenant is None:
            self.tenant = await Tenancy(self.parts.database).by_id(tenant_id)

    def asked(self, model: type[Model]) -> Model:
        """Return the query as the model that the operation declares."""
        assert isinstance(self.query, model)  # noqa: S101 - `perform` has validated it with the operation's own model
        return self.query

    def sent(self, model: type[Model]) -> Model:
        """Return the body as the model that the operation declares."""
        assert isinstance(self.body, model)  # noqa: S101 - likewise
        return self.body

    def number(self, name: str) -> int:
        """Return an id of the path as a number. Raises OperationError 404 for what can be none."""
        number = read_id(self.names[name])
        if number is None:
            raise not_found()
        return number

    def note(self, target: str, *, before: JsonObject | None = None, after: JsonObject | None = None) -> None:
        """Say what was changed, without any secret; before and after as far as they differ."""
        self.target, self.before, self.after = target, before, after


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do. `{tenant}` in its path, or `tenant` in its query, is a slug.

    `platform`: not for principals of a tenant. `noted`: whether the admin audit has a line of it; by default what
    changes anything, which is all but GET. `of_deleted`: whether it may be done to a tenant that is deleted; by default
    what changes nothing, or ends something.
    """

    id: str
    method: Method
    path: str
    permission: Permission
    summary: str
    answer: type[BaseModel]
    run: Callable[[Call], Awaitable[BaseModel]]
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    platform: bool = False
    noted: bool | None = None
    of_deleted: bool | None = None

    @property
    def is_noted(self) -> bool:
        return self.method != "GET" if self.noted is None else self.noted

    @property
    def is_of_deleted(self) -> bool:
        return not self.is_noted or self.method in {"GET", "DELETE"} if self.of_deleted is None else self.of_deleted


async def perform(
    parts: ControlParts,
    principal: Principal,
    operation: Operation,
    *,
    names: Mapping[str, str] = _NOTHING,
    query: Mapping[str, Any] | BaseModel | None = None,
    body: Any = None,
    strict: bool = False,
) -> BaseModel:
    """Do what `operation` says for `principal`, if he may, and note it in the admin audit.

    `names` are those of the path; `query` and `body` may be models, or what they are made of; a `strict` body is JSON,
    in which `true` is no number and a number no text. Raises OperationError:
    404 for whatever the principal may not know of, 403 for what he may not do where he is, 422 naming the field, 409
    where its tenant is deleted.
    """
    if not all(value.isprintable() and len(value) <= _LONGEST_NAME for value in names.values()):
        raise not_found()
    call = Call(parts, principal, names)
    call.query = _read(operation.query, query if query is not None else {}, "query")
    call.tenant = await _tenant(call, operation)
    if not principal.may(operation.permission, call.tenant_id if call.tenant is not None else principal.tenant_id):
        await _note_denial(call, operation)
        raise OperationError(403, "not_allowed", f"Your role ({principal.role}) does not have {operation.permission}.")
    call.body = _read(operation.body, body, "body", strict=strict)
    if not operation.is_of_deleted and "tenant" in call.names:
        call.hold_to_living()
    try:
        answer = await operation.run(call)
    except OperationError as exc:
        if exc.status == 404 and principal.tenant_id is not None:  # whoever tries others' numbers is to be seen
            await _note_denial(call, operation)
        raise
    except (PolicyError, StorageError) as exc:
        raise refusal_of(exc) from exc
    if operation.is_noted:
        await _note(call, operation)
    return answer


def not_found() -> OperationError:
    """Return the one answer to all that is not there or not to be known."""
    return OperationError(404, "not_found", "There is nothing by this name.")


def refusal_of(exc: PolicyError | StorageError) -> OperationError:
    """Return what to tell a caller of an error below; its words are for operators and hold nobody's text."""
    if isinstance(exc, PolicyError):
        return OperationError(422, "invalid_policy", exc.problem, "content", exc.problems)
    if isinstance(exc, UnavailableError):
        return OperationError(503, "unavailable", "The database cannot be asked at the moment.")
    return OperationError(409, "refused", str(exc))


def shown(answer: BaseModel) -> bytes:
    """Return an answer as JSON without characters that a terminal obeys."""
    return escape_invisible(answer.model_dump_json().encode())


def _read(model: type[BaseModel] | None, given: Any, part: str, *, strict: bool = False) -> BaseModel | None:
    """Raises OperationError 422 with the first field that is wrong; never quotes a value."""
    if model is None:
        if given:
            raise OperationError(422, "unknown_field", f"This operation takes no {part}.", _first(given))
        return None
    if isinstance(given, model):
        return given
    try:
        given = given if given is not None else {}
        return model.model_validate_json(orjson.dumps(given), strict=True) if strict else model.model_validate(given)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])[:200]
        raise OperationError(422, "invalid_field", in_plain_words(first), place or part) from exc


def _first(given: Any) -> str | None:
    return str(next(iter(given)))[:200] if isinstance(given, Mapping) else None


async def _tenant(call: Call, operation: Operation) -> TenantState | None:
    """Return whose matters a call is about. Raises OperationError 404.

    Whether a slug is nobody's or somebody else's, the same is done and the same is said.
    """
    own = call.principal.tenant_id
    if operation.platform and own is not None:
        await _note_denial(call, operation)
        raise OperationError(403, "not_allowed", "This is for administrators of the platform.")
    slug = call.names.get("tenant") or cast("str | None", getattr(call.query, "tenant", None))
    if slug is None and own is None:
        return None
    try:
        tenancy = Tenancy(call.parts.database)
        found = await (tenancy.find(slug) if slug is not None else tenancy.by_id(own or 0))
    except StorageError as exc:
        raise refusal_of(exc) from exc
    if own is not None and (found is None or found.id != own or found.deleted_at is not None):
        await _note_denial(call, operation)
        raise not_found()
    if found is None:
        raise not_found()
    return found


async def _note(call: Call, operation: Operation) -> None:
    target = call.target or "/".join(call.names.values())
    try:
        await record(
            call.parts.access,
            call.principal,
            operation.id,
            tenant_id=call.tenant_id,
            target=target,
            before=call.before,
            after=call.after,
            network=call.principal.network,
        )
    except StorageError as exc:
        _LOG.error("an operation was done and could not be noted", operation=operation.id, problem=str(exc))
        raise OperationError(503, "unavailable", "It was done, but the admin audit could not note it.") from exc


async def _note_denial(call: Call, operation: Operation) -> None:
    """Never fails: what was denied stays denied."""
    left_out = call.parts.denials.admit(call.principal)
    if left_out is None:
        return
    try:
        await record(
            call.parts.access,
            call.principal,
            "denied",
            tenant_id=call.principal.tenant_id,
            target=operation.id,
            before=None,
            after={"not_noted_before": left_out} if left_out else None,
            network=call.principal.network,
        )
    except StorageError as exc:
        _LOG.error("a denial could not be noted", operation=operation.id, problem=str(exc))
