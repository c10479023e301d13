"""Key-encryption keys: from wherever they are kept, and never the wrong one in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import StorageError
from storage.keys.encryption import HouseKeyFile, KeyEncryptionKey, KeyRing, SuppliedFile, VaultKeys, key_ring_source
from storage.keys.house_keys import open_house_keys

STRONG = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
DATA_KEY = bytes(range(32))


def test_a_wrapped_key_is_unwrapped() -> None:
    kek = KeyEncryptionKey.from_secret(STRONG)
    wrapped = kek.wrap(DATA_KEY, 7, 1)
    assert DATA_KEY not in wrapped
    assert kek.unwrap(wrapped, 7, 1) == DATA_KEY


@pytest.mark.parametrize(("tenant_id", "generation", "secret"), [(8, 1, STRONG), (7, 2, STRONG), (7, 1, OTHER)])
def test_a_wrapped_key_opens_for_its_tenant_and_generation_only(tenant_id: int, generation: int, secret: str) -> None:
    wrapped = KeyEncryptionKey.from_secret(STRONG).wrap(DATA_KEY, 7, 1)
    with pytest.raises(StorageError, match="not what was wrapped"):
        KeyEncryptionKey.from_secret(secret).unwrap(wrapped, tenant_id, generation)


@pytest.mark.parametrize("cut", [b"", b"short"])
def test_a_cut_key_is_refused(cut: bytes) -> None:
    with pytest.raises(StorageError):
        KeyEncryptionKey.from_secret(STRONG).unwrap(cut, 7, 1)


@pytest.mark.parametrize("weak", ["", "  \n", "changeme", "a" * 64, f"{STRONG} weak"])
def test_a_weak_key_is_refused_without_being_quoted(weak: str) -> None:
    with pytest.raises(StorageError) as caught:
        KeyRing.from_text(weak)
    assert "changeme" not in str(caught.value)


def test_of_several_keys_the_first_wraps_and_all_are_found() -> None:
    ring = KeyRing.from_text(f"{STRONG}\n{OTHER}")
    assert ring.current == KeyEncryptionKey.from_secret(STRONG)
    assert [ring.find(KeyEncryptionKey.from_secret(s).id) for s in (STRONG, OTHER)] == [ring.current, *ring.former]
    assert ring.find("unknown") is None


def test_no_key_shows_in_a_repr() -> None:
    ring = KeyRing.from_text(STRONG)
    assert STRONG not in repr(ring) + repr(ring.current) + repr(key_ring_source(Path(), {"PROMPTSHIELD_KEK": STRONG}))


async def test_the_key_of_the_house_is_made_at_the_first_start(tmp_path: Path) -> None:
    open_house_keys(tmp_path / "keys", {})
    source = key_ring_source(tmp_path / "keys", {})
    assert (await source.load()).current.id == (await source.load()).current.id


def test_a_supplied_key_leaves_no_key_in_the_house(tmp_path: Path) -> None:
    open_house_keys(tmp_path / "keys", {"PROMPTSHIELD_KEK": STRONG})
    assert not (tmp_path / "keys" / "kek").exists()


async def test_a_rotation_keeps_the_former_key_until_it_has_ended(tmp_path: Path) -> None:
    open_house_keys(tmp_path / "keys", {})
    file = HouseKeyFile(tmp_path / "keys" / "kek")
    before = (await file.load()).current
    ring = await file.begin_rotation()
    assert ring.former == (before,) != (ring.current,)
    assert (await file.load()) == ring
    await file.end_rotation(ring)
    assert await file.load() == KeyRing(ring.current)
    assert (tmp_path / "keys" / "kek").stat().st_mode & 0o777 == 0o600


async def test_an_interrupted_rotation_is_begun_again_without_losing_a_key(tmp_path: Path) -> None:
    open_house_keys(tmp_path / "keys", {})
    file = HouseKeyFile(tmp_path / "keys" / "kek")
    first, again = await file.begin_rotation(), await file.begin_rotation()
    assert again.former == (first.current, *first.former)
    await file.end_rotation(first)  # of the one that was overtaken
    assert await file.load() == again


async def test_a_key_is_read_out_of_a_mounted_secret(tmp_path: Path) -> None:
    secret = tmp_path / "kek"
    secret.write_text(f"{STRONG}\n")
    for reference in (str(secret), f"file:{secret}"):
        source = key_ring_source(tmp_path, {"PROMPTSHIELD_KEK": reference})
        assert isinstance(source, SuppliedFile)
        assert (await source.load()).current == KeyEncryptionKey.from_secret(STRONG)


@pytest.mark.parametrize("source", [HouseKeyFile(Path("/nowhere/kek")), SuppliedFile(Path("/nowhere/kek"))])
async def test_a_missing_file_is_named(source: HouseKeyFile | SuppliedFile) -> None:
    with pytest.raises(StorageError, match="/nowhere/kek"):
        await source.load()


def test_a_vault_reference_asks_vault() -> None:
    given = {"PROMPTSHIELD_KEK": "vault://secret/ps#kek", "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t"}
    assert isinstance(key_ring_source(Path(), given), VaultKeys)
