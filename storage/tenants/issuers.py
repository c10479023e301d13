"""Whose tokens a tenant's apps may show instead of an API key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.types import Role

JsonObject = dict[str, Any]
OUR_AUDIENCE: Final = "promptshield-control"  # tokens for administrators: never a key of the data plane
_OUR_ISSUERS: Final = "promptshield:"
_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MOST_KEYS: Final = 32


@dataclass(frozen=True, slots=True)
class NewIssuer:
    """Tokens of `issuer` for `audience`, signed by keys at `jwks_url` or in `jwks` (one of them), whose `claims` are
    (or hold) these values, whose `tenant_claim` is the tenant's slug, whose `app_claim` names an app, and
    whose `role_claim` names roles that policies may ask for.
    """

    issuer: str
    audience: str
    jwks_url: str | None = None
    jwks: JsonObject | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    tenant_claim: str = ""
    app_claim: str = ""
    role_claim: str = ""


@dataclass(frozen=True, slots=True)
class Issuer:
    """As the data plane reads it."""

    id: int
    tenant_id: int
    tenant: str
    audience: str
    jwks_url: str | None
    jwks: JsonObject | None
    claims: Mapping[str, str]
    tenant_claim: str
    app_claim: str
    role_claim: str


@dataclass(frozen=True, slots=True)
class KeptIssuer:
    """As people see it. Times are aware."""

    id: int
    issuer: str
    audience: str
    jwks_url: str | None
    jwks: JsonObject | None
    claims: Mapping[str, str]
    tenant_claim: str
    app_claim: str
    role_claim: str
    created_at: datetime


class TenantIssuers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, issuer: str) -> tuple[Issuer, ...]:
        """Return what live tenants say of an issuer."""
        async with self._database.transaction(Role.APP) as connection:
            rows = await connection.fetch("SELECT * FROM private.find_issuers($1)", issuer)
        return tuple(Issuer(**_documents(row)) for row in rows)

    async def find_app(self, tenant_id: int, app: str) -> int | None:
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            found: int | None = await connection.fetchval("SELECT id FROM public.apps WHERE name = $1", app)
        return found

    async def list(self, tenant_id: int) -> tuple[KeptIssuer, ...]:
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            rows = await connection.fetch(
                "SELECT id, issuer, audience, jwks_url, jwks::text AS jwks, claims::text AS claims, tenant_claim,"
                " app_claim, role_claim, created_at FROM public.tenant_issuers ORDER BY id"
            )
        return tuple(KeptIssuer(**_documents(row)) for row in rows)

    async def create(self, tenant_id: int, new: NewIssuer) -> KeptIssuer:
        """Raises StorageError for what could not be told from our own tokens, or be verified, or is there already."""
        _check(new)
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            issuer_id = await connection.fetchval(
                "INSERT INTO public.tenant_issuers"
                " (tenant_id, issuer, audience, jwks_url, jwks, claims, tenant_claim, app_claim, role_claim)"
                " VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id",
                *(tenant_id, new.issuer, new.audience, new.jwks_url),
                *(
                    None if new.jwks is None else orjson.dumps(new.jwks).decode(),
                    orjson.dumps(dict(new.claims)).decode(),
                ),
                *(new.tenant_claim, new.app_claim, new.role_claim),
            )
        if issuer_id is None:
            raise StorageError("the tenant has this issuer with this audience already")
        return next(kept for kept in await self.list(tenant_id) if kept.id == issuer_id)

    async def remove(self, tenant_id: int, issuer_id: int) -> bool:
        """Tokens of it are refused within a second or two; False if there is no such issuer."""
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            done = await connection.execute("DELETE FROM public.tenant_issuers WHERE id = $1", issuer_id)
        return not done.endswith(" 0")


def _check(new: NewIssuer) -> None:
    if new.issuer.startswith(_OUR_ISSUERS) or new.audience == OUR_AUDIENCE:
        raise StorageError("this issuer or audience is the control plane's own")
    if (new.jwks_url is None) == (new.jwks is None):
        raise StorageError("give either the address of the issuer's keys or the keys themselves")
    if new.jwks_url is not None and (urlsplit(new.jwks_url).scheme != "https" or not urlsplit(new.jwks_url).hostname):
        raise StorageError("the address of the issuer's keys begins with https://")
    if new.jwks is not None:
        _check_keys(new.jwks.get("keys"))


def _check_keys(keys: Any) -> None:
    if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_KEYS:
        raise StorageError('a key set is {"keys": [...]} with at least one key')
    for key in keys:
        if not isinstance(key, dict) or key.get("kty") not in _KINDS:
            raise StorageError("a key of an issuer is a public one: RSA, EC or OKP")
        if _PRIVATE & key.keys():
            raise StorageError("a key set holds a private key: whoever reads it could sign; use another key")


def _documents(row: Row) -> dict[str, Any]:
    columns = dict(row.items())
    jwks = columns["jwks"]
    return columns | {"claims": orjson.loads(columns["claims"]), "jwks": None if jwks is None else orjson.loads(jwks)}
