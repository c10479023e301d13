"""Where policies lie: in the operator's folder, or in that of the versions that the database holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.documents import Document, read_document
from detectors.errors import PolicyError
from policies.layers import Stamp
from policies.testing import TEST_FILES

WORD_FILES: Final = ".txt"


@dataclass(frozen=True, slots=True)
class PolicyFolders:
    """`own` is the operator's, under version control or not; `held` has what the database says is in force, if any.

    A policy lies in one of them. What others are made of (`_common/`, `platform.yaml`) lies in `own` only, but for a
    tenant's policy, which those of its apps may extend.
    """

    own: Path
    held: Path | None = None

    def stamps(self) -> dict[str, Stamp]:
        """Every policy by name, `<slug>` or `<slug>/<app>`, with what changes when it does. Raises OSError."""
        held, own = self._held_stamps(), dict(_stamps_in(self.own, "", deeper=True))
        # One that lies in both changes as it comes to do so, and then does not load.
        twice = {name: _sum(own[name], held[name]) for name in held.keys() & own.keys()}
        return {**held, **own, **twice}

    def file(self, name: str) -> Path:
        """Return the file of a policy. Raises PolicyError where it lies in both folders."""
        own, held = self.own / f"{name}.yaml", None if self.held is None else self.held / f"{name}.yaml"
        if held is None or not held.is_file():
            return own
        if own.is_file():
            problem = f"the database holds '{name}' too: remove this file, or run `promptshield policy withdraw {name}`"
            raise PolicyError(own, None, problem)
        return held

    def holds(self, name: str) -> bool:
        """Tell whether it is the database that has a policy of that name, and a tenant that wrote it."""
        return self.held is not None and (self.held / f"{name}.yaml").is_file()

    def resting_with_tenants(self, names: Iterable[str]) -> frozenset[str]:
        """Return those that may not load for what a tenant did: the database holds them, or they are files that are
        built on the tenant's own policy, which the database holds, or held until it was withdrawn.
        """
        return frozenset(name for name in names if self._rests_with_tenant(name))

    def _rests_with_tenant(self, name: str) -> bool:
        slug, _, app = name.partition("/")
        if self.holds(name):
            return True
        if not app or self.held is None or ((self.own / f"{slug}.yaml").is_file() and not self.holds(slug)):
            return False
        try:
            content = read_document(self.own / f"{name}.yaml", PolicyError).content
        except PolicyError:
            return False
        extends, candidate = content.get("extends"), content.get("candidate")
        named = [*(extends if isinstance(extends, list) else [extends])]
        named += [candidate.get("policy")] if isinstance(candidate, dict) else []
        return f"{slug}.yaml" in named

    def relative(self, file: Path) -> Path:
        """Return a file's place below the folder that it lies in."""
        held = self.held is not None and file.is_relative_to(self.held)
        return file.relative_to(self.held if held and self.held is not None else self.own)

    def _held_stamps(self) -> Mapping[str, Stamp]:
        if self.held is None:
            return {}
        try:
            return dict(_stamps_in(self.held, "", deeper=True))
        except FileNotFoundError:
            return {}  # nothing is held


def _sum(one: Stamp, other: Stamp) -> Stamp:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _stamps_in(folder: Path, prefix: str, *, deeper: bool) -> Iterator[tuple[str, Stamp]]:
    with os.scandir(folder) as listed:
        entries = list(listed)
    for entry in entries:
        name = f"{prefix}{entry.name}"
        # Hidden: the unfinished files of editors, version control, the inside of a mounted config map.
        if entry.name.startswith(".") or entry.name.endswith(TEST_FILES):
            continue
        if entry.is_dir():
            if deeper:
                yield from _stamps_in(folder / entry.name, f"{name}/", deeper=False)
        elif name.endswith((".yaml", WORD_FILES)):
            try:
                status = entry.stat()
            except FileNotFoundError:  # gone between the listing and the look
                continue
            # The change time too: a file moved over another may bring an old modification time along.
            yield name.removesuffix(".yaml"), (status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def refuse_word_files(document: Document) -> None:
    """Hold a policy to what the database can hold: words in files are the operator's, and maybe of other tenants.

    Raises PolicyError.
    """
    lists = document.content.get("keywords")
    for index, item in enumerate(lists if isinstance(lists, list) else ()):
        if isinstance(item, dict) and "file" in item:
            problem = "words of a policy that the database holds stand in it: write `words:`"
            raise document.complain(("keywords", index, "file"), problem)
