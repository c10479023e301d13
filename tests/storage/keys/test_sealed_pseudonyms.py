"""The values behind pseudonyms open for the object they belong to, and for no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.errors import StorageError
from storage.keys.data_keys import DataKey
from storage.keys.sealed_pseudonyms import LONGEST, MOST_VALUES, generation_of, seal_pseudonyms, unseal_pseudonyms
from storage.types import ObjectName

KEY = DataKey(7, 3, bytes(range(32)))
NAME = ObjectName("response", "resp_1")
VALUES = {"[EMAIL_k3f9q2bb7c8d]": "anna@example.org", "[PHONE_k3f9q2bb7c8d]": "+49 30 901820"}


def test_what_was_sealed_is_unsealed_in_its_order() -> None:
    sealed = seal_pseudonyms(VALUES, "openai", NAME, KEY)
    assert list(unseal_pseudonyms(sealed, "openai", NAME, KEY).items()) == list(VALUES.items())
    assert generation_of(sealed) == 3
    assert b"anna" not in sealed


@pytest.mark.parametrize(
    ("upstream", "name", "key"),
    [
        ("azure", NAME, KEY),
        ("openai", ObjectName("file", "resp_1"), KEY),
        ("openai", ObjectName("response", "resp_2"), KEY),
        ("openai", NAME, replace(KEY, tenant_id=8)),
        ("openai", NAME, replace(KEY, key=bytes(32))),
    ],
    ids=["upstream", "kind", "object", "tenant", "key"],
)
def test_they_open_nowhere_else(upstream: str, name: ObjectName, key: DataKey) -> None:
    sealed = seal_pseudonyms(VALUES, "openai", NAME, KEY)
    with pytest.raises(StorageError) as caught:
        unseal_pseudonyms(sealed, upstream, name, key)
    assert "anna" not in str(caught.value)


@pytest.mark.parametrize("damaged", [b"", b"\0\0\0\3", bytes(64)])
def test_what_was_damaged_is_an_error(damaged: bytes) -> None:
    with pytest.raises(StorageError):
        unseal_pseudonyms(damaged, "openai", NAME, KEY)


@pytest.mark.parametrize("length", [1, LONGEST // 100])
def test_of_too_many_the_newest_are_kept(length: int) -> None:
    values = {f"[EMAIL_{number}]": "x" * length for number in range(MOST_VALUES + 1)}
    kept = unseal_pseudonyms(seal_pseudonyms(values, "openai", NAME, KEY), "openai", NAME, KEY)
    assert 0 < len(kept) <= MOST_VALUES
    assert list(kept) == list(values)[-len(kept) :]
