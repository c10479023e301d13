"""The rules of all layers as one list: a child replaces and disables by id, and nobody wins by accident."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.documents import nearest
from detectors.errors import ConfigurationError, raise_all
from policies.layers import Layer
from policies.types import Rule


def merged_rules(layers: Sequence[Layer]) -> list[Rule]:
    """Return the rules in force. A child's rule with a parent's id replaces it where it stands; `disable` removes it.

    Of two packs, or two files, of which neither extends the other, one rule id with two meanings is a conflict that
    their child has to settle. Raises PolicyError.
    """
    merged: dict[str, Rule] = {}
    owners: dict[str, Layer] = {}
    conflicts: dict[str, tuple[Layer, Layer]] = {}
    unknown: list[ConfigurationError] = []
    for layer in layers:
        for index, name in enumerate(layer.content.disable):
            if name not in merged:
                problem = f"there is no rule '{name}' to disable{nearest(name, list(merged))}"
                unknown.append(layer.document.complain(("disable", index), problem, of_key=False))
            merged.pop(name, None)
            conflicts.pop(name, None)
        for rule in layer.rules:
            other = owners.get(rule.id) if rule.id in merged else None
            conflicts.pop(rule.id, None)
            if other is not None and _unrelated(layer, other) and merged[rule.id] != rule:
                conflicts[rule.id] = (other, layer)
            merged[rule.id], owners[rule.id] = rule, layer
    raise_all(unknown)
    for name, (one, two) in conflicts.items():
        problem = f"rule '{name}' means one thing in {one.name}, another in {two.name}: define it here, or disable it"
        raise layers[-1].document.complain(("extends",), problem)
    return list(merged.values())


def _unrelated(layer: Layer, other: Layer) -> bool:
    """A pack goes before a preset, and a file before both; equals that know nothing of each other do not."""
    return layer.kind == other.kind and other.name not in layer.ancestors
