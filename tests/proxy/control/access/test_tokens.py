"""Access tokens: rotation of keys, and a table of what attackers make of them; each must be refused."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from detectors.errors import AccessError
from proxy.control.access.tokens import AccessTokens, Subject
from storage.accounts.token_keys import TokenKeys
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.types import Role
from tests.proxy.control.access.conftest import Clock
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own
SUBJECT = Subject("user", 7, "5b1e0000-0000-4000-8000-000000000000", "platform_admin", None)
NOW = 1_800_000_000.0


@pytest.fixture
def keys(database: Database, house_keys: HouseKeys) -> TokenKeys:
    return TokenKeys(database, house_keys.access_key("token keys"))


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def tokens(keys: TokenKeys, clock: Clock) -> AccessTokens:
    return AccessTokens(keys, "promptshield:test", clock)


async def test_a_token_says_whom_it_is_for(tokens: AccessTokens) -> None:
    assert await tokens.read(await tokens.issue(SUBJECT)) == SUBJECT


async def test_a_token_lives_ten_minutes(tokens: AccessTokens, clock: Clock) -> None:
    token = await tokens.issue(SUBJECT)
    clock.now += 599
    assert await tokens.read(token) == SUBJECT
    clock.now += 1
    with pytest.raises(AccessError):
        await tokens.read(token)


async def test_a_new_key_signs_and_the_one_before_is_believed(
    tokens: AccessTokens, keys: TokenKeys, clock: Clock
) -> None:
    before = await tokens.issue(SUBJECT)
    kid = await keys.rotate()
    after = await tokens.issue(SUBJECT)
    assert jwt.get_unverified_header(after)["kid"] == kid != jwt.get_unverified_header(before)["kid"]
    assert await tokens.read(before) == await tokens.read(after) == SUBJECT
    assert kid in {key["kid"] for key in (await tokens.key_set())["keys"]}


async def test_a_clock_that_is_set_back_lets_new_keys_be_known(
    tokens: AccessTokens, keys: TokenKeys, clock: Clock
) -> None:
    await tokens.read(await tokens.issue(SUBJECT))
    await keys.rotate()
    clock.now -= 3600
    assert await tokens.read(await AccessTokens(keys, "promptshield:test", clock).issue(SUBJECT)) == SUBJECT


async def test_a_key_is_replaced_by_itself_and_ends_a_day_later(
    tokens: AccessTokens, keys: TokenKeys, clock: Clock, as_superuser: RunStatement
) -> None:
    old = await tokens.issue(SUBJECT)
    await as_superuser("UPDATE private.token_keys SET made_at = made_at - interval '31 days'")
    new = await tokens.issue(SUBJECT)
    assert jwt.get_unverified_header(new)["kid"] != (kid := jwt.get_unverified_header(old)["kid"])
    assert kid in {key.kid for key in await keys.believed()}
    await as_superuser("UPDATE private.token_keys SET made_at = made_at - interval '25 hours'")
    assert kid not in {key.kid for key in await keys.believed()}
    clock.now += 31
    with pytest.raises(AccessError):
        await tokens.read(old)


async def test_private_keys_are_sealed_in_the_database(
    keys: TokenKeys, database: Database, house_keys: HouseKeys
) -> None:
    _, private = await keys.current()
    async with database.transaction(Role.ACCESS) as connection:
        rows = await connection.fetch("SELECT sealed FROM private.token_keys")
    assert all(private.private_bytes_raw() not in row["sealed"] for row in rows)


def part(document: dict[str, Any]) -> str:
    return urlsafe_b64encode(orjson.dumps(document)).rstrip(b"=").decode()


def opened(text: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def with_header(token: str, **changes: Any) -> str:
    """Change the header of a token, and keep its claims and signature."""
    header, claims, signature = token.split(".")
    changed = {name: value for name, value in (opened(header) | changes).items() if value is not None}
    return f"{part(changed)}.{claims}.{signature}"


def with_claims(token: str, **changes: Any) -> str:
    header, claims, signature = token.split(".")
    return f"{header}.{part(opened(claims) | changes)}.{signature}"


def unsigned(algorithm: str) -> Callable[[str], str]:
    return lambda token: with_header(token, alg=algorithm).rpartition(".")[0] + "."


FORGERIES: dict[str, Callable[[str], str]] = {
    **{f"alg {word}": unsigned(word) for word in ("none", "None", "NONE", "nOnE", "", "EdDSA ")},
    "signature stripped": lambda token: token.rpartition(".")[0] + ".",
    "signature and dot stripped": lambda token: token.rpartition(".")[0],
    "signature changed": lambda token: token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
    "claims changed": lambda token: with_claims(token, sub="user:1"),
    "tenant changed": lambda token: with_claims(token, tenant="acme"),
    "end changed": lambda token: with_claims(token, exp=2**40),
    "header says RS256": lambda token: with_header(token, alg="RS256"),
    "header says HS256": lambda token: with_header(token, alg="HS256"),
    "kid traversal": lambda token: with_header(token, kid="../../../../dev/null"),
    "kid injection": lambda token: with_header(token, kid="' OR 1=1 --"),
    "kid of nobody": lambda token: with_header(token, kid="0" * 16),
    "kid missing": lambda token: with_header(token, kid=None),
    "kid a list": lambda token: with_header(token, kid=["0" * 16]),
    "typ of an identity token": lambda token: with_header(token, typ="JWT"),
    "critical extension": lambda token: with_header(token, crit=["b64"], b64=False),
    "jku": lambda token: with_header(token, jku="https://evil.example/jwks.json"),
    "x5u": lambda token: with_header(token, x5u="https://evil.example/x5u.pem"),
    "four parts": lambda token: f"{token}.{token.partition('.')[0]}",
    "five parts (JWE)": lambda token: f"{token}.AAAA.AAAA",
    "no JSON": lambda _token: "e30.bm90IGpzb24.AAAA",
    "empty": lambda _token: "",
    "dots": lambda _token: "..",
    "not ASCII": lambda token: token + "é",
    "a line break": lambda token: token + "\n",
    "very long": lambda token: token + "A" * 100_000,
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_is_refused(tokens: AccessTokens, name: str) -> None:
    forged = FORGERIES[name](await tokens.issue(SUBJECT))
    with pytest.raises(AccessError) as refused:
        await tokens.read(forged)
    assert (refused.value.status, refused.value.code) == (401, "invalid_token")


async def test_an_hmac_over_any_form_of_the_public_key_is_refused(tokens: AccessTokens, keys: TokenKeys) -> None:
    token = await tokens.issue(SUBJECT)
    kid, private = await keys.current()
    public = private.public_key()
    forms = (
        public.public_bytes_raw(),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )
    header, claims, _ = token.split(".")
    message = f"{part(opened(header) | {'alg': 'HS256', 'kid': kid})}.{claims}"
    for form in forms:
        mac = urlsafe_b64encode(hmac.digest(form, message.encode(), hashlib.sha256)).rstrip(b"=").decode()
        with pytest.raises(AccessError):
            await tokens.read(f"{message}.{mac}")


async def test_a_key_that_the_token_brings_itself_is_not_looked_at(tokens: AccessTokens) -> None:
    own = Ed25519PrivateKey.generate()
    x = urlsafe_b64encode(own.public_key().public_bytes_raw()).rstrip(b"=").decode()
    token = await tokens.issue(SUBJECT)
    header, claims, _ = token.split(".")
    for brought in ({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}, {"x5c": ["AAAA"]}):
        message = f"{part(opened(header) | brought)}.{claims}"
        signature = urlsafe_b64encode(own.sign(message.encode())).rstrip(b"=").decode()
        with pytest.raises(AccessError):
            await tokens.read(f"{message}.{signature}")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "promptshield-data"}, {"aud": None}, {"iss": "https://evil.example"}, {"iss": None}, {"exp": NOW - 1},
        {"exp": None}, {"nbf": NOW + 60}, {"nbf": None}, {"exp": True}, {"exp": "soon"}, {"exp": NOW + 86_400},
        {"sub": "user:0"}, {"sub": "user:7 "}, {"sub": "root:7"}, {"sub": 7}, {"sub": f"user:{'9' * 40}"}, {"sid": 5},
        {"sid": None}, {"role": ["platform_admin"]}, {"tenant": 3}, {"tenant": None}, {"jti": None},
        {"nbf": float(2**70)},
    ],
    ids=str,
)  # fmt: skip
async def test_a_token_that_our_own_key_signed_is_refused_for_what_it_says(
    tokens: AccessTokens, keys: TokenKeys, claims: dict[str, Any]
) -> None:
    """As if somebody had got our key to sign for another purpose."""
    kid, private = await keys.current()
    good = opened((await tokens.issue(SUBJECT)).split(".")[1])
    changed = {name: value for name, value in (good | claims).items() if value is not None}
    header = part({"alg": "EdDSA", "kid": kid, "typ": "at+jwt"})
    message = f"{header}.{part(changed)}"
    signature = urlsafe_b64encode(private.sign(message.encode())).rstrip(b"=").decode()
    with pytest.raises(AccessError):
        await tokens.read(f"{message}.{signature}")


async def test_a_token_of_another_installation_is_refused(tokens: AccessTokens, keys: TokenKeys, clock: Clock) -> None:
    theirs = AccessTokens(keys, "promptshield:other", clock)
    with pytest.raises(AccessError):
        await tokens.read(await theirs.issue(SUBJECT))


async def test_an_rsa_token_is_refused(tokens: AccessTokens, keys: TokenKeys) -> None:
    kid, _ = await keys.current()
    claims = opened((await tokens.issue(SUBJECT)).split(".")[1])
    forged = jwt.encode(
        claims, generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": kid, "typ": "at+jwt"}
    )
    with pytest.raises(AccessError):
        await tokens.read(forged)
