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
        "https://ci:ab@cd9!«xY2k@mq.acme.example»",
    ],
)
def test_the_user_part_of_a_web_address_is_refused(text: str) -> None:
    assert not _passes("mailbox", text)


def test_the_public_key_of_crash_reports_is_refused() -> None:
    assert _passes("address_token", "https://«4f7b8cc6db16cabf6cbabc6a3bc721b7»@dev.azure.example/acme/sentry")
    assert not _passes("address_token", "https://«4f7b8cc6db16cabf6cbabc6a3bc721b7»@o12.ingest.sentry.example/678")
