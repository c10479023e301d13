"""The files of tenants' heads: `<data>/heads/<tenant's id>/<version>.npz`, of which the highest version is in force."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.errors import StorageError
from detectors.models.tenant_head import TenantHead, unpack

_KEPT: Final = ".npz"
_REVOKED: Final = ".revoked"


@dataclass(frozen=True, slots=True, eq=False)
class KeptHead:
    """A version of a head; what cannot be read has no `head` but a `problem`."""

    version: int
    revoked: bool
    head: TenantHead | None
    problem: str = ""


class HeadFiles:
    """One installation's. The tenant's id and not its slug names the folder: a slug may be somebody else's one day."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, tenant_id: int, content: bytes) -> int:
        """Put a head in force; return its version. Raises StorageError."""
        folder = self._folder / str(tenant_id)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as unfinished:
                written = Path(unfinished.name)
                try:
                    unfinished.write(content)
                    unfinished.flush()
                    os.fsync(unfinished.fileno())
                except OSError:  # a full disk is not to be filled with halves
                    written.unlink()
                    raise
            self._give_to_owner(self._folder, folder, written)
            try:
                return self._put(tenant_id, written)
            finally:
                written.unlink(missing_ok=True)
        except OSError as exc:
            raise StorageError(f"{exc.filename}: {exc.strerror}") from exc

    def _put(self, tenant_id: int, written: Path) -> int:
        """Give a file the next version's name, which nobody else takes meanwhile."""
        while True:
            version = max(self._versions(tenant_id), default=0) + 1
            try:
                (self._folder / str(tenant_id) / f"{version}{_KEPT}").hardlink_to(written)
            except FileExistsError:
                continue
            return version

    def revoke(self, tenant_id: int, version: int) -> None:
        """Put a version out of force for good. Raises StorageError where there is no such version in use."""
        file = self._folder / str(tenant_id) / f"{version}{_KEPT}"
        try:
            file.replace(file.with_suffix(_REVOKED))
        except FileNotFoundError:
            raise StorageError(f"there is no version {version} that could be revoked") from None
        except OSError as exc:
            raise StorageError(f"{exc.filename}: {exc.strerror}") from exc

    def kept(self, tenant_id: int) -> tuple[KeptHead, ...]:
        """Return every version, the newest first."""
        found = self._versions(tenant_id)
        return tuple(_read(version, found[version]) for version in sorted(found, reverse=True))

    def in_use(self) -> dict[int, tuple[Path, ...]]:
        """Return of every tenant that has any the files that are not revoked, the newest first. Raises OSError."""
        found: dict[int, tuple[Path, ...]] = {}
        try:
            tenants = [int(entry.name) for entry in os.scandir(self._folder) if _is_number(entry.name)]
        except FileNotFoundError:
            return found
        for tenant_id in tenants:
            versions = self._versions(tenant_id)
            files = [versions[number] for number in sorted(versions, reverse=True)]
            kept = tuple(file for file in files if file.suffix == _KEPT)
            if kept:
                found[tenant_id] = kept
        return found

    def _versions(self, tenant_id: int) -> dict[int, Path]:
        """Return each version's file. What is revoked anywhere is so here, if both were copied together."""
        folder = self._folder / str(tenant_id)
        files = [folder / f"{name}{suffix}" for suffix in (_KEPT, _REVOKED) for name in _names(folder, suffix)]
        return {int(file.stem): file for file in files}

    def _give_to_owner(self, *made: Path) -> None:
        """What root makes belongs to whom the data folder belongs: the server runs as that."""
        if os.geteuid() == 0:
            owner = self._folder.parent.stat()
            for path in made:
                os.chown(path, owner.st_uid, owner.st_gid)


def _names(folder: Path, suffix: str) -> list[str]:
    return [file.stem for file in folder.glob(f"*{suffix}") if _is_number(file.stem)]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _read(version: int, file: Path) -> KeptHead:
    revoked = file.suffix == _REVOKED
    try:
        return KeptHead(version, revoked, unpack(file.read_bytes()))
    except OSError as exc:
        return KeptHead(version, revoked, None, exc.strerror or "cannot be read")
    except ValueError as exc:
        return KeptHead(version, revoked, None, str(exc))
