"""A pack is what somebody believed has signed, and never an older one."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import SignatureError
from storage.chains.signing import SigningKey, key_id
from storage.pack_manifest import MANIFEST, PackSigners, sign_pack

KEY = SigningKey(b"k" * 32)
SIGNERS = PackSigners({KEY.id: KEY.public})


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("id: OP-INJ-001\n")
    sign_pack(tmp_path, 3, KEY)
    return tmp_path


def test_what_was_signed_has_its_version(pack: Path) -> None:
    assert SIGNERS.check(pack, at_least=3) == 3


def test_an_older_version_is_refused(pack: Path) -> None:
    with pytest.raises(SignatureError, match="version 3 is older than 4"):
        SIGNERS.check(pack, at_least=4)


@pytest.mark.parametrize("change", ["edited", "added", "removed", "unsigned", "raised", "garbage"])
def test_anything_else_is_refused(pack: Path, change: str) -> None:
    manifest = pack / MANIFEST
    if change == "edited":
        (pack / "a.yaml").write_text("id: OP-INJ-002\n")
    elif change == "added":
        (pack / "b.yaml").write_text("id: OP-INJ-002\n")
    elif change == "removed":
        (pack / "a.yaml").unlink()
    elif change == "unsigned":
        manifest.unlink()
    elif change == "raised":
        manifest.write_text(manifest.read_text().replace('"version": 3', '"version": 9'))
    else:
        manifest.write_text('{"version": "x"}')

    with pytest.raises(SignatureError):
        SIGNERS.check(pack, at_least=0)


def test_a_stranger_is_not_believed(pack: Path) -> None:
    other = SigningKey(b"o" * 32)

    with pytest.raises(SignatureError, match="not signed by a key of pack-signers"):
        PackSigners({other.id: other.public}).check(pack, at_least=0)


def test_signers_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pack-signers"
    assert PackSigners.from_file(file) is None
    file.write_text(f"# security team\n{KEY.public.hex()}\n")
    assert PackSigners.from_file(file) is not None
    assert key_id(KEY.public) == KEY.id
    for wrong in ("abc\n", "# nobody\n"):
        file.write_text(wrong)
        with pytest.raises(SignatureError):
            PackSigners.from_file(file)
