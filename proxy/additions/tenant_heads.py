"""Tenants' own heads, taken in while the server runs; each is for its tenant alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.lexicon import Lexicon
from detectors.models.tenant_head import TenantHead, unpack
from proxy.additions.head_files import HeadFiles

_REMEMBERED: Final = 4096  # lexicons put together
_FOLDER: Final = 0  # no tenant's id: that the heads' own folder cannot be read
Stamp = tuple[Path, int, int, int]


@dataclass(frozen=True, slots=True)
class HeadsReport:
    """What one look changed, by tenant's id. `failures` say why an older head, or none, is in force."""

    loaded: Mapping[int, str]
    failures: Mapping[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class _InForce:
    """Heads by tenant's id, where they came from, and the lexicons that were put together with them."""

    heads: Mapping[int, TenantHead]
    stamps: Mapping[int, Stamp]
    lexicons: dict[tuple[str, int], Lexicon]


class TenantHeads:
    """Heads by tenant. `lexicon` answers from a complete set: a swap is one assignment.

    A head that cannot be used stops nobody: the newest before it that can be is in force, or what ships.
    """

    def __init__(self, files: HeadFiles, made_for: str) -> None:
        self._files, self._made_for = files, made_for
        self._in_force = _InForce({}, {}, {})
        self.failures: Mapping[int, str] = {}

    def lexicon(self, lexicon: Lexicon, tenant_id: int | None) -> Lexicon:
        """Return a lexicon with this tenant's head; nobody else's."""
        in_force = self._in_force
        head = None if tenant_id is None else in_force.heads.get(tenant_id)
        if head is None or tenant_id is None:
            return lexicon
        key = (lexicon.revision, tenant_id)
        known = in_force.lexicons.get(key)
        if known is None:
            if len(in_force.lexicons) >= _REMEMBERED:
                in_force.lexicons.clear()
            known = in_force.lexicons[key] = lexicon.with_head(head)
        return known

    async def reload(self) -> HeadsReport:
        return await asyncio.to_thread(self.look)

    def look(self) -> HeadsReport:
        """Look at the files once, and take in what changed. What could not be read is tried again each time."""
        before, failures = self._in_force, dict[int, str]()
        try:
            files = self._files.in_use()
        except OSError as exc:
            return self._report({}, {_FOLDER: f"{exc.filename}: {exc.strerror}"})
        heads: dict[int, TenantHead] = {}
        stamps: dict[int, Stamp] = {}
        for tenant, versions in files.items():
            for file in versions:
                try:
                    stamp = _stamp(file)
                    heads[tenant] = before.heads[tenant] if before.stamps.get(tenant) == stamp else self._read(file)
                except (OSError, ValueError) as exc:
                    failures.setdefault(tenant, f"{file.name}: {exc.strerror if isinstance(exc, OSError) else exc}")
                else:
                    stamps[tenant] = stamp
                    break
        changed = {tenant for tenant in {*heads, *before.heads} if heads.get(tenant) is not before.heads.get(tenant)}
        if changed or stamps != before.stamps:
            self._in_force = _InForce(heads, stamps, {})
        loaded = {tenant: heads[tenant].revision if tenant in heads else "none" for tenant in changed}
        return self._report(loaded, failures)

    def _report(self, loaded: Mapping[int, str], failures: Mapping[int, str]) -> HeadsReport:
        """Tell of failures once, and know of them for as long as they last."""
        new = {tenant: why for tenant, why in failures.items() if self.failures.get(tenant) != why}
        self.failures = failures
        return HeadsReport(loaded, new)

    def _read(self, file: Path) -> TenantHead:
        head = unpack(file.read_bytes())
        if head.made_for != self._made_for:
            raise ValueError("was made for other weights than those that ship: fit it again")
        return head


def _stamp(file: Path) -> Stamp:
    status = file.stat()
    return file, status.st_mtime_ns, status.st_ctime_ns, status.st_size
