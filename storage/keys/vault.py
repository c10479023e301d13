"""Secrets out of HashiCorp Vault: one field of a KV version 2 secret, read over HTTP.

API: developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, "Read secret version".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

import aiohttp
import orjson

from detectors.errors import StorageError, UnavailableError

_SCHEME: Final = "vault://"
_REFERENCE: Final = re.compile(r"vault://(?P<mount>[^/#\s]+)/(?P<path>[^#\s]+)#(?P<field>[^#\s]+)")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class VaultReference:
    """`vault://<mount>/<path>#<field>` at a server, with the token that may read it."""

    address: str
    token: str = field(repr=False)
    mount: str
    path: str
    field_name: str

    @classmethod
    def parse(cls, reference: str, environment: Mapping[str, str]) -> VaultReference:
        """Read a reference; VAULT_ADDR and VAULT_TOKEN say the rest. Raises StorageError."""
        match = _REFERENCE.fullmatch(reference)
        if match is None or ".." in match["path"].split("/"):
            raise StorageError("expected vault://<mount>/<path>#<field>")
        address, token = environment.get("VAULT_ADDR", ""), environment.get("VAULT_TOKEN", "")
        if urlsplit(address).scheme not in {"http", "https"} or not token:
            raise StorageError("a vault:// reference needs VAULT_ADDR (http or https) and VAULT_TOKEN")
        return cls(address.rstrip("/"), token, match["mount"], match["path"], match["field"])

    @property
    def url(self) -> str:
        return f"{self.address}/v1/{quote(self.mount)}/data/{quote(self.path)}"


def is_vault(reference: str) -> bool:
    return reference.startswith(_SCHEME)


async def read_vault(reference: VaultReference) -> str:
    """Return the field of the secret's newest version.

    Raises UnavailableError while Vault is away, sealed or busy; StorageError for a refused token, a missing secret or
    field, or an answer that is no Vault's.
    """
    headers = {"X-Vault-Token": reference.token, "X-Vault-Request": "true"}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.get(reference.url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise _refusal(response.status)
            answer = b"".join([chunk async for chunk in response.content.iter_any()])
            return _field(answer, reference.field_name)
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise UnavailableError(f"Vault does not answer: {type(exc).__name__}") from exc


def _refusal(status: int) -> StorageError:
    if status in {429, 472, 473} or status >= 500:  # 503 is a sealed Vault
        return UnavailableError(f"Vault cannot serve ({status})")
    reasons = {403: "VAULT_TOKEN may not read this secret", 404: "there is no such secret"}
    return StorageError(f"Vault: {reasons.get(status, 'it refused the request')} ({status})")


def _field(answer: bytes, name: str) -> str:
    try:
        value = orjson.loads(answer)["data"]["data"][name]
    except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
        # Unchained: the parser's message may quote what it read.
        raise StorageError(f"Vault: the secret has no field '{name}' ({type(exc).__name__})") from None
    if not isinstance(value, str):
        raise StorageError(f"Vault: field '{name}' is no text")
    return value
