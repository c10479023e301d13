"""Rotation of the signing key: the old key signs its succession, then the new one takes its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import orjson

from detectors.errors import StorageError
from storage.chains.signing import FOLDER, SigningKey, Succession, key_id
from storage.keys.house_keys import SIGNING_VARIABLE, make_signing_secret, open_house_keys, replace_house_key


def rotate_signing_key(keys_folder: Path, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Put a new signing key in the place of the old one; returns the ids of both. A server takes it at its next start.

    The succession lies in `<keys>/signing.d/` before the old key goes, so after a crash either key can sign on. Raises
    StorageError, also where the environment supplies the key: then the file is not what signs.
    """
    if SIGNING_VARIABLE in environment:
        raise StorageError(f"{SIGNING_VARIABLE} supplies the signing key: unset it, or rotate where it comes from")
    old = SigningKey(open_house_keys(keys_folder, environment).signing)
    secret, seed = make_signing_secret()
    succession = Succession.announce(old, SigningKey(seed))
    _keep(keys_folder / FOLDER, succession)
    replace_house_key(keys_folder / "signing", secret)
    return old.id, key_id(succession.new)


def _keep(folder: Path, succession: Succession) -> None:
    file = folder / f"{key_id(succession.old)}-{key_id(succession.new)}.json"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with file.open("xb") as opened:
            opened.write(orjson.dumps(succession.as_json(), option=orjson.OPT_INDENT_2))
            opened.flush()
            os.fsync(opened.fileno())
        _sync(folder)
    except OSError as exc:
        raise StorageError(f"{file}: {exc.strerror}") from exc


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
