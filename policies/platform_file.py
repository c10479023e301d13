"""`platform.yaml`: what no tenant's policy may exceed (`ceilings`), and what none may change (`locked`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field

from detectors.documents import Document, nearest
from policies.layers import Layer
from policies.limits_schema import LimitsDocument, bounded, exceeds
from policies.rule_merge import merged_rules
from policies.schema import PolicyDocument
from policies.schema_words import Networks, Strict, listed
from policies.types import PolicyLimits, Rule

PLATFORM: Final = "platform.yaml"
_LEVELS: Final = frozenset({"apps", "keys", "models"})  # they hold beside a policy's own
_ADDED_UP: Final = frozenset(
    {"exclusions", "webhooks", "leakage.hosts", "judges.when", "keywords", "rules", "disable", "tests", "extends"}
)
_CLASS: Final = re.compile(r"\[!?\]?[^\]]*\]")  # any of some characters: `[ab]`
_WHOLE: Final = frozenset({"output", "candidate", "risk"})  # a child's takes the place of its parent's


class CeilingsDocument(Strict):
    limits: LimitsDocument = LimitsDocument()
    models: Annotated[tuple[Annotated[str, Field(pattern=r"^[^?\[\]]+$")], ...], BeforeValidator(listed)] = ("*",)


class LockedDocument(Strict):
    """Keys of policies (`failure_mode`, `audit.level`) and ids of rules, as the platform's own `policy` has them."""

    keys: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    rules: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()


class PlatformDocument(Strict):
    ceilings: CeilingsDocument = CeilingsDocument()
    locked: LockedDocument = LockedDocument()
    webhook_networks: Networks = ()
    policy: PolicyDocument = PolicyDocument(extends=("preset/standard",))


@dataclass(frozen=True, slots=True)
class PlatformFile:
    """The file, and the layers of its `policy`, which say what is locked to what."""

    document: Document
    content: PlatformDocument
    layers: tuple[Layer, ...]

    @property
    def models(self) -> tuple[str, ...]:
        return self.content.ceilings.models

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.content.model_dump_json(exclude_unset=True, exclude_none=True).encode()).digest()

    def bounded(self, limits: PolicyLimits) -> PolicyLimits:
        """Return the limits of a policy that says nothing of some of them: there the ceiling holds."""
        return bounded(limits, self.content.ceilings.limits)

    def hold(self, layers: Sequence[Layer], rules: Sequence[Rule]) -> None:
        """Hold a policy against ceilings and locks. Raises PolicyError where it exceeds or changes one."""
        for layer in layers:
            if layer.kind == "file":
                self._hold_limits(layer)
                self._hold_models(layer)
        for index, key in enumerate(self.content.locked.keys):
            if _effective(layers, key) != _effective(self.layers, key):
                raise self._locked(layers, tuple(key.split(".")), key, ("keys", index))
        wanted = {rule.id: rule for rule in merged_rules(self.layers)}
        given = {rule.id: rule for rule in rules}
        for index, name in enumerate(self.content.locked.rules):
            if given.get(name) != wanted[name]:
                raise self._locked(layers, _place_of(layers[-1], name), f"rule '{name}'", ("rules", index))

    def _hold_limits(self, layer: Layer) -> None:
        for name in [name for name in LimitsDocument.model_fields if name not in _LEVELS]:
            top, own = getattr(self.content.ceilings.limits, name), getattr(layer.content.limits, name)
            if top is not None and own is not None and exceeds(own, top):
                own_text = layer.document.content["limits"][name]
                top_text = self.document.content["ceilings"]["limits"][name]
                where = self._where("ceilings", "limits", name)
                problem = f"limits.{name} {own_text} exceeds platform ceiling {top_text} ({where})"
                raise layer.document.complain(("limits", name), problem)

    def _hold_models(self, layer: Layer) -> None:
        for index, model in enumerate(layer.content.models.allow or ()):
            # A pattern below a pattern matches it as a text does, since ceilings have no other wildcard than `*`, which
            # alone covers what stands for one of several characters.
            if not any(fnmatchcase(_CLASS.sub("?", model), top) for top in self.models):
                problem = f"models.allow {model} exceeds platform ceiling ({self._where('ceilings', 'models')})"
                raise layer.document.complain(("models", "allow", index), problem, of_key=False)

    def _locked(
        self, layers: Sequence[Layer], loc: tuple[str | int, ...], what: str, at: tuple[str | int, ...]
    ) -> Exception:
        changed = next((layer for layer in reversed(layers) if _sets(layer, loc)), layers[-1])
        return changed.document.complain(loc, f"{what} is locked by the platform ({self._where('locked', *at)})")

    def _where(self, *loc: str | int) -> str:
        return f"{self.document.file.name}:{self.document.line(loc)}"


def platform_file(document: Document, layers_of: Any) -> PlatformFile:
    """Read `platform.yaml`; `layers_of` makes layers of a document. Raises PolicyError for what it cannot lock."""
    content = document.validate(PlatformDocument)
    base = document.content.get("policy", {"extends": "preset/standard"})
    layers = tuple(layers_of(replace(document, content=base, root=None), "platform"))
    known = {rule.id for rule in merged_rules(layers)}
    for index, name in enumerate(content.locked.rules):
        if name not in known:
            problem = f"there is no rule '{name}' to lock{nearest(name, sorted(known))}"
            raise document.complain(("locked", "rules", index), problem, of_key=False)
    for index, key in enumerate(content.locked.keys):
        if not _is_key(key):
            problem = f"there is no key '{key}' to lock{nearest(key, sorted(PolicyDocument.model_fields))}"
            raise document.complain(("locked", "keys", index), problem, of_key=False)
    return PlatformFile(document, content, layers)


def _effective(layers: Sequence[Layer], key: str) -> object:
    """Return what a policy of these layers says under a key: the last word, or all words where they add up; of what
    has keys of its own, the last word under each.
    """
    said = [value for layer in layers if (value := _dig(layer.content, key)) not in (None, {})]
    if key in _ADDED_UP:
        return [value for value in said if value]
    if key in _WHOLE or not all(isinstance(value, dict) for value in said):
        # An empty list takes back what a parent says, as `panel: default` does, and is as good as none.
        return None if not said or said[-1] == () else said[-1]
    merged: dict[str, Any] = {}
    for name, value in ((name, value) for part in said for name, value in part.items() if value is not None):
        known = merged.get(name)
        if f"{key}.{name}" in _ADDED_UP:
            merged[name] = (*(known or ()), *value)
        else:  # limits of apps, keys and models go by their patterns
            merged[name] = known | value if isinstance(known, dict) and isinstance(value, dict) else value
    return merged or None


def _dig(content: PolicyDocument, key: str) -> Any:
    value: Any = content
    for step in key.split("."):
        value = getattr(value, step, None)
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value


def _is_key(key: str) -> bool:
    head, _, tail = key.partition(".")
    field = PolicyDocument.model_fields.get(head)
    inner = getattr(getattr(field, "annotation", None), "model_fields", {})
    return field is not None and (not tail or tail in inner)


def _sets(layer: Layer, loc: Sequence[str | int]) -> bool:
    value: Any = layer.document.content
    for step in loc:
        inside = step in value if isinstance(value, dict) else isinstance(step, int) and step < len(value)
        if not inside:
            return False
        value = value[step]
    return True


def _place_of(layer: Layer, rule: str) -> tuple[str | int, ...]:
    index = next((i for i, document in enumerate(layer.content.rules) if document.id == rule), None)
    if index is not None:
        return ("rules", index)
    return ("disable", layer.content.disable.index(rule)) if rule in layer.content.disable else ("extends",)
