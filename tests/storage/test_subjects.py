"""Identifiers become hashes: equal for all spellings of one person, different for every tenant and purpose."""

from __future__ import annotations

import hashlib

import pytest

from detectors.errors import StorageError
from storage.subjects import canonical, personal_digest, subject_hash, subject_key

KEY, OTHER = bytes(32), bytes([1]) * 32

SPELLINGS = {
    "e-mail": ("anna@example.org", ["Anna@Example.ORG", " anna@example.org ", "anna\u200b@example.org"]),
    "full-width e-mail": ("anna@example.org", ["\uff41nna@example.org"]),
    "card": ("4111111111111111", ["4111 1111 1111 1111", "4111-1111-1111-1111"]),
    "phone": ("4155552671", ["(415) 555-2671", "+1 415 555 2671", "1-415-555-2671", "415.555.2671"]),
    "foreign phone": ("49301234567", ["+49 30 1234567", "0049 30 1234567", "٤٩٣٠١٢٣٤٥٦٧"]),
    "IBAN": ("DE89370400440532013000", ["DE89 3704 0044 0532 0130 00", "de89370400440532013000"]),
    "social security": ("123456789", ["123-45-6789", "123 45 6789"]),
    "network": ("10.0.0.1", ["::ffff:10.0.0.1"]),
    "IPv6": ("2001:db8::1", ["2001:0DB8:0:0::1"]),
}  # fmt: skip


@pytest.mark.parametrize(("one", "others"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_all_spellings_of_an_identifier_are_one(one: str, others: list[str]) -> None:
    assert {canonical(other) for other in others} == {one} == {canonical(one)}


@pytest.mark.parametrize("identifier", ["user-12", "Uabc", "uABC", "a.b", "12-34", "héloïse"])
def test_any_other_identifier_is_itself(identifier: str) -> None:
    assert canonical(identifier) == identifier


def test_what_is_nothing_is_empty() -> None:
    assert {canonical(""), canonical(" \u200b\n")} == {""}


def test_a_hash_says_nothing_to_another_tenant() -> None:
    ours, theirs = (
        subject_hash(subject_key(KEY), "anna@example.org"),
        subject_hash(subject_key(OTHER), "anna@example.org"),
    )
    assert ours != theirs
    assert len(ours) == 32


def test_a_subject_is_not_the_plain_content_hash_of_its_text() -> None:
    assert subject_hash(subject_key(KEY), "x1") != hashlib.blake2b(b"x1", key=KEY, digest_size=16).hexdigest()


def test_text_that_is_no_utf_8_can_be_hashed() -> None:
    assert len(subject_hash(subject_key(KEY), "\ud800@example.org")) == 32


def test_personal_data_keep_their_digest_however_they_are_written() -> None:
    assert personal_digest(KEY, '{"b":"ü","a":"1"}') == personal_digest(KEY, '{ "a": "1", "b": "\\u00fc" }')


def test_personal_data_of_other_content_or_tenants_have_another_digest() -> None:
    digests = [personal_digest(KEY, '{"a":1}'), personal_digest(KEY, '{"a":2}'), personal_digest(OTHER, '{"a":1}')]
    assert len(set(digests)) == 3


def test_personal_data_that_are_no_json_are_refused_without_being_quoted() -> None:
    with pytest.raises(StorageError) as caught:
        personal_digest(KEY, "anna{")
    assert "anna" not in str(caught.value)
