"""Passwords: which are too weak, and that nobody learns anything from the time it takes."""

from __future__ import annotations

import time

import pytest
from argon2 import PasswordHasher

from proxy.control.access.passwords import LONGEST, Passwords, one_time_password, weakness

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.parametrize(
    "password",
    [
        "", "short", "elevenchars", "password1234", "PasswordPassword", "Welcome2026!!", "P@ssw0rd!2026",
        "abcdefghijkl", "123456789012", "9876543210987", "aaaaaaaaaaaa", "abcabcabcabc", "correcthorsebatterystaple",
        "annasmith2026!", "Anna.Smith.Acme", "summer winter 24", "letmein-letmein", "PromptShield2026",
        "qwertyuiop12", "with\na line break", "x" * (LONGEST + 1), "1q1q1q1q1q1q",
    ],
)  # fmt: skip
def test_a_weak_password_is_told_why(password: str) -> None:
    assert weakness(password, "anna.smith@acme.example")


@pytest.mark.parametrize(
    "password",
    ["kq7-vm2p-xx93-a", "xkcd-mountain-rivulet", "ünïcodepässwörd", "my dog ate 3 umbrellas", "пароль-очень-длинный"],
)
def test_a_good_password_passes(password: str) -> None:
    assert weakness(password, "anna.smith@acme.example") is None


def test_a_one_time_password_is_good_and_differs() -> None:
    made = {one_time_password() for _ in range(50)}
    assert len(made) == 50
    assert all(weakness(password, "admin") is None for password in made)


async def test_a_password_matches_however_it_was_typed() -> None:
    passwords = Passwords(CHEAP)
    hashed = await passwords.hash("re\u0301sume\u0301-longer")
    assert hashed.startswith("$argon2id$")
    assert await passwords.matches(hashed, "r\u00e9sum\u00e9-longer")
    assert not await passwords.matches(hashed, "resume-longer")


@pytest.mark.parametrize("hashed", ["", "rubbish", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "\x00"])
async def test_a_broken_hash_matches_nothing(hashed: str) -> None:
    assert not await Passwords(CHEAP).matches(hashed, "x")


@pytest.mark.parametrize("password", ["", "\x00", "\udc80", "x" * 100_000])
async def test_any_text_may_be_typed(password: str) -> None:
    passwords = Passwords(CHEAP)
    assert not await passwords.matches(await passwords.hash("correct-zebra-42"), password)


async def test_nobody_has_no_password_and_it_takes_as_long() -> None:
    """User enumeration by time. The real cost, best of several: a loaded machine only adds."""
    passwords = Passwords()
    hashed = await passwords.hash("correct-zebra-battery-42")
    await passwords.matches(None, "warm")
    took: dict[bool, float] = {}
    for known in (True, False):
        best = []
        for _ in range(2):
            began = time.perf_counter()
            assert not await passwords.matches(hashed if known else None, "wrong")
            best.append(time.perf_counter() - began)
        took[known] = min(best)
    assert 0.5 < took[True] / took[False] < 2


def test_a_hash_of_less_cost_is_outdated() -> None:
    assert Passwords().is_outdated(CHEAP.hash("x"))
    assert not Passwords(CHEAP).is_outdated(CHEAP.hash("x"))
