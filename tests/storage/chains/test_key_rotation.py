"""Rotation of the signing key."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import StorageError
from storage.chains.key_rotation import rotate_signing_key
from storage.chains.signing import SigningKey, read_successions
from storage.keys.house_keys import open_house_keys


def test_a_rotation_leaves_a_new_key_and_the_old_ones_word_for_it(tmp_path: Path) -> None:
    before = SigningKey(open_house_keys(tmp_path, {}).signing)
    old, new = rotate_signing_key(tmp_path, {})
    after = SigningKey(open_house_keys(tmp_path, {}).signing)
    assert (old, new) == (before.id, after.id)
    (succession,) = read_successions(tmp_path)
    assert (succession.old, succession.new) == (before.public, after.public)
    assert (tmp_path / "signing").stat().st_mode & 0o777 == 0o600


def test_a_key_from_the_environment_is_not_rotated_here(tmp_path: Path) -> None:
    secret = "0123456789abcdef" * 4
    environment = {"PROMPTSHIELD_SIGNING_KEY": secret}
    assert open_house_keys(tmp_path, environment).signing != open_house_keys(tmp_path, {}).signing
    with pytest.raises(StorageError, match="unset it"):
        rotate_signing_key(tmp_path, environment)
