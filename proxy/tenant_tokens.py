"""Tokens of a tenant's own issuer in the place of an API key: verified once, then known until they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import jwt

from detectors.errors import IdentityError
from storage.tenants.issuers import OUR_AUDIENCE, Issuer
from storage.types import Identity

JsonObject = dict[str, Any]
# Asymmetric ones alone: an issuer's keys are public.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
DEFAULT_APP: Final = "default"
_LONGEST: Final = 8192
_LEEWAY: Final = 30.0  # seconds that clocks may be apart
_MOST_ISSUERS: Final = 1000  # remembered, unknown ones too
_BELIEVED: Final = 600.0  # seconds until a token is verified anew: its issuer may have withdrawn the key
_MOST_ROLES, _LONGEST_ROLE = 32, 100
_NO_KEY: Final = 0  # `Identity.key_id` of who has none


class IssuerStore(Protocol):
    async def find(self, issuer: str) -> tuple[Issuer, ...]: ...
    async def find_app(self, tenant_id: int, app: str) -> int | None: ...


class KeySets(Protocol):
    async def key(self, issuer: Issuer, kid: str | None) -> JsonObject | None:
        """Return a key (JWK). Raises IdentityError, `unavailable`, where its set cannot be had."""


def looks_like_token(key: str) -> bool:
    """Whether it could be a JWT: three parts, the first of which begins an object."""
    return key.startswith("eyJ") and key.count(".") == 2 and len(key) <= _LONGEST


class TenantTokens:
    """`clock` is in epoch seconds."""

    def __init__(self, issuers: IssuerStore, key_sets: KeySets, clock: Callable[[], float]) -> None:
        self._issuers, self._key_sets, self._clock = issuers, key_sets, clock
        self._known: dict[str, tuple[Issuer, ...]] = {}
        self._round = 0
        self._asking = asyncio.Semaphore(8)  # apart from that of keys: an issuer may be slow

    def forget(self) -> None:
        """Ask anew: something in the table has changed."""
        self._known.clear()
        self._round += 1

    async def find(self, token: str) -> Identity | None:
        """Return whom a token is of, None for one that holds for no tenant, or for several.

        Raises IdentityError, `unavailable`, where it cannot be verified at the moment; StorageError.
        """
        try:
            header = jwt.get_unverified_header(token)
            said = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        issuer, algorithm, kid = said.get("iss"), header.get("alg"), header.get("kid")
        if not isinstance(issuer, str) or algorithm not in ALGORITHMS or "crit" in header or len(issuer) > 500:
            return None
        if not isinstance(kid, str | None) or OUR_AUDIENCE in _listed(said.get("aud")):
            return None
        async with self._asking:
            held = [
                (each, await self._held(each, token, issuer, algorithm, kid)) for each in await self._sayings(issuer)
            ]
        return _the_one(held)

    async def _sayings(self, issuer: str) -> tuple[Issuer, ...]:
        if issuer not in self._known:
            if len(self._known) >= _MOST_ISSUERS:
                self._known.clear()
            round_ = self._round
            found = await self._issuers.find(issuer)
            if round_ != self._round:  # it may be older than what made us forget
                return found
            self._known[issuer] = found
        return self._known[issuer]

    async def _held(self, issuer: Issuer, token: str, name: str, algorithm: str, kid: str | None) -> Identity | None:
        """Return the identity if a token holds for what one tenant says of its issuer."""
        key = await self._key_sets.key(issuer, kid)
        if key is None:
            return None
        try:
            claims: JsonObject = jwt.decode(
                token,
                jwt.PyJWK(key, algorithm=algorithm),
                algorithms=[algorithm],
                audience=issuer.audience,
                issuer=name,
                leeway=_LEEWAY,
                options={
                    "require": ["iss", "aud", "exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return await self._identity(issuer, claims) if self._is_of_now(claims) and _fits(issuer, claims) else None

    async def _identity(self, issuer: Issuer, claims: JsonObject) -> Identity | None:
        app = claims.get(issuer.app_claim) if issuer.app_claim else DEFAULT_APP
        app_id = await self._issuers.find_app(issuer.tenant_id, app) if isinstance(app, str) else None
        roles = _roles(issuer, claims)
        if app_id is None or roles is None:
            return None
        ends = min(float(claims["exp"]), self._clock() + _BELIEVED)
        return Identity(issuer.tenant_id, issuer.tenant, app_id, str(app), _NO_KEY, ends, roles=roles)

    def _is_of_now(self, claims: JsonObject) -> bool:
        now, begins, ends = self._clock(), claims.get("nbf", 0), claims["exp"]
        return _is_time(begins) and _is_time(ends) and begins <= now + _LEEWAY and now < ends


def _the_one(held: Sequence[tuple[Issuer, Identity | None]]) -> Identity | None:
    """Whom a token names as its tenant goes before who says that its issuer is theirs; of several there is none."""
    found = [(issuer, identity) for issuer, identity in held if identity is not None]
    named = [identity for issuer, identity in found if issuer.tenant_claim]
    candidates = named or [identity for _, identity in found]
    return candidates[0] if len(candidates) == 1 else None


def _fits(issuer: Issuer, claims: JsonObject) -> bool:
    wanted = dict(issuer.claims) | ({issuer.tenant_claim: issuer.tenant} if issuer.tenant_claim else {})
    return all(value in _listed(claims.get(name)) for name, value in wanted.items())


def _roles(issuer: Issuer, claims: JsonObject) -> tuple[str, ...] | None:
    """Return the roles that a token names, one or a list; None for what cannot be roles, so that no rule misses one."""
    said = _listed(claims.get(issuer.role_claim, [])) if issuer.role_claim else []
    sound = len(said) <= _MOST_ROLES and all(
        isinstance(role, str) and role.isprintable() and len(role) <= _LONGEST_ROLE for role in said
    )
    return tuple(said) if sound else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11


def unverifiable(issuer: Issuer) -> IdentityError:
    return IdentityError(f"the keys of an issuer of {issuer.tenant} cannot be had", unavailable=True)
