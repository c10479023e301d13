"""The policies in force, reloaded when their files change; a bad file leaves the last good revision."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from detectors.chain import Chain
from detectors.errors import EdgeError, PolicyError
from detectors.lexicon import Lexicon
from detectors.whole_files import write_whole
from policies.engine import Actions
from policies.folders import WORD_FILES, PolicyFolders
from policies.layers import Library, Stamp
from policies.loader import LoadedPolicy, load_policy, load_preset
from policies.platform_file import PLATFORM
from policies.testing import RequestReader, run_tests, screen_preamble
from policies.types import Policy

DEFAULT = "default"
_PLATFORM: Final = PLATFORM.removesuffix(".yaml")
_FOLDER: Final = "."  # the name under which a failure of the folder itself is kept
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,38}(?:/[a-z0-9][a-z0-9._-]{0,62})?")


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What one look at the folder changed. `failures` maps a file to why its last good revision stays in force."""

    loaded: tuple[str, ...]
    removed: tuple[str, ...]
    failures: MappingProxyType[str, str]


class AddedSignatures(Protocol):
    """What operators' signatures add to a policy's words. `generation` changes whenever that may be something else."""

    @property
    def generation(self) -> int: ...
    def lexicon(self, policy: Lexicon, tenant: str) -> Lexicon: ...


class PolicyStore:
    """Policies by id: `<slug>` for a tenant, `<slug>/<app>` for one app, `default` for the rest.

    `policy_for` is one dictionary look-up and always answers from a complete, tested set.
    """

    def __init__(
        self,
        folders: PolicyFolders,
        chain: Chain,
        actions: Actions,
        known_rules: Iterable[str],
        last_good: Path | None = None,
        reader: RequestReader | None = None,
        signatures: AddedSignatures | None = None,
    ) -> None:
        self._folders, self._chain, self._actions, self._last_good = folders, chain, actions, last_good
        self._reader, self._signatures, self._generation = reader, signatures, 0
        self._known_rules = frozenset(known_rules)
        self._library = Library(folders.own, folders.held)
        self._fallback = load_preset("preset/standard").policy
        self._policies: dict[str, Policy] = {DEFAULT: self._fallback}
        self._stamps: dict[str, Stamp] = {}
        self._sources: dict[str, frozenset[str]] = {}  # the files that each is made of
        self._failures: dict[str, PolicyError] = {}
        self._tenants_doing = frozenset[str]()  # of those that do not load, whose reason may be what a tenant did
        self._unusable = frozenset[str]()  # and have no last good revision either
        self._lock = asyncio.Lock()

    @property
    def policies(self) -> MappingProxyType[str, Policy]:
        return MappingProxyType(self._policies)

    @property
    def failures(self) -> MappingProxyType[str, str]:
        """Files whose present content does not load, and why."""
        return MappingProxyType({name: str(why) for name, why in self._failures.items()})

    def policy_for(self, tenant: str, app: str) -> Policy:
        """Return what decides. Raises EdgeError 503 where that is one that does not load for a tenant's doing."""
        if self._unusable:
            own = f"{tenant}/{app}"
            name = own if own in self._policies or own in self._unusable else tenant
            if name in self._unusable:
                raise EdgeError(503, "policy_unavailable", "The policy that decides here cannot be loaded.")
        return self.nearest(tenant, app)

    def nearest(self, tenant: str, app: str) -> Policy:
        """Return what would decide without the policies that do not load: to be looked at, never to decide by."""
        known = self._policies
        return known.get(f"{tenant}/{app}") or known.get(tenant) or known[DEFAULT]

    async def load(self) -> None:
        """First load, for which every file of the operator's must be good. Raises PolicyError.

        What tenants have written costs themselves alone, and nobody a start.
        """
        await self.reload()
        for name, why in self._failures.items():
            if name not in self._tenants_doing:
                raise why

    async def recover(self) -> None:
        """First load of a process that takes a fallen one's place: a broken file is served by its last good copy.

        Raises PolicyError where there is none and the file is the operator's, since the tenant would silently get
        another policy.
        """
        await self.reload()
        for name, why in self._failures.items():
            if name not in self._policies and name not in self._tenants_doing:
                raise why

    async def reload(self) -> ReloadReport:
        """Look at the folder once: load what is new, drop what is gone, keep the last good of what is broken."""
        async with self._lock:
            try:
                stamps = await asyncio.to_thread(self._folders.stamps)
            except OSError as exc:
                return self._blind(PolicyError(self._folders.own, None, f"cannot be listed: {exc.strerror}"))
            changed = self._changed(stamps, retry=self._signatures_moved())
            removed = tuple(name for name in self._stamps if name not in stamps and not _is_shared(name))
            good: dict[str, Policy] = {}
            failures = {name: why for name, why in self._failures.items() if name in stamps and name not in changed}
            for name in changed:
                try:
                    good[name] = await self._load_one(name)
                except PolicyError as exc:
                    failures[name] = exc
                    known = self._policies.get(name)
                    lost = known is None or known is self._fallback
                    kept = await asyncio.to_thread(self._recall, name) if lost else None
                    if kept is not None:
                        good[name] = kept
            doing = await asyncio.to_thread(self._folders.resting_with_tenants, tuple(failures))
            if good or removed:
                self._swap(good, removed)
            self._stamps, self._failures, self._tenants_doing = stamps, failures, doing
            self._unusable = frozenset(name for name in doing if name not in self._policies)
            return _report(good, removed, {name: why for name, why in failures.items() if name in changed})

    def _signatures_moved(self) -> bool:
        before, self._generation = self._generation, 0 if self._signatures is None else self._signatures.generation
        return self._generation != before

    def _changed(self, stamps: dict[str, Stamp], *, retry: bool) -> list[str]:
        """Return the policies that may read otherwise than before: their file, or one that they are made of, moved.

        `retry` those that did not load, too: their tests may have missed signatures that came later.
        """
        names = stamps.keys() | self._stamps.keys()
        moved = {name for name in names if stamps.get(name) != self._stamps.get(name)}
        again = self._failures.keys() if retry else frozenset[str]()
        return [name for name in stamps if not _is_shared(name) and (name in again or self._concerned(name, moved))]

    def _concerned(self, name: str, moved: set[str]) -> bool:
        if name in moved or _PLATFORM in moved or not moved.isdisjoint(self._sources.get(name, ())):
            return True
        # Of one that did not load nobody knows what it is made of.
        tenant = name.partition("/")[0]
        return name in self._failures and any(other == tenant or _is_shared(other) for other in moved)

    def _blind(self, why: PolicyError) -> ReloadReport:
        """A folder that cannot be listed is not an empty one: everything stays in force."""
        known = self._failures.get(_FOLDER)
        self._failures[_FOLDER] = why
        return _report((), (), {} if known is not None and str(known) == str(why) else {_FOLDER: why})

    async def _load_one(self, name: str) -> Policy:
        file = self._folders.file(name)
        if _NAME.fullmatch(name) is None:
            raise PolicyError(file, None, "no tenant or app can have this name, so it would never be in force")
        loaded = await asyncio.to_thread(load_policy, file, name, self._known_rules, self._library)
        await screen_preamble(loaded, self._chain, self._actions)
        if not self._folders.holds(name):  # whose tests passed when it was saved, and time alone must not undo it
            await self._prove(loaded, name.partition("/")[0])
        if self._last_good is not None:
            for source in loaded.sources:
                await asyncio.to_thread(keep_copy, source, self._last_good / self._folders.relative(source))
        named = (self._folders.relative(source).as_posix() for source in loaded.sources)
        self._sources[name] = frozenset(source.removesuffix(".yaml") for source in named)
        return loaded.policy

    def _recall(self, name: str) -> Policy | None:
        """Return the last good copy; its own tests passed when it was kept, and time alone must not undo it."""
        if self._last_good is None:
            return None
        try:
            good = Library(self._last_good)
            return load_policy(self._last_good / f"{name}.yaml", name, self._known_rules, good).policy
        except PolicyError:
            return None

    async def _prove(self, loaded: LoadedPolicy, tenant: str) -> None:
        signatures = self._signatures
        if signatures is not None:
            loaded = loaded.looking_for(lambda lexicon: signatures.lexicon(lexicon, tenant))
        for result in await run_tests(loaded, self._chain, self._actions, self._reader):
            if not result.passed:
                raise PolicyError(loaded.file, None, f"test '{result.name}' {result.problems[0]}")

    def _swap(self, good: dict[str, Policy], removed: Iterable[str]) -> None:
        """One assignment, so that a request sees the old set or the new one, never a mixture."""
        policies = {name: policy for name, policy in self._policies.items() if name not in removed} | good
        policies.setdefault(DEFAULT, self._fallback)
        self._policies = policies


def _is_shared(name: str) -> bool:
    """Tell whether a file is no policy by itself: others are made of it."""
    return name == _PLATFORM or name.startswith("_") or name.endswith(WORD_FILES)


def keep_copy(file: Path, copy: Path) -> None:
    """Keep a good file for a process that starts after it was broken; without room for it nothing is lost but that."""
    try:
        content = file.read_bytes()
        if copy.exists() and copy.read_bytes() == content:
            return
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_whole(copy, content)
    except OSError:
        return


def _report(loaded: Iterable[str], removed: tuple[str, ...], failures: dict[str, PolicyError]) -> ReloadReport:
    return ReloadReport(tuple(loaded), removed, MappingProxyType({name: str(why) for name, why in failures.items()}))
