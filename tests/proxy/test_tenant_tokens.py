"""Tokens of a tenant's own issuer: what holds, and what attackers make of it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from detectors.errors import IdentityError
from proxy.tenant_tokens import TenantTokens, looks_like_token, unverifiable
from storage.tenants.issuers import Issuer
from storage.types import Identity

NOW = 1_800_000_000.0
KEY, OTHER = generate_private_key(65537, 2048), generate_private_key(65537, 2048)
URL = "https://id.acme.example"
CLAIMS = {"iss": URL, "aud": "llm", "sub": "anna", "exp": int(NOW) + 300, "org": "acme", "scope": ["chat", "embed"]}


def jwk(key: Any = KEY, kid: str = "k1") -> dict[str, Any]:
    return jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid}


def issuer(number: int = 1, tenant: str = "acme", **fields: Any) -> Issuer:
    values: dict[str, Any] = {
        "id": number, "tenant_id": number, "tenant": tenant, "audience": "llm", "jwks_url": None,
        "jwks": {"keys": [jwk()]}, "claims": {}, "tenant_claim": "", "app_claim": "", "role_claim": "",
    }  # fmt: skip
    return Issuer(**(values | fields))


@dataclass(slots=True)
class Table:
    """What the tables say, and how often they are asked."""

    issuers: dict[str, tuple[Issuer, ...]] = field(default_factory=lambda: {URL: (issuer(),)})
    apps: dict[tuple[int, str], int] = field(default_factory=lambda: {(1, "default"): 10, (1, "shop"): 11})
    asked: int = 0
    away: bool = False

    async def find(self, issuer: str) -> tuple[Issuer, ...]:
        self.asked += 1
        return self.issuers.get(issuer, ())

    async def find_app(self, tenant_id: int, app: str) -> int | None:
        return self.apps.get((tenant_id, app))

    async def key(self, issuer: Issuer, kid: str | None) -> dict[str, Any] | None:
        if self.away:
            raise unverifiable(issuer)
        keys: list[dict[str, Any]] = issuer.jwks["keys"] if issuer.jwks else []
        return next((key for key in keys if key["kid"] == kid), None)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def tokens(table: Table) -> TenantTokens:
    return TenantTokens(table, table, lambda: NOW)


def token(key: Any = KEY, algorithm: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": "k1"} | (header or {}))


async def test_a_token_that_holds_is_the_tenants(tokens: TenantTokens) -> None:
    assert await tokens.find(token()) == Identity(1, "acme", 10, "default", 0, NOW + 300)


async def test_a_claim_names_the_app(tokens: TenantTokens, table: Table) -> None:
    table.issuers[URL] = (issuer(app_claim="app"),)
    found = await tokens.find(token(app="shop"))
    assert found is not None
    assert (found.app, found.app_id) == ("shop", 11)
    for app in ("no-such-app", None, 7, ["shop"]):
        assert await tokens.find(token(app=app)) is None


@pytest.mark.parametrize(
    ("said", "roles"), [("intern", ("intern",)), (["staff", "intern"], ("staff", "intern")), ([], ()), (None, ())]
)
async def test_a_claim_names_roles(tokens: TenantTokens, table: Table, said: Any, roles: tuple[str, ...]) -> None:
    table.issuers[URL] = (issuer(role_claim="roles"),)
    found = await tokens.find(token(roles=said))
    assert found is not None
    assert found.roles == roles


@pytest.mark.parametrize("said", [7, {"intern": True}, ["staff", 7], "x" * 101, ["staff"] * 33, True, "a\0b", "\ud800"])
async def test_a_token_whose_roles_cannot_be_read_is_nobodys(tokens: TenantTokens, table: Table, said: Any) -> None:
    table.issuers[URL] = (issuer(role_claim="roles"),)
    assert await tokens.find(token(roles=said)) is None


async def test_roles_that_nobody_asked_for_are_not_read(tokens: TenantTokens) -> None:
    found = await tokens.find(token(roles=["admin"]))
    assert found is not None
    assert found.roles == ()


async def test_of_tenants_that_share_an_issuer_the_claim_tells_which(tokens: TenantTokens, table: Table) -> None:
    table.issuers[URL] = (issuer(1, "acme", tenant_claim="org"), issuer(2, "zebra", tenant_claim="org"))
    table.apps[2, "default"] = 20
    first, second = await tokens.find(token(org="acme")), await tokens.find(token(org="zebra"))
    assert (first and first.tenant, second and second.tenant) == ("acme", "zebra")
    assert await tokens.find(token(org="other")) is None
    assert await tokens.find(token(org=None)) is None


async def test_a_token_that_holds_for_two_tenants_is_nobodys(tokens: TenantTokens, table: Table) -> None:
    table.issuers[URL] = (issuer(1, "acme"), issuer(2, "zebra"))
    table.apps[2, "default"] = 20
    assert await tokens.find(token()) is None


async def test_a_tenant_that_names_another_ones_issuer_does_not_shut_it_out(tokens: TenantTokens, table: Table) -> None:
    table.issuers[URL] = (issuer(1, "acme", tenant_claim="org"), issuer(2, "mallory"))
    table.apps[2, "default"] = 20
    found = await tokens.find(token(org="acme"))
    assert found is not None
    assert found.tenant == "acme"


async def test_a_token_is_believed_for_ten_minutes_at_most(tokens: TenantTokens) -> None:
    found = await tokens.find(token(exp=int(NOW) + 86_400))
    assert found is not None
    assert found.expires_at == NOW + 600


async def test_required_claims_are_equal_or_hold_the_value(tokens: TenantTokens, table: Table) -> None:
    table.issuers[URL] = (issuer(claims={"scope": "chat", "org": "acme"}),)
    assert await tokens.find(token()) is not None
    assert await tokens.find(token(scope=["embed"])) is None
    assert await tokens.find(token(scope="chatter")) is None
    assert await tokens.find(token(org=None)) is None


async def test_another_tenants_keys_do_not_sign_for_this_one(tokens: TenantTokens, table: Table) -> None:
    """A tenant that writes a neighbour's issuer beside keys of its own is itself alone."""
    table.issuers[URL] = (issuer(1, "acme"), issuer(2, "mallory", jwks={"keys": [jwk(OTHER)]}))
    table.apps[2, "default"] = 20
    found = await tokens.find(token(OTHER))
    assert found is not None
    assert found.tenant == "mallory"


FORGED: dict[str, Callable[[], str]] = {
    "none": lambda: jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": "k1"}),
    "another key": lambda: token(OTHER),
    "unknown kid": lambda: token(header={"kid": "k2"}),
    "no kid": lambda: jwt.encode(CLAIMS, KEY, algorithm="RS256"),
    "expired": lambda: token(exp=int(NOW) - 1),
    "no end": lambda: token(exp=None),
    "not yet": lambda: token(nbf=int(NOW) + 60),
    "never ending": lambda: token(exp=10**12),
    "another audience": lambda: token(aud="other"),
    "no audience": lambda: token(aud=None),
    "another issuer": lambda: token(iss="https://evil.example"),
    "no issuer": lambda: token(iss=None),
    "for administrators": lambda: token(aud=["llm", "promptshield-control"]),
    "elliptic with an RSA key": lambda: token(ec_key(SECP256R1()), "ES256"),
    "critical": lambda: token(header={"crit": ["x"], "x": 1}),
    "stripped": lambda: token().rpartition(".")[0] + ".",
    "changed": lambda: token()[:-4] + "AAAA",
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_nobodys(tokens: TenantTokens, name: str) -> None:
    assert await tokens.find(FORGED[name]()) is None


async def test_an_hmac_with_the_public_key_is_nobodys(tokens: TenantTokens) -> None:
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = orjson.dumps({"alg": "HS256", "kid": "k1", "typ": "JWT"})
    message = jwt.utils.base64url_encode(header) + b"." + jwt.utils.base64url_encode(orjson.dumps(CLAIMS))
    forged = message + b"." + jwt.utils.base64url_encode(hmac.digest(public, message, hashlib.sha256))
    assert await tokens.find(forged.decode()) is None


async def test_keys_that_cannot_be_had_are_no_verdict(tokens: TenantTokens, table: Table) -> None:
    table.away = True
    with pytest.raises(IdentityError) as away:
        await tokens.find(token())
    assert away.value.unavailable


async def test_issuers_are_asked_for_once_until_something_changes(tokens: TenantTokens, table: Table) -> None:
    for _ in range(3):
        await tokens.find(token())
    assert table.asked == 1
    tokens.forget()
    await tokens.find(token())
    assert table.asked == 2


@pytest.mark.parametrize("key", ["", "sk-ps-x", "eyJ.a", "a.b.c", "eyJ" + "a" * 9000 + ".b.c"])
def test_most_keys_are_no_tokens(key: str) -> None:
    assert not looks_like_token(key)
