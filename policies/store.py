"""The policies in force: files are the truth, reloaded when they change; a bad file leaves the last good revision."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from detectors.chain import Chain
from detectors.errors import PolicyError
from policies.engine import Actions
from policies.loader import LoadedPolicy, load_policy, load_preset
from policies.testing import run_tests
from policies.types import Policy

DEFAULT = "default"
Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What one look at the folder changed. `failures` maps a file to why its last good revision stays in force."""

    loaded: tuple[str, ...]
    removed: tuple[str, ...]
    failures: MappingProxyType[str, str]


class PolicyStore:
    """Policies by id: `<slug>` for a tenant, `<slug>/<app>` for one app, `default` for the rest.

    `policy_for` is one dictionary look-up and always answers from a complete, tested set.
    """

    def __init__(self, folder: Path, chain: Chain, actions: Actions, known_rules: Iterable[str]) -> None:
        self._folder, self._chain, self._actions = folder, chain, actions
        self._known_rules = frozenset(known_rules)
        self._policies: dict[str, Policy] = {DEFAULT: load_preset("preset/standard").policy}
        self._stamps: dict[str, Stamp] = {}
        self._failures: dict[str, str] = {}
        self._lock = asyncio.Lock()

    @property
    def policies(self) -> MappingProxyType[str, Policy]:
        return MappingProxyType(self._policies)

    @property
    def failures(self) -> MappingProxyType[str, str]:
        """Files whose present content does not load, and why."""
        return MappingProxyType(self._failures)

    def policy_for(self, tenant: str, app: str) -> Policy:
        known = self._policies
        return known.get(f"{tenant}/{app}") or known.get(tenant) or known[DEFAULT]

    async def load(self) -> None:
        """First load, for which every file must be good. Raises PolicyError."""
        report = await self.reload()
        if report.failures:
            file, problem = next(iter(report.failures.items()))
            raise PolicyError(file, None, problem.removeprefix(f"{file}:").strip())

    async def reload(self) -> ReloadReport:
        """Look at the folder once: load what is new, drop what is gone, keep the last good of what is broken."""
        async with self._lock:
            stamps = await asyncio.to_thread(_stamps, self._folder)
            changed = [name for name, stamp in stamps.items() if self._stamps.get(name) != stamp]
            removed = tuple(name for name in self._stamps if name not in stamps)
            good: dict[str, Policy] = {}
            failures = {name: why for name, why in self._failures.items() if name in stamps and name not in changed}
            for name in changed:
                try:
                    loaded = await asyncio.to_thread(load_policy, self._file(name), name, self._known_rules)
                    await self._prove(loaded)
                    good[name] = loaded.policy
                except PolicyError as exc:
                    failures[name] = str(exc)
            self._swap(good, removed)
            self._stamps, self._failures = stamps, failures
            fresh = MappingProxyType({name: why for name, why in failures.items() if name in changed})
            return ReloadReport(tuple(good), removed, fresh)

    async def _prove(self, loaded: LoadedPolicy) -> None:
        for result in await run_tests(loaded, self._chain, self._actions):
            if not result.passed:
                problem = f"test '{result.name}' expected {result.expected}, got {result.action}"
                raise PolicyError(loaded.file, None, problem)

    def _swap(self, good: dict[str, Policy], removed: Iterable[str]) -> None:
        """One assignment, so that a request sees the old set or the new one, never a mixture."""
        policies = {name: policy for name, policy in self._policies.items() if name not in removed} | good
        policies.setdefault(DEFAULT, load_preset("preset/standard").policy)
        self._policies = policies

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.yaml"


def _stamps(folder: Path) -> dict[str, Stamp]:
    """Every policy file with its time and size: `<slug>.yaml` and `<slug>/<app>.yaml`."""
    stamps: dict[str, Stamp] = {}
    for file in (*folder.glob("*.yaml"), *folder.glob("*/*.yaml")):
        try:
            status = file.stat()
        except OSError:  # gone between the listing and the look
            continue
        stamps[file.relative_to(folder).with_suffix("").as_posix()] = (status.st_mtime_ns, status.st_size)
    return stamps
