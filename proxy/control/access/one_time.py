"""One-time codes: TOTP (RFC 6238) of which each is good once, and recovery codes."""

from __future__ import annotations

import io
import re
import secrets
import time
from collections.abc import Callable
from typing import Final

import pyotp
import segno

from storage.accounts.second_factors import SecondFactors

ISSUER: Final = "PromptShield"
RECOVERY_CODES: Final = 10
_STEP: Final = 30  # seconds
_DRIFT: Final = 1  # steps that a clock may be off
_EASY: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_RECOVERY: Final = re.compile(rf"[{_EASY}]{{10}}")


class OneTimeCodes:
    """`clock` is in epoch seconds."""

    def __init__(self, store: SecondFactors, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock

    async def begin(self, user_id: int) -> str | None:
        """Return a new secret (base32) that is to be confirmed; None if a second factor is confirmed already."""
        secret = pyotp.random_base32()
        return secret if await self._store.begin(user_id, secret) else None

    async def pending_secret(self, user_id: int) -> str | None:
        """Return the secret that is to be confirmed; one that is confirmed is never shown again."""
        factor = await self._store.find(user_id)
        return None if factor is None or factor.confirmed else factor.secret

    async def confirm(self, user_id: int, code: str) -> tuple[str, ...] | None:
        """Turn the second factor on; return the recovery codes, shown this once, or None for a wrong code."""
        factor = await self._store.find(user_id)
        if factor is None or factor.confirmed or not await self._is_current(user_id, factor.secret, code):
            return None
        codes = tuple("".join(secrets.choice(_EASY) for _ in range(10)) for _ in range(RECOVERY_CODES))
        return tuple(f"{c[:5]}-{c[5:]}" for c in codes) if await self._store.confirm(user_id, codes) else None

    async def accepts(self, user_id: int, code: str) -> bool:
        """Tell whether a code, of either kind, is good; it is not a second time."""
        factor = await self._store.find(user_id)
        if factor is None or not factor.confirmed:
            return False
        if await self._is_current(user_id, factor.secret, code):
            return True
        recovery = code.strip().lower().replace("-", "").replace(" ", "")
        return _RECOVERY.fullmatch(recovery) is not None and await self._store.use_recovery_code(user_id, recovery)

    async def _is_current(self, user_id: int, secret: str, code: str) -> bool:
        digits = code.strip().replace(" ", "")
        if len(digits) != 6 or not (digits.isascii() and digits.isdecimal()):
            return False
        totp, now = pyotp.TOTP(secret), int(self._clock()) // _STEP
        steps = [
            s for s in range(now - _DRIFT, now + _DRIFT + 1) if secrets.compare_digest(totp.generate_otp(s), digits)
        ]
        return bool(steps) and await self._store.use_step(user_id, max(steps))


def provisioning_uri(secret: str, name: str) -> str:
    """Return what an authenticator app reads: an otpauth:// address."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def qr_picture(uri: str) -> bytes:
    """Return the address as a QR code, a PNG."""
    picture = io.BytesIO()
    segno.make(uri, error="m").save(picture, kind="png", scale=5, border=4)
    return picture.getvalue()
