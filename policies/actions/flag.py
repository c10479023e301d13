"""Let it pass and say so in the record."""

from collections.abc import Sequence
from typing import Final

from detectors.types import Finding
from policies.types import Action, ActionName, Effect


class Flag:
    name = ActionName.FLAG

    def effect(self, findings: Sequence[Finding]) -> Effect:
        return Effect(labels=tuple(sorted({finding.hit.category for finding in findings})))


ACTION: Final[Action] = Flag()
