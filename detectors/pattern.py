"""A pattern as the matcher takes it, and the error for one that no engine takes."""

from __future__ import annotations

from dataclasses import dataclass


class PatternSyntaxError(ValueError):
    """A pattern that one of the engines refuses. `index` is its place in the list."""

    def __init__(self, index: int, problem: str) -> None:
        self.index = index
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Pattern:
    """RE2 syntax. If it has a group, the first group is what was found and the rest is context.

    `gate` is a cheaper expression that occurs wherever this one does: the one pass looks for it, and RE2 then for this.
    `bytewise` says that bytes may be matched for characters: `is_bytewise`, and nothing beyond ASCII folds into it.
    """

    expression: str
    caseless: bool = False
    bytewise: bool = False
    gate: str = ""

    @property
    def looked_for(self) -> str:
        """What the one pass looks for."""
        return self.gate or self.expression
