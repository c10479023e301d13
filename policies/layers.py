"""The files that a policy is made of: what it extends, each read once for all who extend it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from detectors.documents import Document, nearest, read_document
from detectors.errors import ConfigurationError, PolicyError, raise_all
from policies.rule_schema import rule_of
from policies.schema import PolicyDocument
from policies.types import Rule

PRESETS: Final = Path(__file__).parent / "presets"
PACKS: Final = Path(__file__).parent / "packs"
_SHIPPED: Final = {"preset": PRESETS, "pack": PACKS}
# Files of the operator that others extend stand in folders that no tenant can have: `_common/europe.yaml`.
_SHARED_FILE: Final = re.compile(r"_[a-z0-9_-]{1,40}/[a-z0-9][a-z0-9._-]{0,62}\.yaml")
_MOST_LAYERS: Final = 32
_KINDS: Final = ("preset", "pack", "file")  # the later has the last word
Stamp = tuple[int, int, int]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a policy. `rules` are compiled once and shared; `ancestors` are the names of all it extends."""

    name: str
    document: Document
    content: PolicyDocument
    rules: tuple[Rule, ...]
    ancestors: frozenset[str]
    digest: bytes

    @property
    def kind(self) -> str:
        folder = self.document.file.parent
        return "preset" if folder == PRESETS else "pack" if folder == PACKS else "file"


def shipped_names(kind: str) -> tuple[str, ...]:
    """Return the names of all presets (`preset`) or packs (`pack`)."""
    return tuple(sorted(f"{kind}/{file.stem}" for file in _SHIPPED[kind].glob("*.yaml")))


def preset_names() -> tuple[str, ...]:
    return shipped_names("preset")


def pack_names() -> tuple[str, ...]:
    return shipped_names("pack")


def shipped_file(name: str) -> Path:
    kind, _, stem = name.partition("/")
    return _SHIPPED[kind] / f"{stem}.yaml"


class Library:
    """Reads layers. What others extend is kept, and read again when its file has changed.

    `folder` is the operator's; of `held`, the database's policies, an app's policy may extend its own tenant's alone.
    """

    def __init__(self, folder: Path | None = None, held: Path | None = None) -> None:
        self._folder, self._held = folder, held
        self._known: dict[str, tuple[list[tuple[Path, Stamp]], Any]] = {}

    def layers(self, document: Document, name: str, above: tuple[str, ...] = ()) -> list[Layer]:
        """Return the file and all it extends, most distant ancestor first, and each once: a second time it would undo
        a child. Raises PolicyError.
        """
        content = document.validate(PolicyDocument)
        layers: list[Layer] = []
        for index, parent in enumerate(content.extends):
            at = ("extends", index)
            if parent in {*above, name}:
                circle = " -> ".join([*(above[above.index(parent) :] if parent in above else ()), name, parent])
                raise document.complain(at, f"extends itself: {circle}", of_key=False)
            inherited = self._parent(document, parent, at, (*above, name))
            known = {layer.name for layer in layers}
            layers += [layer for layer in inherited if layer.name not in known]
        layers.sort(key=lambda layer: _KINDS.index(layer.kind))  # whatever the order in which they are named
        if len(layers) >= _MOST_LAYERS:
            raise document.complain(("extends",), f"extends more than {_MOST_LAYERS} files")
        ancestors = frozenset(layer.name for layer in layers)
        # Of what is written only, so that a key that a later version knows leaves older files their revision.
        digest = hashlib.sha256(content.model_dump_json(exclude_unset=True, exclude_none=True).encode()).digest()
        return [*layers, Layer(name, document, content, _rules(document, content), ancestors, digest)]

    def find(self, document: Document, name: str, loc: Sequence[str | int], tenant: str) -> Path:
        """Return the file of that name, which a policy of `tenant` may build on: the operator's, or the tenant's own
        policy, which the database may hold. Raises PolicyError.
        """
        own = [f"{tenant}.yaml"] if tenant else []
        if name not in own and not _SHARED_FILE.fullmatch(name):
            known = [*preset_names(), *shipped_names("pack"), *own, "_<folder>/<file>.yaml"]
            there = any((folder / name).is_file() for folder in self._folders(document.file))
            hint = (
                ": only files in a folder `_...`, and an app's own tenant, can be extended"
                if there
                else nearest(name, known)
            )
            raise document.complain(loc, f"unknown policy '{name}'{hint}", of_key=False)
        held = [self._held] if self._held is not None and name in own else []
        folders = [folder for folder in (*self._folders(document.file), *held) if (folder / name).is_file()]
        if not folders:
            nor = ", and the database holds none" if held else ""
            raise document.complain(loc, f"there is no file '{name}' in the policies' folder{nor}", of_key=False)
        if len(folders) > 1 and folders[-1:] == held:
            problem = f"'{name}' is a file and the database holds it too: it is one or the other"
            raise document.complain(loc, problem, of_key=False)
        file = folders[0] / name
        if not file.resolve().is_relative_to(folders[0].resolve()):
            raise document.complain(loc, f"'{name}' lies outside of the policies' folder", of_key=False)
        return file

    def _parent(
        self, document: Document, parent: str, at: tuple[str | int, ...], above: tuple[str, ...]
    ) -> list[Layer]:
        if parent in {*preset_names(), *shipped_names("pack")}:
            return self._read(shipped_file(parent), parent, above)
        # An app builds on its tenant's file; of other tenants' files nobody learns anything.
        app_of, _, app = above[0].partition("/")
        tenant = app_of if app and len(above) == 1 else ""
        return self._read(self.find(document, parent, at, tenant), parent, above)

    def beside(self, file: Path, name: str) -> Path | None:
        """Return the file of that name in the policies' folder, which is that of `file` where none was given."""
        return next((known for folder in self._folders(file) if (known := folder / name).is_file()), None)

    def _folders(self, file: Path) -> Sequence[Path]:
        return [self._folder] if self._folder else list(file.parents)[:2]

    def kept(
        self, file: Path, name: str, read: Callable[[], Value], layers_of: Callable[[Value], Iterable[Layer]]
    ) -> Value:
        """Return what `read` made of a file, once for as long as that and the files of its layers are the same."""
        known = self._known.get(name)
        if known is None or any(_has_moved(part, stamp) for part, stamp in known[0]):
            stamp = stamp_of(file)  # before it is read: if it changes meanwhile it is read again
            value = read()
            # What is shipped does not change while we run.
            parts = [] if file.parent in {PRESETS, PACKS} else [(file, stamp)]
            for layer in layers_of(value):
                parts += self._known[layer.name][0] if layer.name in self._known else []
            known = self._known[name] = (parts, value)
        kept: Value = known[1]
        return kept

    def _read(self, file: Path, name: str, above: tuple[str, ...]) -> list[Layer]:
        return self.kept(file, name, lambda: self.layers(read_document(file, PolicyError), name, above), list)


def stamp_of(file: Path) -> Stamp:
    """Return what changes when a file does. Raises PolicyError."""
    try:
        status = file.stat()
    except OSError as exc:
        raise PolicyError(file, None, f"cannot be read: {exc.strerror}") from exc
    # The change time too: a file moved over another may bring an old modification time along.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def _has_moved(file: Path, stamp: Stamp) -> bool:
    try:
        return stamp_of(file) != stamp
    except PolicyError:  # gone, maybe to the database's folder
        return True


def _rules(document: Document, content: PolicyDocument) -> tuple[Rule, ...]:
    rules, wrong = [], list[ConfigurationError]()
    for index, rule in enumerate(content.rules):
        try:
            rules.append(rule_of(rule))
        except ValueError as exc:
            wrong.append(document.complain(("rules", index, "if"), f"rule '{rule.id}': {exc}"))
    raise_all(wrong)
    return tuple(rules)
