"""Access tokens of the control plane: JWTs (RFC 9068) signed with Ed25519, for ten minutes."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from detectors.errors import AccessError
from storage.accounts.token_keys import PublicKey, TokenKeys
from storage.tenants.issuers import OUR_AUDIENCE

LIFE: Final = 600  # seconds
_TYPE: Final = "at+jwt"
_ALGORITHM: Final = "EdDSA"
_KID: Final = re.compile(r"[0-9a-f]{16}")
_REQUIRED: Final = ("iss", "aud", "sub", "exp", "nbf", "iat", "jti", "sid", "role", "tenant")
_SUBJECT: Final = re.compile(r"(user|service-account):([1-9][0-9]{0,17})")
_LONGEST: Final = 4096
_REMEMBERED_FOR: Final = 30.0  # seconds that public keys are not read again
_ASKED_EVERY: Final = 1.0

JsonObject = dict[str, Any]
SubjectKind = Literal["user", "service-account"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token is for. `session` is a user's session, or the id of a service account's secret."""

    kind: SubjectKind
    id: int
    session: str
    role: str
    tenant: str | None


class AccessTokens:
    """`issuer` is the control plane's own name; `clock` is in epoch seconds."""

    def __init__(self, keys: TokenKeys, issuer: str, clock: Callable[[], float] = time.time) -> None:
        self._keys, self._issuer, self._clock = keys, issuer, clock
        self._believed: dict[str, PublicKey] = {}
        self._read_at = -inf

    async def issue(self, subject: Subject) -> str:
        kid, private = await self._keys.current()
        if kid not in self._believed:
            self._read_at = -inf
        now = int(self._clock())
        claims: JsonObject = {
            "iss": self._issuer,
            "aud": OUR_AUDIENCE,
            "sub": f"{subject.kind}:{subject.id}",
            "sid": subject.session,
            "role": subject.role,
            "tenant": subject.tenant or "",  # `require` takes null for a missing claim
            "jti": secrets.token_hex(16),
            "iat": now,
            "nbf": now,
            "exp": now + LIFE,
        }
        return jwt.encode(claims, private, algorithm=_ALGORITHM, headers={"kid": kid, "typ": _TYPE})

    async def read(self, token: str) -> Subject:
        """Return whom a token is for. Raises AccessError 401, which says no more to whoever made it up."""
        try:
            public = await self._key_of(token)
            claims = jwt.decode(
                token,
                Ed25519PublicKey.from_public_bytes(public.public),
                algorithms=[_ALGORITHM],
                audience=OUR_AUDIENCE,
                issuer=self._issuer,
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            self._insist_on_time(claims)
            return _subject(claims)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as exc:
            raise _refused() from exc

    async def key_set(self) -> JsonObject:
        """Return the public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        keys = await self._keys.believed()
        return {"keys": [_jwk(key) for key in keys]}

    async def _key_of(self, token: str) -> PublicKey:
        """The key is one of ours or none: what else a header names (`jku`, `x5u`, `jwk`) is never looked at."""
        if len(token) > _LONGEST:
            raise ValueError("too long")
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header.get("typ") != _TYPE or header.get("alg") != _ALGORITHM or "crit" in header:
            raise ValueError("not one of ours")
        if not isinstance(kid, str) or _KID.fullmatch(kid) is None:
            raise ValueError("no kid of ours")
        age = self._clock() - self._read_at  # below 0 once the clock was set back
        # Made-up key ids are not worth a question each.
        if not 0 <= age <= (_REMEMBERED_FOR if kid in self._believed else _ASKED_EVERY):
            await self._read_keys()
        return self._believed[kid]

    async def _read_keys(self) -> None:
        self._believed = {key.kid: key for key in await self._keys.believed()}
        self._read_at = self._clock()

    def _insist_on_time(self, claims: JsonObject) -> None:
        """By our own clock, which tests can set."""
        now = self._clock()
        begins, ends = claims["nbf"], claims["exp"]
        if isinstance(begins, bool) or isinstance(ends, bool) or not begins - 5 <= now < ends or ends - begins > LIFE:
            raise ValueError("not now")


def _subject(claims: JsonObject) -> Subject:
    match = _SUBJECT.fullmatch(claims["sub"])
    if match is None or not all(isinstance(claims[name], str) for name in ("sid", "role", "tenant")):
        raise ValueError("no subject of ours")
    kind: SubjectKind = "user" if match[1] == "user" else "service-account"
    return Subject(kind, int(match[2]), claims["sid"], claims["role"], claims["tenant"] or None)


def _jwk(key: PublicKey) -> JsonObject:
    x = jwt.utils.base64url_encode(key.public).decode()
    return {"kty": "OKP", "crv": "Ed25519", "alg": _ALGORITHM, "use": "sig", "kid": key.kid, "x": x}


def _refused() -> AccessError:
    return AccessError(401, "invalid_token", "The access token is not valid here, or no longer: refresh it or sign in.")
