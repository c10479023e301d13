"""What is asked of decisions, as conditions that Postgres has indexes for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from detectors.documents import nearest
from detectors.errors import StorageError, UnknownTenantError
from storage.postgres import Connection

_CONTENT: Final = re.compile(r"(?:hmac:)?([0-9a-f]{32})")
_PLAIN: Final = ("action", "outcome", "model", "key_id", "policy_id", "tenant_id")


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions: all conditions that are given must hold.

    Opened in [`since`, `until`), aware times. `rule`, `category` and `content` (a hash as a decision shows it) ask for
    one finding that is all of them. `tenant` is a slug, `app` a name, of any tenant if none is given; `tenant_id` asks
    for a tenant by its id.
    """

    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None
    app: str | None = None
    action: str | None = None
    outcome: str | None = None
    category: str | None = None
    rule: str | None = None
    content: str | None = None
    model: str | None = None
    request_id: str | None = None
    key_id: int | None = None
    policy_id: str | None = None
    tenant_id: int | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL about `d`, a decision, in which `{}` stands for each of the values.

    `indexed`: an index knows all decisions that it holds for, whenever they were opened.
    """

    sql: str
    values: tuple[Any, ...]
    indexed: bool = False


def join_conditions(conditions: Iterable[Condition]) -> tuple[str, list[Any]]:
    """Return one SQL condition that asks for all of them, and its parameters."""
    words, values = [], list[Any]()
    for condition in conditions:
        first = len(values) + 1
        words.append(condition.sql.format(*(f"${first + n}" for n in range(len(condition.values)))))
        values += condition.values
    return " AND ".join(words) or "true", values


async def conditions_of(connection: Connection, wanted: DecisionFilter) -> list[Condition]:
    """Return all but those on time.

    Raises StorageError for an unknown tenant or app, for a content hash that is none, and for what is no text.
    """
    _insist_on_text(wanted)
    conditions = [
        Condition(f"d.{column} = {{}}", (value,)) for column in _PLAIN if (value := getattr(wanted, column)) is not None
    ]
    if wanted.tenant is not None:
        conditions.append(Condition("d.tenant_id = {}", (await _tenant_id(connection, wanted.tenant),)))
    if wanted.app is not None:
        conditions.append(Condition("d.app_id = ANY ({}::bigint[])", (await _app_ids(connection, wanted),)))
    if wanted.request_id is not None:
        conditions.append(_of_request(wanted.request_id))
    return [*conditions, *_of_finding(wanted)]


def _insist_on_text(wanted: DecisionFilter) -> None:
    # A command line may hold bytes that are no characters; the driver would stumble over them.
    try:
        "".join(value for value in astuple(wanted) if isinstance(value, str)).encode()
    except UnicodeEncodeError as exc:
        raise StorageError("a condition holds bytes that are no text") from exc


async def _tenant_id(connection: Connection, slug: str) -> int:
    rows = await connection.fetch("SELECT id, slug FROM public.tenants")
    ids: dict[str, int] = {row["slug"]: row["id"] for row in rows}
    if slug not in ids:
        raise UnknownTenantError(f"there is no tenant '{slug}'{nearest(slug, sorted(ids))}")
    return ids[slug]


async def _app_ids(connection: Connection, wanted: DecisionFilter) -> list[int]:
    rows = await connection.fetch(
        "SELECT a.id, a.name FROM public.apps AS a JOIN public.tenants AS t ON t.id = a.tenant_id"
        " WHERE ($1::text IS NULL OR t.slug = $1) AND ($2::bigint IS NULL OR t.id = $2)",
        *(wanted.tenant, wanted.tenant_id),
    )
    found = [row["id"] for row in rows if row["name"] == wanted.app]
    if not found:
        raise StorageError(f"there is no app '{wanted.app}'{nearest(wanted.app or '', [row['name'] for row in rows])}")
    return found


def _of_request(request_id: str) -> Condition:
    # Whoever sends no request id is given the decision's own id, which the index of request ids leaves out.
    chosen = "d.request_id = {} AND d.request_id <> d.id::text"
    try:
        own = UUID(request_id)
    except ValueError:
        return Condition(chosen, (request_id,))
    return Condition(f"(d.opened_at = private.opened_at({{}}) AND d.id = {{}} OR {chosen})", (own, own, request_id))


def _of_finding(wanted: DecisionFilter) -> list[Condition]:
    finding = {"rule": wanted.rule, "category": wanted.category, "content": _content(wanted.content)}
    given = {key: value for key, value in finding.items() if value is not None}
    if not given:
        return []
    return [  # the first is what the index knows, the second what is meant
        Condition(
            "d.scores <> '[]' AND private.marks(d.scores) @> {}::jsonb", (_json([*given.values()]),), indexed=True
        ),
        Condition("d.scores @> {}::jsonb", (_json([given]),)),
    ]


def _content(content: str | None) -> str | None:
    if content is None:
        return None
    match = _CONTENT.fullmatch(content)
    if match is None:
        raise StorageError("a content hash is hmac: and 32 hexadecimal digits, as a decision shows it")
    return f"hmac:{match.group(1)}"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
