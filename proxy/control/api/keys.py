"""API keys of a tenant: make, see, limit, rotate, revoke."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from detectors.errors import OperationError
from proxy.control.access.types import Permission
from proxy.control.answers.keys import KeyChange, KeyList, KeyQuery, MadeKey, NewKey, Rotation, ShownKey
from proxy.control.fields import Moment
from proxy.control.operations import Call, Operation, not_found
from proxy.control.paging import next_after, number_after
from proxy.key_limits import unknown_scope
from storage.tenants.api_keys import ApiKey, ApiKeyStore, KeyLimits
from storage.tenants.key_book import KeyBook

_ALL: Final = "/api/v1/tenants/{tenant}/keys"
_ONE: Final = f"{_ALL}/{{key}}"


async def _list(call: Call) -> KeyList:
    query = call.asked(KeyQuery)
    found = await _book(call).page(after=number_after(query), limit=query.limit + 1, app=query.app, state=query.state)
    items = [_shown(key) for key in found[: query.limit]]
    return KeyList(items=items, next=next_after(found, query, lambda key: key.id))


async def _create(call: Call) -> MadeKey:
    new, tenant = call.sent(NewKey), call.the_tenant()
    _insist_on_future(new.expires_at)
    _insist_on_scopes(call, new.scopes)
    limits = KeyLimits(_patterns(new.scopes), _patterns(new.models))
    key_id, secret = await _store(call).create(
        tenant.slug, new.app, new.name, new.expires_at, limits, additional=new.additional
    )
    return await _made(call, key_id, secret)


async def _read(call: Call) -> ShownKey:
    return _shown(await _find(call))


async def _change(call: Call) -> ShownKey:
    change, key = call.sent(KeyChange), await _find(call)
    changes = change.model_dump(exclude_unset=True)
    _insist_on_future(changes.get("expires_at"))
    _insist_on_scopes(call, change.scopes)
    if changes.get("name", "") is None:
        raise OperationError(422, "invalid_field", "must be a text", "name")
    await _book(call).change(key, changes)
    before = {name: getattr(key, name) for name in changes}
    call.note(_target(call, key.id), before=_as_json(before), after=_as_json(changes))
    return _shown(await _find(call))


async def _rotate(call: Call) -> MadeKey:
    key, overlap = await _find(call), call.sent(Rotation).overlap_minutes
    new_id, secret = await _store(call).rotate(call.the_tenant().id, key.id, timedelta(minutes=overlap))
    answer = await _made(call, new_id, secret)
    call.note(_target(call, key.id), after={"rotated_to": new_id, "overlap_minutes": overlap})
    return answer


async def _revoke(call: Call) -> ShownKey:
    key = await _find(call)
    await _book(call).revoke(key.id)
    call.note(_target(call, key.id), before={"state": key.state(datetime.now(UTC))}, after={"state": "revoked"})
    return _shown(await _find(call))


async def _made(call: Call, key_id: int, secret: str) -> MadeKey:
    made = await _book(call).find(key_id)
    if made is None:
        raise not_found()
    shown = _shown(made)
    call.note(_target(call, key_id), after=shown.model_dump(mode="json", include={"app", "scopes", "models"}))
    return MadeKey(key=shown, secret=secret)


async def _find(call: Call) -> ApiKey:
    found = await _book(call).find(call.number("key"))
    if found is None:
        raise not_found()
    return found


def _insist_on_future(moment: Moment | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise OperationError(422, "invalid_field", "must lie in the future", "expires_at")


def _insist_on_scopes(call: Call, scopes: list[str] | None) -> None:
    problem = unknown_scope(scopes or (), call.parts.detection.codecs, call.parts.detection.hooks)
    if problem:
        raise OperationError(422, "invalid_field", problem, "scopes")


def _patterns(given: list[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)


def _as_json(values: dict[str, object]) -> dict[str, object]:
    return {name: str(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _target(call: Call, key_id: int) -> str:
    return f"{call.the_tenant().slug}/{key_id}"


def _book(call: Call) -> KeyBook:
    return KeyBook(call.parts.database, call.the_tenant().id)


def _store(call: Call) -> ApiKeyStore:
    return ApiKeyStore(call.parts.database, call.parts.house_keys.pepper)


def _shown(key: ApiKey) -> ShownKey:
    return ShownKey.model_validate(
        {
            name: getattr(key, name)
            for name in ("id", "app", "prefix", "name", "created_at", "expires_at", "revoked_at", "rotated_to")
        }
        | {
            "state": key.state(datetime.now(UTC)),
            "scopes": None if key.scopes is None else list(key.scopes),
            "models": None if key.models is None else list(key.models),
        }
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("listKeys", "GET", _ALL, Permission.KEYS_READ, "List a tenant's keys.", KeyList, _list, query=KeyQuery),
    Operation(
        "createKey", "POST", _ALL, Permission.KEYS_CREATE, "Make a key, shown this once.", MadeKey, _create, 201, NewKey
    ),
    Operation("readKey", "GET", _ONE, Permission.KEYS_READ, "Show what may be seen of a key.", ShownKey, _read),
    Operation(
        "changeKey", "PATCH", _ONE, Permission.KEYS_WRITE, "Change a key's name, end or limits.", ShownKey, _change,
        body=KeyChange,
    ),
    Operation(
        "rotateKey", "POST", f"{_ONE}/rotate", Permission.KEYS_CREATE,
        "Make a key in the place of one that ends after a while.", MadeKey, _rotate, 201, Rotation,
    ),
    Operation("revokeKey", "DELETE", _ONE, Permission.KEYS_WRITE, "End a key at once.", ShownKey, _revoke),
)  # fmt: skip
