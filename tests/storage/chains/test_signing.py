"""The signing key, and how one hands over to the next."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from detectors.errors import StorageError
from storage.chains.signing import FOLDER, SigningKey, Succession, key_id, path_between, read_successions

KEYS = tuple(SigningKey(bytes([n]) * 32) for n in range(4))


def test_keys_lead_to_each_other_through_every_handover_between() -> None:
    steps = [Succession.announce(old, new) for old, new in pairwise(KEYS)]
    assert path_between(KEYS[0].id, KEYS[3].id, reversed(steps)) == tuple(steps)
    assert path_between(KEYS[3].id, KEYS[0].id, steps) == ()
    assert path_between(KEYS[0].id, KEYS[3].id, steps[:2]) == ()


def test_a_succession_that_the_old_key_did_not_sign_does_not_hold() -> None:
    genuine = Succession.announce(KEYS[0], KEYS[1])
    assert genuine.holds
    assert not Succession(KEYS[2].public, genuine.new, genuine.signature).holds
    assert not Succession(genuine.old, KEYS[2].public, genuine.signature).holds


def test_a_forged_succession_in_the_folder_is_refused(tmp_path: Path) -> None:
    forged = Succession(KEYS[0].public, KEYS[1].public, bytes(64))
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "a.json").write_bytes(orjson.dumps(forged.as_json()))
    with pytest.raises(StorageError, match="did not sign"):
        read_successions(tmp_path)


def test_a_key_is_named_after_its_public_half() -> None:
    assert KEYS[0].id == key_id(KEYS[0].public)
    assert len({key.id for key in KEYS}) == len(KEYS)
