"""Signing in: by password, with a second factor where there is one; told to nobody which of them was wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.errors import AccessError
from proxy.control.access.audit import NOBODY, note
from proxy.control.access.parts import Access
from proxy.control.access.passwords import LONGEST
from proxy.control.access.places import Place
from storage.accounts.sealing import hash_token
from storage.accounts.sessions import Begun
from storage.accounts.throttle import Gate
from storage.accounts.users import User, is_user_name
from storage.accounts.waiting import JsonObject, Waits

_QUARTER_HOUR: Final = 900.0


@dataclass(frozen=True, slots=True)
class SignInStep:
    """What a step of a sign-in came to: a session, or `waiting`, the token of one that wants a code."""

    user: User
    begun: Begun | None = None
    waiting: str = ""


async def with_password(access: Access, name: str, password: str, place: Place, *, in_browser: bool) -> SignInStep:
    """Raises AccessError: 401 the same for every reason, 429 with the seconds to wait."""
    name, began = name.strip().lower(), time.monotonic()
    gates = _password_gates(name, place)
    await _pass(access, gates)
    # The same steps, in the same time, whether there is such a user or not.
    user = await access.users.find(name if is_user_name(name) else "-")
    hashed = await access.users.password_hash(user.id if user else 0)
    right = await access.passwords.matches(hashed, password if len(password) <= 4 * LONGEST else "")
    if user is None or not user.enabled or not right or hashed is None:
        await _note_failure(access, user, place)
        await asyncio.sleep(max(0.0, began + access.shortest_failure - time.monotonic()))
        raise AccessError(401, "wrong_credentials", "Name or password are wrong.")
    await access.throttle.succeed(gates)
    if access.passwords.is_outdated(hashed):
        hashed = await _strengthened(access, user, hashed, password)
    if user.second_factor:
        access.sign_ins["code_wanted"] += 1
        content = {"user": user.id, "in_browser": in_browser, "password": _mark(access, hashed)}
        return SignInStep(user, waiting=await access.waiting.begin(Waits.CODE, content))
    return await begin_session(
        access, user, place, second_factor=False, in_browser=in_browser, password=_mark(access, hashed)
    )


async def _strengthened(access: Access, user: User, hashed: str, password: str) -> str:
    """Hash a password anew; return what is kept of it by now, which may be another sign-in's work."""
    await access.users.rehash(user.id, hashed, await access.passwords.hash(password))
    kept = await access.users.password_hash(user.id)
    return kept if kept and await access.passwords.matches(kept, password) else hashed


async def with_code(access: Access, waiting: str, code: str, place: Place, *, in_browser: bool) -> SignInStep:
    """Finish a sign-in that wants a code. Raises AccessError: 401 `wrong_code`, `sign_in_ended`; 429."""
    content = await access.waiting.attempt(Waits.CODE, waiting)
    user = await _who_waits(access, content, in_browser=in_browser)
    if user is None or content is None:
        raise AccessError(401, "sign_in_ended", "This sign-in has ended: begin it again.")
    gates = (Gate("code", str(user.id), free=5, longest=_QUARTER_HOUR),)
    await _pass(access, gates)
    if not await access.codes.accepts(user.id, code):
        await _note_failure(access, user, place, "code")
        raise AccessError(401, "wrong_code", "The code is wrong, or was used already.")
    if await access.waiting.finish(Waits.CODE, waiting) is None:
        raise AccessError(401, "sign_in_ended", "This sign-in has ended: begin it again.")
    await access.throttle.succeed(gates)
    return await begin_session(
        access, user, place, second_factor=True, in_browser=in_browser, password=content["password"]
    )


async def begin_session(
    access: Access, user: User, place: Place, *, second_factor: bool, in_browser: bool, password: str = ""
) -> SignInStep:
    """Let somebody in whom we believe, under a new token, and write it down.

    Raises AccessError 401 if the password (its mark) was changed since it was shown: whoever did that has ended all
    sessions that there were, and this one was none yet.
    """
    begun = await access.sessions.begin(
        user.id, network=place.network, agent=place.agent, second_factor=second_factor, in_browser=in_browser
    )
    if password and password != _mark(access, await access.users.password_hash(user.id) or ""):
        await access.sessions.end(user.id, begun.id, "the password was changed")
        raise AccessError(401, "sign_in_ended", "This sign-in has ended: begin it again.")
    await access.users.note_sign_in(user.id)
    await note(
        access, f"user:{user.name}", "sign_in", tenant_id=user.tenant_id, target=user.name, network=place.network,
        second_factor=second_factor, in_browser=in_browser, session=begun.id,
    )  # fmt: skip
    access.sign_ins["ok"] += 1
    return SignInStep(user, begun)


async def _who_waits(access: Access, content: JsonObject | None, *, in_browser: bool) -> User | None:
    """Return whose sign-in waits, unless the account or its password have changed since it began."""
    if content is None or content["in_browser"] is not in_browser:
        return None
    user = await access.users.get(content["user"])
    hashed = await access.users.password_hash(content["user"])
    return user if user and user.enabled and hashed and content["password"] == _mark(access, hashed) else None


def _mark(access: Access, hashed: str) -> str:
    """A name for a password's hash that tells two apart."""
    return hash_token(access.csrf_key, hashed).hex()


async def insist_on_password(access: Access, user: User, password: str, place: Place) -> None:
    """Ask somebody who is signed in for the password again. Raises AccessError 401, 429."""
    gates = _password_gates(user.name, place)
    await _pass(access, gates)
    if not await access.passwords.matches(await access.users.password_hash(user.id), password):
        await _note_failure(access, user, place)
        raise AccessError(401, "wrong_credentials", "The password is wrong.")
    await access.throttle.succeed(gates)


def _password_gates(name: str, place: Place) -> tuple[Gate, ...]:
    """An account is shut for long only to where the failures come from, so that nobody is kept out by others."""
    return (
        Gate("account and network", f"{name} {place.neighbourhood}", free=5, longest=_QUARTER_HOUR),
        Gate("account", name, free=20, longest=60.0),
        Gate("network", place.neighbourhood, free=30, longest=_QUARTER_HOUR, forgiven=False),
    )


async def _pass(access: Access, gates: Sequence[Gate]) -> None:
    seconds = await access.throttle.take(gates)
    if seconds:
        access.sign_ins["throttled"] += 1
        raise AccessError(429, "too_many_tries", "Too many failed tries: wait a little.", retry_after=seconds)


async def _note_failure(access: Access, user: User | None, place: Place, what: str = "password") -> None:
    """Of an unknown account not even the name: people type passwords there."""
    access.sign_ins["wrong_code" if what == "code" else "wrong"] += 1
    left_out = access.failures.admit_for("user" if user else "unknown", user.id if user else 0)
    if left_out is None:
        return
    await note(
        access, NOBODY, "sign_in.failed", tenant_id=user.tenant_id if user else None,
        target=user.name if user else "an unknown account", network=place.network, what=what,
        not_noted_before=left_out or None,
    )  # fmt: skip
