"""The first administrator, the command line, tokens of a tenant's issuer: on the running product."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.harness import Product

pytestmark = pytest.mark.e2e
NEW = "another-zebra-battery-43"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


def ask(method: str, url: str, body: Any, headers: Mapping[str, str]) -> Answer:
    """Send one request and follow nothing."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=20)
    try:
        more = {} if body is None else {"Content-Type": "application/json"}
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, None if body is None else json.dumps(body), {**headers, **more})
        response = connection.getresponse()
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def control(product: Product, method: str, path: str, body: Any = None, token: str = "") -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return ask(method, product.control_url + path, body, headers)


def chat(product: Product, key: str, said: str = "hello") -> Answer:
    body = {"model": "scripted", "messages": [{"role": "user", "content": said}]}
    return ask("POST", f"{product.url}/chat/completions", body, {"Authorization": f"Bearer {key}"})


def until(holds: Callable[[], bool], patience: float = 10.0) -> bool:
    deadline = time.monotonic() + patience
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)  # noqa: TID251 - another process has to notice
    return held


@pytest.fixture(scope="module")
def chief(product: Product) -> str:
    """An access token of a platform admin who was made on the command line."""
    name = f"chief-{secrets.token_hex(4)}"
    password = product.run("admin", "create", name).stdout.strip()
    token = control(product, "POST", "/api/v1/auth/sign-in", {"name": name, "password": password}).body["access_token"]
    assert control(product, "GET", "/api/v1/tenants", token=token).body["error"]["code"] == "password_change_required"
    changed = control(product, "POST", "/api/v1/auth/password", {"current": password, "new": NEW}, token)
    assert changed.status == 204
    return str(token)


def test_the_first_password_is_printed_once_and_must_be_changed(product: Product) -> None:
    assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", product.admin_password)
    asked = {"name": "admin", "password": product.admin_password}
    given = control(product, "POST", "/api/v1/auth/sign-in", asked)
    assert given.body["must_change_password"] is True
    log = product.log.read_text()
    assert product.admin_password not in log


def test_nothing_of_the_control_plane_is_for_nobody(product: Product) -> None:
    for path in ("/api/v1/tenants", "/api/v1/users", "/api/v1/audit-events", "/api/v1/auth/session"):
        assert control(product, "GET", path).status == 401, path
    assert control(product, "GET", "/health").status == 200
    console = ask("GET", f"{product.control_url}/console", None, {})
    assert (console.status, console.headers["location"].startswith("/sign-in")) == (303, True)


@pytest.mark.timeout(180)  # eight commands, a second each where nothing else runs
def test_accounts_are_managed_on_the_command_line(product: Product, chief: str) -> None:
    name = f"anna-{secrets.token_hex(4)}@acme.example"
    first = product.run("admin", "create", name, "--role", "analyst", "--tenant", "demo").stdout.strip()
    assert re.search(rf"{name} +analyst +demo", product.run("admin", "list").stdout)
    second = product.run("admin", "reset-password", name).stdout.strip()
    asked = {"name": name, "password": first}
    assert control(product, "POST", "/api/v1/auth/sign-in", asked).status == 401
    asked["password"] = second
    token = control(product, "POST", "/api/v1/auth/sign-in", asked).body["access_token"]
    product.run("admin", "disable", name)
    assert control(product, "GET", "/api/v1/auth/session", token=token).status == 401
    product.run("admin", "disable", name, "--undo")
    assert control(product, "POST", "/api/v1/auth/sign-in", asked).status == 200
    wrong = product.run("admin", "create", name, check=False)
    assert (wrong.returncode, wrong.stderr.strip().splitlines()[-1]) == (
        1,
        "promptshield: there is a user of that name already",
    )
    homeless = product.run("admin", "create", "ben", "--role", "analyst", check=False)
    assert homeless.returncode == 2
    assert "belongs to a tenant" in homeless.stderr
    noted = control(product, "GET", "/api/v1/audit-events?action=users.*", token=chief).body["items"]
    actions = [event["action"] for event in noted if event["target"] == name]
    assert actions == ["users.enable", "users.disable", "users.reset_password", "users.create"]
    assert all(event["actor"].startswith("cli:") for event in noted if event["target"] == name)


def test_a_signing_key_is_replaced_while_tokens_live(product: Product, chief: str) -> None:
    product.run("admin", "rotate-token-key")
    assert control(product, "GET", "/api/v1/auth/session", token=chief).status == 200


def test_what_administrators_did_is_verified_with_the_decisions(product: Product, chief: str) -> None:
    done = product.run("audit", "verify")
    found = re.search(r"(\d+) admin events", done.stdout)
    assert found is not None
    assert int(found[1]) > 0


@dataclass(frozen=True, slots=True)
class OwnIssuer:
    """An identity provider of the tenant's, and the number it has here."""

    name: str
    key: Ed25519PrivateKey
    id: int

    def token(self, **more: Any) -> str:
        claims = {"iss": self.name, "aud": "llm", "exp": int(time.time()) + 300, **more}
        return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": "k"})


def own_issuer(product: Product, chief: str, **fields: str) -> OwnIssuer:
    name, key = f"https://{secrets.token_hex(6)}.example", Ed25519PrivateKey.generate()
    x = jwt.utils.base64url_encode(key.public_key().public_bytes_raw()).decode()
    jwks = {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}
    assert chat(product, OwnIssuer(name, key, 0).token()).status == 401
    body = {"issuer": name, "audience": "llm", "jwks": jwks, **fields}
    made = control(product, "POST", "/api/v1/tenants/demo/issuers", body, chief)
    assert made.status == 201, made.body
    return OwnIssuer(name, key, made.body["id"])


def test_a_token_of_the_tenants_issuer_is_as_good_as_a_key_until_the_issuer_goes(product: Product, chief: str) -> None:
    issuer = own_issuer(product, chief)
    token = issuer.token()
    answers = list[Answer]()

    def is_taken() -> bool:
        answers.append(chat(product, token))
        return answers[-1].status == 200

    assert until(is_taken)
    answered = answers[-1].headers["x-request-id"]  # workers learn of an issuer one by one: the next may refuse it
    assert until(lambda: answered in {row["request_id"] for row in product.all_rows()})
    assert chat(product, issuer.token(exp=1)).status == 401
    assert chat(product, token[:-6] + "AAAAAA").status == 401
    gone = control(product, "DELETE", f"/api/v1/tenants/demo/issuers/{issuer.id}", token=chief)
    assert gone.status == 200
    assert until(lambda: chat(product, token).status == 401)


def test_a_policy_may_ask_for_the_roles_that_a_token_names(product: Product, chief: str) -> None:
    issuer = own_issuer(product, chief, role_claim="roles")
    intern, staff = issuer.token(roles=["staff", "intern"]), issuer.token(roles="staff")
    assert until(lambda: chat(product, staff).status == 200)
    product.policy(
        "extends: preset/standard\nfailure_mode: closed\n"
        "rules: [{id: interns, when: {kind: EMAIL, role: intern}, action: block}]\n"
    )
    asked = "write to anna.weber@weber-holz.de"
    assert until(lambda: chat(product, intern, asked).status == 400)
    assert {chat(product, key, asked).status for key in (staff, product.key)} == {200}
    assert chat(product, intern).status == 200
    blocked = chat(product, intern, asked).headers["x-request-id"]
    assert until(lambda: blocked in {row["request_id"] for row in product.all_rows()}, 30)
    (facts,) = [json.loads(row["facts"]) for row in product.all_rows() if row["request_id"] == blocked]
    assert facts["roles"] == ["staff", "intern"]


def test_a_key_opens_nothing_in_the_control_plane_and_a_token_nothing_in_the_data_plane(
    product: Product, chief: str
) -> None:
    assert control(product, "GET", "/api/v1/auth/session", token=product.key).status == 401
    assert chat(product, chief).status == 401
    assert chat(product, product.key).status == 200


def test_sign_ins_are_counted(product: Product, chief: str) -> None:
    text = ask("GET", f"{product.control_url}/metrics", None, {}).raw.decode()
    counted = {word: float(n) for word, n in re.findall(r'sign_ins_total\{result="(\w+)"\} (\S+)', text)}
    assert counted["ok"] >= 1
    assert counted["reused_refresh"] == 0


def test_no_secret_of_signing_in_reaches_a_log(product: Product, chief: str) -> None:
    log = product.log.read_text()
    assert not any(secret in log for secret in (chief, NEW, product.admin_password))
