"""Signing in with a provider: a real small one, and one that lies."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from storage.types import Tenant
from tests.proxy.control.access.conftest import Browser, Build, Plane

pytestmark = pytest.mark.slow  # a database of their own
START, CALLBACK = "/api/v1/auth/oidc/start", "/api/v1/auth/oidc/callback"
LOOPBACK = ["127.0.0.0/8", "::1/128"]
ROLES = [{"claim": "groups", "value": "firewall-admins", "role": "platform_admin"}]


# In a process of its own: its libraries warn of themselves, which is an error here.
PROVIDER = """
import sys
from oidc_provider_mock import User, run_server_in_thread
users = [
    User(sub="anna", claims={"email": "Anna@acme.example", "groups": ["staff", "firewall-admins"]}),
    User(sub="eve", claims={"email": "eve@acme.example", "groups": ["staff"]}),
]
with run_server_in_thread(user_claims=users) as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def real_provider() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROVIDER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"http://localhost:{process.stdout.readline().strip()}"
        process.stdin.close()


@pytest.fixture
async def plane(build: Build, real_provider: str) -> Plane:
    oidc = {"issuer": real_provider, "client_id": "firewall", "client_secret": "s3cret", "roles": ROLES}
    return await build(oidc=oidc | {"allow_networks": LOOPBACK, "name": "Acme"})


async def depart(browser: Browser, **query: str) -> str:
    answer = await browser.get(START, params=query, allow_redirects=False)
    assert answer.status == 303, await answer.text()
    return str(answer.headers["Location"])


async def sign_in_there(address: str, subject: str) -> str:
    """Do at the provider what a person does; return the way back."""
    async with aiohttp.ClientSession() as session:
        answer = await session.post(address, data={"sub": subject}, allow_redirects=False)
        assert answer.status == 302, await answer.text()
        return answer.headers["Location"]


async def come_back(browser: Browser, address: str) -> Any:
    parts = urlsplit(address)
    return await browser.get(f"{parts.path}?{parts.query}", allow_redirects=False)


async def session_of(browser: Browser) -> Any:
    return await (await browser.get("/api/v1/auth/session")).json()


async def test_whom_the_provider_vouches_for_is_let_in_with_the_mapped_role(plane: Plane) -> None:
    browser = await plane.open_browser()
    page = await (await browser.get("/sign-in?next=/console/usage")).text()
    assert "Sign in with Acme" in page
    address = await depart(browser, next="/console/usage")
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    answer = await come_back(browser, await sign_in_there(address, "anna"))
    assert (answer.status, answer.headers["Location"]) == (303, "/console/usage")
    told = await session_of(browser)
    assert told["role"] == "platform_admin"
    assert re.fullmatch(r"oidc:anna@acme\.example\+[0-9a-f]{8}", told["name"])


async def test_the_same_person_is_the_same_user_the_next_time(plane: Plane) -> None:
    names = set()
    for _ in range(2):
        browser = await plane.open_browser()
        await come_back(browser, await sign_in_there(await depart(browser), "anna"))
        names.add((await session_of(browser))["name"])
    assert len(names) == 1


async def test_whom_no_role_is_meant_for_is_turned_away(plane: Plane) -> None:
    browser = await plane.open_browser()
    answer = await come_back(browser, await sign_in_there(await depart(browser), "eve"))
    assert answer.status == 403
    assert (await browser.get("/api/v1/auth/session")).status == 401


async def test_an_answer_is_good_once_and_in_one_browser(plane: Plane) -> None:
    """Login CSRF: somebody else's answer signs nobody in."""
    attacker, victim = await plane.open_browser(), await plane.open_browser()
    way_back = await sign_in_there(await depart(attacker), "anna")
    assert (await come_back(victim, way_back)).status == 400
    assert (await come_back(attacker, way_back)).status == 400, "it was used up"
    browser = await plane.open_browser()
    way_back = await sign_in_there(await depart(browser), "anna")
    assert (await come_back(browser, way_back)).status == 303
    assert (await come_back(browser, way_back)).status == 400


@pytest.mark.parametrize("query", ["", "code=x", "state=x", "code=x&state=x", "error=access_denied&state=x"])
async def test_an_answer_to_nothing_is_refused(plane: Plane, query: str) -> None:
    browser = await plane.open_browser()
    assert (await browser.get(f"{CALLBACK}?{query}", allow_redirects=False)).status == 400


async def test_a_disabled_user_is_not_let_in_by_the_provider(plane: Plane) -> None:
    browser = await plane.open_browser()
    await come_back(browser, await sign_in_there(await depart(browser), "anna"))
    name = (await session_of(browser))["name"]
    user = await plane.access.users.find(name)
    assert user is not None
    await plane.user()  # somebody has to remain
    await plane.access.users.change(user.id, enabled=False)
    try:
        assert (await browser.get("/api/v1/auth/session")).status == 401
        assert (await come_back(browser, await sign_in_there(await depart(browser), "anna"))).status == 403
    finally:
        await plane.access.users.change(user.id, enabled=True)


async def test_a_provider_in_a_network_that_is_not_allowed_is_not_asked(build: Build, real_provider: str) -> None:
    oidc = {"issuer": real_provider, "client_id": "firewall", "client_secret": "s3cret", "roles": ROLES}
    browser = await (await build(oidc=oidc)).open_browser()
    answer = await browser.get(START, allow_redirects=False)
    assert answer.status == 502
    assert "cannot be reached" in await answer.text()


class Liar:
    """A provider whose every answer a test can bend."""

    def __init__(self) -> None:
        self.key: RSAPrivateKey = generate_private_key(65537, 2048)
        self.nonce = ""
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.configuration: dict[str, Any] = {}
        self.sign_with: Any = None
        self.algorithm = "RS256"
        self.url = ""
        self.redeemed: list[dict[str, str]] = []

    async def configure(self, _request: web.Request) -> web.Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        document = {"issuer": self.url} | {name: f"{self.url}/{path}" for name, path in names.items()}
        return web.json_response(document | self.configuration)

    async def keys(self, _request: web.Request) -> web.Response:
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return web.json_response({"keys": [jwk | {"kid": "k1", "use": "sig", "alg": "RS256"}]})

    async def token(self, request: web.Request) -> web.Response:
        self.redeemed.append({str(k): str(v) for k, v in (await request.post()).items()})
        now = int(time())
        claims = {
            "iss": self.url, "aud": "firewall", "sub": "mallory", "iat": now, "exp": now + 300, "nonce": self.nonce,
            "groups": ["firewall-admins"],
        }  # fmt: skip
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        key = self.key if self.sign_with is None else self.sign_with
        token = jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": "k1"} | self.header)
        return web.json_response({"id_token": token, "access_token": "x", "token_type": "Bearer"})


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    provider = Liar()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.configure)
    app.router.add_get("/jwks", provider.keys)
    app.router.add_post("/token", provider.token)
    async with TestServer(app) as server:
        provider.url = f"http://127.0.0.1:{server.port}"
        yield provider


async def attempt(build: Build, liar: Liar, extra: str = "", **oidc: Any) -> tuple[int, Any]:
    settings = {"issuer": liar.url, "client_id": "firewall", "client_secret": "s3cret-s3cret-s3cret-s3cret-s3"}
    plane = await build(oidc=settings | {"roles": ROLES, "allow_networks": LOOPBACK} | oidc)
    browser = await plane.open_browser()
    answer = await browser.get(START, allow_redirects=False)
    if answer.status != 303:
        return answer.status, browser
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    liar.nonce = liar.nonce or query["nonce"][0]
    state = query["state"][0]
    return (await browser.get(f"{CALLBACK}?code=c&state={state}{extra}", allow_redirects=False)).status, browser


async def test_an_honest_answer_is_taken_with_its_proof(build: Build, liar: Liar) -> None:
    assert (await attempt(build, liar))[0] == 303
    assert len(liar.redeemed[0]["code_verifier"]) >= 43


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"aud": "somebody-else"}, {"aud": ["firewall", "other"]}, {"nonce": "another"},
        {"nonce": None}, {"exp": 1}, {"exp": None}, {"iat": 1}, {"iat": None}, {"iat": 2**40}, {"sub": None},
        {"sub": 7}, {"sub": ""}, {"aud": ["firewall", "other"], "azp": "other"}, {"exp": True},
    ],
    ids=str,
)  # fmt: skip
async def test_an_identity_token_that_does_not_hold_lets_nobody_in(
    build: Build, liar: Liar, claims: dict[str, Any]
) -> None:
    liar.claims = claims
    status, browser = await attempt(build, liar)
    assert status == 502
    assert (await browser.get("/api/v1/auth/session")).status == 401


async def test_a_token_for_several_is_taken_if_it_was_made_for_us(build: Build, liar: Liar) -> None:
    liar.claims = {"aud": ["firewall", "other"], "azp": "firewall"}
    assert (await attempt(build, liar))[0] == 303


@pytest.mark.parametrize(
    ("algorithm", "secret"), [("HS256", "s3cret-s3cret-s3cret-s3cret-s3"), ("none", ""), ("RS256", None)]
)
async def test_a_token_that_somebody_else_signed_lets_nobody_in(
    build: Build, liar: Liar, algorithm: str, secret: str | None
) -> None:
    """With the client secret, with nothing, and with a key that the provider does not show."""
    liar.algorithm = algorithm
    liar.sign_with = generate_private_key(65537, 2048) if secret is None else secret or b""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # our own forger is told that its key is short
        assert (await attempt(build, liar))[0] == 502


async def test_keys_that_the_token_names_itself_are_not_fetched(build: Build, liar: Liar) -> None:
    liar.sign_with = generate_private_key(65537, 2048)
    liar.header = {"jku": f"{liar.url}/evil", "kid": "other"}
    assert (await attempt(build, liar))[0] == 502


async def test_a_configuration_of_another_issuer_is_a_mix_up(build: Build, liar: Liar) -> None:
    liar.configuration = {"issuer": "https://evil.example"}
    assert (await attempt(build, liar))[0] == 502


async def test_an_answer_that_names_another_issuer_is_a_mix_up(build: Build, liar: Liar) -> None:
    assert (await attempt(build, liar, "&iss=https%3A%2F%2Fevil.example"))[0] == 400
    assert liar.redeemed == [], "the code must not go to the wrong provider"


async def test_a_provider_that_names_itself_in_answers_has_to(build: Build, liar: Liar) -> None:
    liar.configuration = {"authorization_response_iss_parameter_supported": True}
    assert (await attempt(build, liar))[0] == 400
    liar.nonce = ""
    assert (await attempt(build, liar, f"&iss={liar.url}"))[0] == 303


async def test_endpoints_in_a_private_network_are_not_asked(build: Build, liar: Liar) -> None:
    liar.configuration = {"token_endpoint": "http://169.254.169.254/latest/meta-data"}
    assert (await attempt(build, liar))[0] == 502


async def test_a_role_in_a_tenant_and_a_second_factor_at_the_provider(build: Build, liar: Liar, tenant: Tenant) -> None:
    liar.claims = {"team": "acme-analysts", "amr": ["pwd", "mfa"], "sub": "analyst-1"}
    roles = [{"claim": "team", "value": "acme-analysts", "role": "analyst", "tenant": tenant.slug}]
    status, browser = await attempt(build, liar, roles=roles)
    assert status == 303
    told = await session_of(browser)
    assert (told["role"], told["tenant"], told["second_factor"]) == ("analyst", tenant.slug, True)


async def test_a_tenant_that_is_not_there_takes_nobody(build: Build, liar: Liar) -> None:
    roles = [{"claim": "groups", "value": "firewall-admins", "role": "analyst", "tenant": "gone-tenant"}]
    assert (await attempt(build, liar, roles=roles))[0] == 403
