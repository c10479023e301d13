"""Vault, against a real HTTP server on loopback that speaks its KV version 2."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from detectors.errors import StorageError, UnavailableError
from storage.keys.encryption import KeyEncryptionKey, key_ring_source
from storage.keys.vault import VaultReference, read_vault

STRONG = "0123456789abcdef" * 2
REFERENCE = "vault://secret/apps/promptshield#kek"
Answers = dict[str, tuple[int, object]]


@pytest.fixture
def answers() -> Answers:
    """Status and body by path; what is not here is 404, as Vault says it."""
    secret = {"data": {"data": {"kek": STRONG, "number": 7}, "metadata": {"version": 3}}}
    return {"/v1/secret/data/apps/promptshield": (200, secret)}


@pytest.fixture
async def vault(answers: Answers) -> AsyncIterator[dict[str, str]]:
    """The environment of somebody who may read the secret."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.headers.get("X-Vault-Token") != "hvs.token":
            return web.json_response({"errors": ["permission denied"]}, status=403)
        status, body = answers.get(request.path, (404, {"errors": []}))
        if status in {301, 307}:
            return web.Response(status=status, headers={"Location": str(body)})
        return web.Response(text=body) if isinstance(body, str) else web.json_response(body, status=status)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield {"VAULT_ADDR": f"http://{host}:{port}/", "VAULT_TOKEN": "hvs.token", "PROMPTSHIELD_KEK": REFERENCE}
    await runner.cleanup()


async def read(reference: str, environment: dict[str, str]) -> str:
    return await read_vault(VaultReference.parse(reference, environment))


async def test_a_field_of_the_newest_version_is_read(vault: dict[str, str]) -> None:
    assert await read(REFERENCE, vault) == STRONG


async def test_it_can_be_the_key_encryption_key(vault: dict[str, str], tmp_path: Path) -> None:
    ring = await key_ring_source(tmp_path, vault).load()
    assert ring.current == KeyEncryptionKey.from_secret(STRONG)


@pytest.mark.parametrize("reference", ["vault://secret/apps/other#kek", "vault://secret/apps/promptshield#missing",
                                       "vault://secret/apps/promptshield#number"])  # fmt: skip
async def test_what_is_not_there_is_said_not_to_be(vault: dict[str, str], reference: str) -> None:
    with pytest.raises(StorageError) as caught:
        await read(reference, vault)
    assert not isinstance(caught.value, UnavailableError)
    assert STRONG not in str(caught.value)


async def test_a_refused_token_is_not_quoted(vault: dict[str, str]) -> None:
    with pytest.raises(StorageError, match="403") as caught:
        await read(REFERENCE, vault | {"VAULT_TOKEN": "hvs.wrong"})
    assert "hvs.wrong" not in str(caught.value) + repr(
        VaultReference.parse(REFERENCE, vault | {"VAULT_TOKEN": "hvs.wrong"})
    )


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_sealed_or_busy_vault_may_be_asked_later(vault: dict[str, str], answers: Answers, status: int) -> None:
    answers["/v1/secret/data/apps/promptshield"] = (status, {"errors": ["Vault is sealed"]})
    with pytest.raises(UnavailableError, match=str(status)):
        await read(REFERENCE, vault)


async def test_a_vault_that_is_away_may_be_asked_later(vault: dict[str, str]) -> None:
    with pytest.raises(UnavailableError):
        await read(REFERENCE, vault | {"VAULT_ADDR": "http://127.0.0.1:1"})


async def test_the_token_follows_no_redirect(vault: dict[str, str], answers: Answers) -> None:
    answers["/v1/secret/data/apps/promptshield"] = (307, "http://127.0.0.1:1/")
    with pytest.raises(StorageError, match="307"):
        await read(REFERENCE, vault)


async def test_an_answer_that_is_no_json_is_refused_unquoted(vault: dict[str, str], answers: Answers) -> None:
    answers["/v1/secret/data/apps/promptshield"] = (200, "<html>secret</html>")
    with pytest.raises(StorageError) as caught:
        await read(REFERENCE, vault)
    assert "html" not in str(caught.value)


@pytest.mark.parametrize(
    "reference", ["vault://", "vault://secret#x", "vault://secret/path", "vault://secret/../sys#x"]
)
def test_a_malformed_reference_is_refused(reference: str) -> None:
    with pytest.raises(StorageError, match="expected vault://"):
        VaultReference.parse(reference, {"VAULT_ADDR": "http://x", "VAULT_TOKEN": "t"})


@pytest.mark.parametrize(
    "environment", [{}, {"VAULT_ADDR": "http://x"}, {"VAULT_ADDR": "file:///x", "VAULT_TOKEN": "t"}]
)
def test_without_address_and_token_there_is_no_vault(environment: dict[str, str]) -> None:
    with pytest.raises(StorageError, match="VAULT_ADDR"):
        VaultReference.parse(REFERENCE, environment)
