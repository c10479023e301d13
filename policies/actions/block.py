"""Stop the exchange."""

from collections.abc import Sequence
from typing import Final

from detectors.types import Finding
from policies.types import Action, ActionName, Effect


class Block:
    name = ActionName.BLOCK

    def effect(self, findings: Sequence[Finding]) -> Effect:
        return Effect(stop=bool(findings))


ACTION: Final[Action] = Block()
