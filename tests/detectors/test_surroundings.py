"""What stands around a match tells an address of a person from the user part of a web address."""

from __future__ import annotations

import pytest

from detectors.surroundings import SURROUNDINGS
from detectors.types import Span


def _passes(check: str, text: str) -> bool:
    """The match is what stands between the angles."""
    before, found, after = text.replace("»", "«").split("«")
    return SURROUNDINGS[check](before + found + after, Span(len(before), len(before) + len(found)))


@pytest.mark.parametrize(
    "text",
    [
        "write to «jane@acme.example»",
        "https://a.example/u/«jane@acme.example»",
        "https://a.example:8443?to=«jane@acme.example»",
        "https://a.example:8443,«jane@acme.example»",
        '["https://a.example","«jane@acme.example»"]',
        "redis://:b4ttery-staple@cache:6379/0,«jane@acme.example»",
        "postgres://db:5432/shop?owner=«jane@acme.example»",
        "see https://a.example, «jane@acme.example»",
        "mailto://«jane@acme.example»",
        "smtp://«jane@acme.example»:kE9pwQz7@smtp.acme.example",
    ],
)
def test_an_address_of_a_person_passes(text: str) -> None:
    assert _passes("mailbox", text)


@pytest.mark.parametrize(
    "text",
    [
        "https://«jane.doe@git.acme.example»/app.git",
        "https://build:«kE9pwQz7@dev.azure.example»/acme",
        "amqps://guest2:kE9!«pwQz@mq.acme.example»",
        "amqps://guest2:k,E9!«pwQz@mq.acme.example»",
        "postgres://app:ab/«cd9xY@db.acme.example»/shop",
        "https://ci:ab@cd9!«xY2k@mq.acme.example»",
    ],
)
def test_the_user_part_of_a_web_address_is_refused(text: str) -> None:
    assert not _passes("mailbox", text)


@pytest.mark.parametrize(
    "text",
    [
        "PASS: «gdb.base/foo1»",
        "pass: «t0001-init.sh»",
        "ok 1 - user\nok 2 - pass: «admin7»",
        "--- PASS: «TestParse/case_1» (0.00s)",
        "PASS: «nice2»\nFAIL: nice3",
        "the 3-day pass: «310EUR»",
    ],
)
def test_what_passed_a_test_or_a_gate_is_no_password(text: str) -> None:
    assert not _passes("assigned", text)


@pytest.mark.parametrize(
    "text",
    ["user: bob pass: «hunter2»", "PASS: «hunter2»", "DB_PASS: «a/b7» FAIL", '"pass": «x9» FAIL: y', "pass=«a/b7»"],
)
def test_a_pass_of_a_user_is(text: str) -> None:
    assert _passes("assigned", text)


def test_the_public_key_of_crash_reports_is_refused() -> None:
    assert _passes("address_token", "https://«4f7b8cc6db16cabf6cbabc6a3bc721b7»@dev.azure.example/acme/sentry")
    assert not _passes("address_token", "https://«4f7b8cc6db16cabf6cbabc6a3bc721b7»@o12.ingest.sentry.example/678")


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("geo", '"position": [«52.520008, 13.404954»]'),
        ("geo", '"coordinates": [«13.404954, 52.520008», 34.0]'),
        ("licence", "DL: «99999999»"),
        ("public_ip", "client «83.149.9.216»-91.7.40.2"),
        ("public_ip", "45.76.1.9, «83.149.9.216», 91.7.40.2, 77.1.2.88"),
        ("public_ip", "load 0.12 0.03 0.00 «83.149.9.216»"),
        ("six_digits", "nit: «900123456»"),
        ("six_digits", "NIT # «1234567»"),
    ],
)
def test_what_may_stand_there_passes(check: str, text: str) -> None:
    assert _passes(check, text)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("geo", '"position": [«12.345, 45.678», 1.25]'),
        ("licence", "DL: «104857600» bytes"),
        ("public_ip", "V8 «11.8.172.15»"),
        ("public_ip", '"version": "«11.8.172.15»"'),
        ("public_ip", "is «1.3.101.112»."),
        ("public_ip", "patch («2.6.1.136»-31a7-1) experimental"),
        ("public_ip", "1.52-.87 2.83-2.12 «3.51.98.32» 2.03.5 3.11.5 3.5 0 6.58-1.8"),
        ("six_digits", "nit # «1234567»"),
    ],
)
def test_what_is_of_another_kind_is_refused(check: str, text: str) -> None:
    assert not _passes(check, text)


def test_a_default_that_is_the_user_too_is_no_secret_on_ones_own_machine() -> None:
    assert not _passes("url_password", "postgres://postgres:«postgres»@localhost:5432/app")
    assert not _passes("url_password", "airflow:«airflow»@tcp(127.0.0.1:3306)/airflow")
    assert _passes("url_password", "postgres://shopapp:«shopapp»@db.prod.acme.example/shop")
    assert _passes("url_password", "postgres://postgres:«x9KmWq22»@localhost/app")
    assert _passes("url_password", "postgres://shop:«postgres»@localhost/app")
