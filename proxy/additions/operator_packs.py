"""The operator's own signatures: those of the installation and of each tenant, taken in while the server runs.

`<data>/signatures/*.yaml` are read for everybody, `<data>/signatures/<tenant>/*.yaml` for that tenant alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from detectors.errors import SignatureError
from detectors.lexicon import Lexicon
from detectors.packs import load_pack
from detectors.signature_scan import SignatureScan
from detectors.views import ViewBuilder
from policies.store import keep_copy
from storage.pack_manifest import PackSigners

EVERYBODY: Final = ""  # under which the installation's own pack is kept
_REMEMBERED: Final = 4096  # lexicons put together; they are made anew in microseconds
Stamps = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class PacksReport:
    """What one look at the folders changed. `failures` maps a pack to why its last good one stays in force."""

    loaded: tuple[str, ...]
    removed: tuple[str, ...]
    failures: Mapping[str, str]


class OperatorPacks:
    """Packs by tenant. `lexicon` answers from a complete set: a swap is one assignment."""

    def __init__(
        self, folder: Path, views: ViewBuilder, signers: PackSigners | None = None, last_good: Path | None = None
    ) -> None:
        self._folder, self._views, self._signers, self._last_good = folder, views, signers, last_good
        self._packs: Mapping[str, SignatureScan] = {}
        self._versions: dict[str, int] = {}
        self._stamps: Stamps = {}
        self._failures: dict[str, SignatureError] = {}
        self._lexicons: dict[tuple[str, str], Lexicon] = {}
        self._generation = 0
        self._told = ""  # why the folders cannot be listed

    @property
    def generation(self) -> int:
        """Grows with every look that took something in or away."""
        return self._generation

    @property
    def packs(self) -> Mapping[str, SignatureScan]:
        return MappingProxyType(dict(self._packs))

    def ids(self, tenant: str) -> frozenset[str]:
        """Return the ids that a policy of this tenant may name: its own and the installation's."""
        return frozenset[str]().union(*(self._packs[name].ids for name in (EVERYBODY, tenant) if name in self._packs))

    @property
    def failures(self) -> Mapping[str, str]:
        return {name: str(why) for name, why in self._failures.items()}

    def lexicon(self, policy: Lexicon, tenant: str) -> Lexicon:
        """Return a policy's lexicon with the packs of the installation and of this tenant; nobody else's."""
        lexicons = self._lexicons  # first: after a swap in between, what is put together is forgotten with the old ones
        packs = self._packs
        if not packs:
            return policy
        key = (policy.revision, tenant)
        known = lexicons.get(key)
        if known is None:
            own = [packs[name] for name in dict.fromkeys((EVERYBODY, tenant)) if name in packs]
            known = policy.with_packs(own) if own else policy
            if len(lexicons) >= _REMEMBERED:
                lexicons.clear()
            lexicons[key] = known
        return known

    def load(self) -> None:
        """First load, for which every pack must be good. Raises SignatureError."""
        self._look(_stamps(self._folder))
        if self._failures:
            raise next(iter(self._failures.values()))

    def recover(self) -> None:
        """First load of a process that takes a fallen one's place: a bad pack is served by its last good copy.

        Raises SignatureError where there is none, since its tenants would silently go without it.
        """
        self._look(_stamps(self._folder))
        for name, why in self._failures.items():
            if name not in self._packs:
                raise why

    async def reload(self) -> PacksReport:
        """Look at the folders once; what changed is compiled beside the traffic. A bad pack leaves its last good.

        A folder that cannot be listed is not an empty one: everything stays in force.
        """
        try:
            stamps = await asyncio.to_thread(_stamps, self._folder)
        except SignatureError as exc:
            told, self._told = self._told, str(exc)
            return PacksReport((), (), {} if told == self._told else {EVERYBODY: self._told})
        self._told = ""
        if stamps == self._stamps:
            return PacksReport((), (), {})
        return await asyncio.to_thread(self._look, stamps)

    def _look(self, stamps: Stamps) -> PacksReport:
        before, packs = self._stamps, dict(self._packs)
        moved = [name for name, stamp in stamps.items() if before.get(name) != stamp]
        removed = tuple(name for name in before if name not in stamps)
        if EVERYBODY in (*moved, *removed):  # whose ids no tenant may take
            moved = list(stamps)
        failures = {name: why for name, why in self._failures.items() if name in stamps and name not in moved}
        loaded: list[str] = []
        for name in removed:
            packs.pop(name, None)
        for name in sorted(moved):  # the installation's first
            try:
                pack = self._load_one(name, packs)
            except SignatureError as exc:
                failures[name] = exc
                kept = None if name in packs else self._recall(name)
                if kept is not None:
                    packs[name] = kept
                continue
            packs.pop(name, None)
            if pack is not None:
                packs[name] = pack
                loaded.append(name)
        self._packs, self._lexicons = packs, {}
        self._generation += bool(moved or removed)
        self._stamps, self._failures = stamps, failures
        return PacksReport(tuple(loaded), removed, {name: str(failures[name]) for name in moved if name in failures})

    def _load_one(self, name: str, packs: Mapping[str, SignatureScan]) -> SignatureScan | None:
        folder = self._folder / name if name else self._folder
        version = 0 if self._signers is None else self._signers.check(folder, self._versions.get(name, 0))
        everybody = packs.get(EVERYBODY) if name else None
        pack = load_pack(folder, self._views, () if everybody is None else everybody.ids)
        self._versions[name] = version
        if self._last_good is not None:
            for file in sorted(folder.glob("*.yaml")):
                keep_copy(file, self._last_good / (name or "_") / file.name)
            for copy in (self._last_good / (name or "_")).glob("*.yaml"):
                if not (folder / copy.name).exists():
                    copy.unlink(missing_ok=True)
        return pack

    def _recall(self, name: str) -> SignatureScan | None:
        """Return the last good copy of a pack, which passed every gate when it was kept."""
        if self._last_good is None:
            return None
        try:
            return load_pack(self._last_good / (name or "_"), self._views)
        except SignatureError:
            return None


def load_folders(folders: Sequence[Path], views: ViewBuilder) -> tuple[SignatureScan, ...]:
    """Return the signatures of folders that somebody names, each held to every gate. Raises SignatureError."""
    found: list[SignatureScan] = []
    for folder in folders:
        pack = load_pack(folder, views, frozenset[str]().union(*(pack.ids for pack in found)))
        if pack is None:
            raise SignatureError(folder, None, "holds no signatures")
        found.append(pack)
    return tuple(found)


def _stamps(folder: Path) -> Stamps:
    """Return every folder that holds signatures, with what changes when one of its files does.

    Raises SignatureError where one cannot be listed.
    """
    names = [EVERYBODY, *(entry.name for entry in _entries(folder) if entry.is_dir() and entry.name[0] != ".")]
    stamps = {name: _stamp(folder / name) for name in names}
    return {name: stamp for name, stamp in stamps.items() if stamp}


def _stamp(folder: Path) -> tuple[int, ...]:
    stamp: list[int] = []
    for entry in _entries(folder):
        if entry.is_file() and (entry.name.endswith(".yaml") or entry.name == "pack.json"):
            with suppress(FileNotFoundError):  # gone between the listing and the look
                status = entry.stat()
                stamp += [hash(entry.name), status.st_mtime_ns, status.st_ctime_ns, status.st_size]
    return tuple(stamp)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, by name; nothing in one that is not there."""
    try:
        with os.scandir(folder) as listed:
            return sorted(listed, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise SignatureError(folder, None, f"cannot be listed: {exc.strerror}") from exc
