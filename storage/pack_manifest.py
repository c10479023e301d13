"""Signed versions of signature packs: what a pack holds, in which version, under whose Ed25519 key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from detectors.errors import SignatureError
from storage.chains.signing import SigningKey, is_signed, key_id

MANIFEST: Final = "pack.json"
_MOST: Final = 1 << 20
_PURPOSE: Final = b"promptshield.pack\n"


class PackSigners:
    """The public keys whose packs an installation believes. Where there are any, no other pack is read."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)

    @classmethod
    def from_file(cls, file: Path) -> PackSigners | None:
        """Read public keys, 64 hexadecimal digits a line; None if there is no such file. Raises SignatureError."""
        if not file.exists():
            return None
        keys: dict[str, bytes] = {}
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            word = line.partition("#")[0].strip()
            if not word:
                continue
            try:
                public = bytes.fromhex(word)
            except ValueError:
                public = b""
            if len(public) != 32:
                raise SignatureError(file, number, "expected a public key of 64 hexadecimal digits")
            keys[key_id(public)] = public
        if not keys:
            raise SignatureError(file, None, "holds no key: remove it to read packs without signatures")
        return cls(keys)

    def check(self, folder: Path, at_least: int) -> int:
        """Return the version of a pack. Raises SignatureError unless one of the keys signed just these files, in a
        version not below `at_least`.
        """
        file = folder / MANIFEST
        try:
            with file.open("rb") as opened:
                manifest = orjson.loads(opened.read(_MOST))
            version, files = int(manifest["version"]), dict(manifest["files"])
            public, signature = self._keys.get(str(manifest["key"])), bytes.fromhex(manifest["signature"])
        except OSError as exc:
            raise SignatureError(file, None, f"packs must be signed here: {exc.strerror}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise SignatureError(file, None, "is no manifest of a pack") from exc
        if public is None or not is_signed(public, signature, _message(version, files)):
            raise SignatureError(file, None, "is not signed by a key of pack-signers")
        present = _hashes(folder)
        for name in sorted({*present, *files}):
            if present.get(name) != files.get(name):
                raise SignatureError(folder / name, None, "is not what was signed")
        if version < at_least:
            raise SignatureError(file, None, f"version {version} is older than {at_least}, which is in force")
        return version


def sign_pack(folder: Path, version: int, key: SigningKey) -> Path:
    """Write the manifest of what a folder holds now; return it."""
    files = _hashes(folder)
    signature = key.sign(_message(version, files)).hex()
    manifest = {"version": version, "files": files, "key": key.id, "signature": signature}
    file = folder / MANIFEST
    file.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return file


def _hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.glob("*.yaml"))}


def _message(version: int, files: Mapping[str, Any]) -> bytes:
    return _PURPOSE + orjson.dumps({"version": version, "files": files}, option=orjson.OPT_SORT_KEYS)
