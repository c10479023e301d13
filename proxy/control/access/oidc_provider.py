"""What is asked of a provider of sign-ins: its configuration, its keys, and a code's tokens. Only where it may be."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from detectors.errors import AccessError, UnavailableError
from proxy.control.settings import OidcSettings
from storage.egress import Destination, Egress

JsonObject = dict[str, Any]
_MOST: Final = 256 << 10  # bytes of an answer
_KEPT: Final = 3600.0  # seconds
_AGAIN: Final = 60.0  # until keys are read again for one that is unknown
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_FORM: Final = "application/x-www-form-urlencoded"


class OidcProvider:
    """`clock` is monotonic, in seconds."""

    def __init__(self, settings: OidcSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._configuration: JsonObject = {}
        self._keys: JsonObject = {}
        self._configured_at = self._keys_at = -inf

    async def configuration(self) -> JsonObject:
        """Return the discovery document. Raises AccessError 502 unless it is the one of the issuer we know."""
        if self._clock() - self._configured_at > _KEPT:
            found = await self._get(self._settings.issuer + _WELL_KNOWN)
            # Another issuer's endpoints would be a mix-up (RFC 9207): the document speaks for itself alone.
            if found.get("issuer") not in {self._settings.issuer, f"{self._settings.issuer}/"}:
                raise _broken("its configuration names another issuer")
            if not all(isinstance(found.get(name), str) and _is_address(found[name]) for name in _NEEDED):
                raise _broken("its configuration lacks an endpoint")
            self._configuration, self._configured_at = found, self._clock()
        return self._configuration

    async def key(self, kid: str | None) -> JsonObject:
        """Return a signing key (JWK), read anew if it is unknown. Raises AccessError 502."""
        age = self._clock() - self._keys_at
        found = self._find(kid)
        if age > _KEPT or (found is None and age > _AGAIN):
            self._keys = await self._get(str((await self.configuration())["jwks_uri"]))
            self._keys_at = self._clock()
            found = self._find(kid)
        if found is None:
            raise _broken("its token is signed by a key that it does not show")
        return found

    async def redeem(self, code: str, verifier: str, redirect: str) -> JsonObject:
        """Return the token endpoint's answer to a code. Raises AccessError 502."""
        body = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect}
        pair = f"{quote(self._settings.client_id, safe='')}:{quote(self._settings.client_secret, safe='')}"
        headers = {
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": _FORM,
            "Accept": "application/json",
        }
        endpoint = str((await self.configuration())["token_endpoint"])
        return await self._ask(endpoint, urlencode(body).encode(), headers)

    async def _get(self, url: str) -> JsonObject:
        return await self._ask(url, None, {"Accept": "application/json"})

    async def _ask(self, url: str, body: bytes | None, headers: Mapping[str, str]) -> JsonObject:
        egress = Egress(Destination(url, self._settings.allow_networks, timeout=self._settings.timeout), 1)
        try:
            answer = await (egress.get(headers, _MOST) if body is None else egress.fetch("", body, headers, _MOST))
        except UnavailableError as exc:
            raise _broken("it cannot be reached") from exc
        finally:
            await egress.close()
        if answer.status != 200 or not answer.complete:
            raise _broken(f"it answered with status {answer.status}")
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError as exc:
            raise _broken("its answer is no JSON") from exc
        if not isinstance(document, dict):
            raise _broken("its answer is no JSON object")
        return document

    def _find(self, kid: str | None) -> JsonObject | None:
        keys = self._keys.get("keys")
        signing = (
            [k for k in keys if isinstance(k, dict) and k.get("use", "sig") == "sig"] if isinstance(keys, list) else []
        )
        if kid is None:
            return signing[0] if len(signing) == 1 else None
        return next((key for key in signing if key.get("kid") == kid), None)


def _is_address(url: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"}  # egress says where plain HTTP may be spoken


def _broken(why: str) -> AccessError:
    return AccessError(502, "provider_failed", f"The sign-in provider cannot be used: {why}.")
