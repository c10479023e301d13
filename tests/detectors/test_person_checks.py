"""What can be true of a person is told from what only looks so."""

from __future__ import annotations

import pytest

from detectors.person_checks import PERSONS


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("luhn", "4111 1111 1111 1111"),
        ("luhn", "3782-822463-10005"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("phone", "+49 (0)30 901820"),
        ("phone", "(212) 555-0123"),
        ("phone_somewhere", "030 901820"),
        ("date", "29.2.1988"),
        ("date", "12 mars 1975"),
        ("date", "March 12, 1975"),
        ("date", "07/31/84"),
        ("date", "1988年2月29日"),
        ("public_ip", "83.149.9.216"),
        ("public_ip", "2a02:8109:9d40:1c30:5d2f:91ff:fe3a:77b1"),
        ("public_ip", "2a02:8109:9a40:1c3c::5"),
        ("mailbox", "ops@mail.acme.example"),
        ("mac", "3c:22:fb:9a:41:d7"),
        ("geo", "52.520008, longitude: 13.404954"),
        ("vin", "1M8GDM9AXKP042788"),
        ("plate", "B-MW 4711"),
        ("account", "12345678"),
        ("street", "12 Abbey Road"),
        ("name", "Ñandú"),
        ("licence", "D1234567"),
        ("mail_name", "Jürgen von der Heide"),
        ("mail_name", "WUEBBELS, Josef"),
    ],
)
def test_what_can_be_passes(check: str, found: str) -> None:
    assert PERSONS[check](found)


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("luhn", "4111 1111 1111 1112"),
        ("luhn", "0000 0000 0000 0000"),
        ("luhn", "42"),
        ("iban", "DE88 3704 0044 0532 0130 00"),
        ("phone", "+1 000 000 0000"),
        ("phone", "not a number"),
        ("phone_somewhere", "1111111111"),
        ("phone_somewhere", "2024-05-01 12"),
        ("account", "2024-05-01"),
        ("four_digits", "2024/05/01"),
        ("date", "29.2.1989"),
        ("date", "31/31/1980"),
        ("date", "12 noon 1975"),
        ("public_ip", "192.168.1.20"),
        ("public_ip", "2001:db8::5"),
        ("public_ip", "1.2.3.4"),
        ("public_ip", "1.3.6.1.4.1.311"),
        ("mailbox", "logo@2x.png"),
        ("mailbox", "user@1000.service"),
        ("mac", "ff:ff:ff:ff:ff:ff"),
        ("geo", "95.0000, 13.4049"),
        ("vin", "AAAAAAAAAAAAAAAAA"),
        ("plate", "BMW"),
        ("account", "111111"),
        ("street", "4 On The Road"),
        ("name", "None"),
        ("licence", "1024 KB"),
        ("mail_name", "Acme Support Team"),
        ("mail_name", "ACME NOTICE"),
        ("mail_name", "Your Name"),
    ],
)
def test_what_cannot_be_is_refused(check: str, found: str) -> None:
    assert not PERSONS[check](found)
