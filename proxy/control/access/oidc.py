"""Signing in with a provider: the authorisation code flow with PKCE, state and nonce (OpenID Connect Core)."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import jwt

from detectors.errors import AccessError
from proxy.control.access.oidc_provider import OidcProvider
from proxy.control.access.types import AdminRole
from proxy.control.settings import OidcSettings, RoleMapping
from storage.accounts.sealing import new_token
from storage.accounts.waiting import WaitingSignIns, Waits

JsonObject = dict[str, Any]
CALLBACK: Final = "/api/v1/auth/oidc/callback"
# Asymmetric ones alone: with HMAC our client secret would be the key.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LEEWAY: Final = 30.0  # seconds that clocks may be apart
_OLDEST: Final = 600.0
_NAME: Final = re.compile(r"[^a-z0-9._@+-]+")


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser is sent, and what its cookie holds until it is back."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for, what they are here, and the page that they wanted."""

    issuer: str
    subject: str
    name: str
    role: AdminRole
    tenant: str | None
    second_factor: bool
    wanted: str


class OidcSignIn:
    """`clock` is in epoch seconds."""

    def __init__(
        self, settings: OidcSettings, provider: OidcProvider, waiting: WaitingSignIns, clock: Callable[[], float]
    ) -> None:
        self.name = settings.name
        self._settings, self._provider, self._waiting, self._clock = settings, provider, waiting, clock

    async def depart(self, origin: str, wanted: str) -> Departure:
        """Begin a sign-in; `origin` is how browsers reach us, `wanted` a page of ours. Raises AccessError 502."""
        configuration = await self._provider.configuration()
        browser, nonce, verifier = new_token(), new_token(), secrets.token_urlsafe(48)
        redirect = origin + CALLBACK
        content = {
            "browser": hashlib.sha256(browser.encode()).hexdigest(),
            "nonce": nonce, "verifier": verifier, "redirect": redirect, "wanted": wanted,
        }  # fmt: skip
        query = {
            "response_type": "code", "client_id": self._settings.client_id, "redirect_uri": redirect,
            "scope": " ".join(self._settings.scopes), "state": await self._waiting.begin(Waits.OIDC, content),
            "nonce": nonce, "code_challenge": _challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        endpoint = str(configuration["authorization_endpoint"])
        return Departure(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", browser)

    async def arrive(self, query: Mapping[str, str], browser: str) -> Vouched:
        """Finish a sign-in, once, in the browser that began it.

        Raises AccessError: 400 for what is no answer to a sign-in of ours, 403 for whom no role is meant, 502 for a
        provider that answers wrongly.
        """
        content = await self._waiting.finish(Waits.OIDC, query.get("state", ""))
        if content is None or not secrets.compare_digest(
            content["browser"], hashlib.sha256(browser.encode()).hexdigest()
        ):
            raise AccessError(
                400, "unknown_state", "This sign-in was not begun in this browser, or has ended: begin again."
            )
        if not await self._is_from(query.get("iss")):
            raise AccessError(400, "wrong_issuer", "The answer comes from another provider than was asked.")
        if "error" in query or not query.get("code"):
            raise AccessError(403, "provider_refused", "The provider did not sign you in.")
        answer = await self._provider.redeem(query["code"], content["verifier"], content["redirect"])
        claims = await self._verified(answer.get("id_token"), content["nonce"])
        return self._vouched(claims, content["wanted"])

    async def _is_from(self, issuer: str | None) -> bool:
        """Tell whether an answer is that of our provider, as far as it says so (RFC 9207)."""
        if issuer is None:
            return (await self._provider.configuration()).get(
                "authorization_response_iss_parameter_supported"
            ) is not True
        return issuer.rstrip("/") == self._settings.issuer

    async def _verified(self, token: Any, nonce: str) -> JsonObject:
        if not isinstance(token, str):
            raise _untrue("it sent no identity token")
        issuer = str((await self._provider.configuration())["issuer"])
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS or "crit" in header:
                raise _untrue("its token is signed in a way that is not taken")
            key = jwt.PyJWK(await self._provider.key(header.get("kid")), algorithm=header["alg"])
            claims: JsonObject = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=self._settings.client_id,
                issuer=issuer,
                options={
                    "require": ["iss", "aud", "sub", "exp", "iat", "nonce"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError) as exc:
            raise _untrue("its token does not hold") from exc
        self._insist(claims, nonce)
        return claims

    def _insist(self, claims: JsonObject, nonce: str) -> None:
        now, issued, ends = self._clock(), claims["iat"], claims["exp"]
        if not all(isinstance(at, int | float) and not isinstance(at, bool) for at in (issued, ends)):
            raise _untrue("its token holds no times")
        if not (now - _OLDEST < issued <= now + _LEEWAY and now - _LEEWAY < ends):
            raise _untrue("its token is not of now")
        if not secrets.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise _untrue("its token answers another sign-in")
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self._settings.client_id:
            raise _untrue("its token is for somebody else")

    def _vouched(self, claims: JsonObject, wanted: str) -> Vouched:
        mapping = next((mapping for mapping in self._settings.roles if _has(claims, mapping)), None)
        if mapping is None:
            raise AccessError(403, "no_role", "The provider knows you, but no role here is meant for you.")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise _untrue("its token names nobody")
        references = claims.get("amr")
        shown = set(map(str, references)) if isinstance(references, list) else set()
        return Vouched(
            issuer=self._settings.issuer, subject=subject, name=_called(claims, self._settings.issuer, subject),
            role=mapping.role, tenant=mapping.tenant, wanted=wanted,
            second_factor=bool(shown & set(self._settings.second_factor_claims)),
        )  # fmt: skip


def _has(claims: JsonObject, mapping: RoleMapping) -> bool:
    value = claims.get(mapping.claim)
    return mapping.value in value if isinstance(value, list) else value == mapping.value


def _called(claims: JsonObject, issuer: str, subject: str) -> str:
    """A name to show, told apart by the subject: what else a provider says of somebody may change hands."""
    shown = next((claims[c] for c in ("email", "preferred_username", "name") if isinstance(claims.get(c), str)), "user")
    plain = _NAME.sub("-", shown.lower()).strip("-._@+")[:80] or "user"
    return f"oidc:{plain}+{hashlib.sha256(f'{issuer} {subject}'.encode()).hexdigest()[:8]}"


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _untrue(why: str) -> AccessError:
    return AccessError(502, "provider_failed", f"The sign-in provider cannot be believed: {why}.")
