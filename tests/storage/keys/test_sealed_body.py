"""Sealed bodies open in their place with their key, and nowhere else."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from detectors.errors import StorageError
from storage.keys.data_keys import DataKey
from storage.keys.sealed_body import LONGEST_PLAIN, LONGEST_SEALED, BodyPlace, SealedBody, seal, unseal
from tests.storage.stored import tomorrow

KEY = DataKey(7, 1, bytes(range(32)))
PLACE = BodyPlace("01890000-0000-7000-8000-000000000000", "request", "encrypted")
TEXT = b'{"messages": [{"role": "user", "content": "my card is 4111 1111 1111 1111"}]}'


@pytest.mark.parametrize("plain", [b"", b"x", TEXT, bytes(300), TEXT * 5000], ids=len)
def test_what_was_sealed_is_unsealed_whole(plain: bytes) -> None:
    assert unseal(seal(plain, PLACE, KEY), KEY) == plain


def test_nothing_of_the_text_shows_and_equal_texts_look_different() -> None:
    one, other = seal(TEXT, PLACE, KEY), seal(TEXT, PLACE, KEY)
    assert b"4111" not in one.ciphertext
    assert one.ciphertext != other.ciphertext
    assert one.nonce != other.nonce


ELSEWHERE = {
    "decision": {"place": replace(PLACE, decision_id="01890000-0000-7000-8000-000000000001")},
    "direction": {"place": replace(PLACE, direction="response")},
    "form": {"place": replace(PLACE, form="masked")},
    "cut": {"cut": True},
    "nonce": {"nonce": bytes(12)},
    "short nonce": {"nonce": b""},
    "ciphertext": {"ciphertext": bytes(64)},
    "no ciphertext": {"ciphertext": b""},
}


@pytest.mark.parametrize("changed", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_what_was_moved_or_altered_does_not_open(changed: dict[str, object]) -> None:
    sealed = seal(TEXT, PLACE, KEY)
    fields = {
        "place": sealed.place,
        "generation": 1,
        "nonce": sealed.nonce,
        "ciphertext": sealed.ciphertext,
        "cut": False,
    }
    with pytest.raises(StorageError, match="not what was stored"):
        unseal(SealedBody(**fields | changed), KEY)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [DataKey(8, 1, KEY.key), DataKey(7, 2, KEY.key), DataKey(7, 1, bytes(32))])
def test_the_key_of_another_tenant_or_generation_does_not_open_it(key: DataKey) -> None:
    with pytest.raises(StorageError):
        unseal(seal(TEXT, PLACE, KEY), key)


def test_a_long_body_is_cut_and_says_so() -> None:
    sealed = seal(b"a" * (LONGEST_PLAIN + 1), PLACE, KEY)
    assert sealed.cut
    assert unseal(sealed, KEY) == b"a" * LONGEST_PLAIN


def test_two_bodies_that_do_not_shrink_fit_into_one_journal_record() -> None:
    plain = secrets.token_bytes(LONGEST_PLAIN)
    sealed = seal(plain, PLACE, KEY)
    kept = unseal(sealed, KEY)
    assert (sealed.cut, len(kept) >= 256 << 10, plain.startswith(kept)) == (True, True, True)
    assert len(sealed.ciphertext) <= LONGEST_SEALED
    assert 2 * len(str(sealed.as_json(tomorrow()))) < 1 << 20


def test_lengths_are_told_in_steps_only() -> None:
    lengths = {len(seal(secrets.token_bytes(size), PLACE, KEY).ciphertext) for size in range(100, 200)}
    assert lengths == {256 + 16}


def test_every_decision_has_a_key_of_its_own() -> None:
    assert KEY.of_decision("a") != KEY.of_decision("b") != KEY.key


def test_no_key_shows_in_a_repr() -> None:
    assert KEY.key.hex() not in repr(KEY)
    assert str(KEY.key) not in repr(KEY)
