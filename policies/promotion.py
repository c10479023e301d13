"""When a policy may take another's place: conditions on what a replay says, as `new_blocks < 0.1%`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from detectors.documents import nearest
from policies.replay import Tally

_DOUBTFUL: Final = "undecidable"
_COUNTS: Final[Mapping[str, Callable[[Tally], int]]] = MappingProxyType(
    {
        "new_blocks": lambda tally: tally.newly_blocked,
        "new_allows": lambda tally: tally.newly_allowed,
        "other_changes": lambda tally: tally.other_changes,
        _DOUBTFUL: lambda tally: tally.undecidable,
    }
)
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
)
_PART: Final = re.compile(r"([a-z_]+) ?(<=|>=|==|<|>) ?([0-9]{1,12}(?:\.[0-9]{1,9})?)(%?)")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. With `percent` it is of the share of all judged decisions, else of their number."""

    source: str
    name: str
    comparison: str
    bound: float
    percent: bool

    def value(self, tally: Tally) -> float:
        count = _COUNTS[self.name](tally)
        return 100 * tally.share(count) if self.percent else count

    def holds(self, tally: Tally) -> bool:
        """Tell whether it holds. Where nothing could be decided again, no count of what came of it says anything."""
        if not tally.decided and self.name != _DOUBTFUL:
            return False
        return _COMPARISONS[self.comparison](self.value(tally), self.bound)


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """Read `new_blocks < 0.1% and undecidable < 1%`. Raises ValueError with what is wrong."""
    return tuple(_condition(part.strip()) for part in " ".join(text.split()).split(" and "))


def _condition(part: str) -> Condition:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"'{part}' is no condition such as new_blocks < 0.1%")
    name, comparison, number, percent = match.groups()
    if name not in _COUNTS:
        raise ValueError(f"'{name}' is none of {', '.join(_COUNTS)}{nearest(name, list(_COUNTS))}")
    return Condition(part, name, comparison, float(number), bool(percent))
