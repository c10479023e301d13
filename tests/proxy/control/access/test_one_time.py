"""One-time codes: taken once, in their time, of their owner."""

from __future__ import annotations

import pyotp
import pytest

from proxy.control.access.one_time import provisioning_uri, qr_picture
from tests.proxy.control.access.conftest import Plane

pytestmark = pytest.mark.slow  # a database of their own


async def test_a_code_is_good_in_its_half_minute_and_the_ones_beside_it(plane: Plane) -> None:
    user = await plane.user()
    phone, _ = await plane.enrol(user)
    now = int(plane.clock.now)
    for drift, good in ((-60, False), (60, False), (-30, True), (0, True), (30, True)):
        assert await plane.access.codes.accepts(user.id, phone.at(now + drift)) is good


async def test_a_code_is_not_taken_twice_nor_one_before_it(plane: Plane) -> None:
    user = await plane.user()
    phone, _ = await plane.enrol(user)
    now = int(plane.clock.now)
    assert await plane.access.codes.accepts(user.id, phone.at(now))
    assert not await plane.access.codes.accepts(user.id, phone.at(now))
    assert not await plane.access.codes.accepts(user.id, phone.at(now - 30))


async def test_the_code_that_turned_it_on_opens_nothing_afterwards(plane: Plane) -> None:
    user = await plane.user()
    secret = await plane.access.codes.begin(user.id)
    assert secret is not None
    code = pyotp.TOTP(secret).at(int(plane.clock.now))
    assert await plane.access.codes.confirm(user.id, code)
    assert not await plane.access.codes.accepts(user.id, code)


async def test_nothing_is_accepted_before_it_is_turned_on(plane: Plane) -> None:
    user = await plane.user()
    secret = await plane.access.codes.begin(user.id)
    assert secret is not None
    assert not await plane.access.codes.accepts(user.id, pyotp.TOTP(secret).at(int(plane.clock.now)))
    assert await plane.access.codes.pending_secret(user.id) == secret


async def test_a_secret_that_is_turned_on_is_never_shown_again(plane: Plane) -> None:
    user = await plane.user()
    await plane.enrol(user)
    assert await plane.access.codes.pending_secret(user.id) is None
    assert await plane.access.codes.begin(user.id) is None


async def test_recovery_codes_are_ten_and_differ(plane: Plane) -> None:
    _, codes = await plane.enrol(await plane.user())
    assert len(set(codes)) == 10


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "000000\n1", "-" * 10, "x" * 5000])
async def test_what_is_no_code_is_none(plane: Plane, code: str) -> None:
    user = await plane.user()
    await plane.enrol(user)
    assert not await plane.access.codes.accepts(user.id, code)


def test_the_picture_is_a_png() -> None:
    uri = provisioning_uri("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "anna@acme.example")
    assert uri.startswith("otpauth://totp/PromptShield:anna%40acme.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    assert qr_picture(uri).startswith(b"\x89PNG\r\n\x1a\n")
