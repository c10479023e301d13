"""Replace what was found by its kind in brackets; where that cannot be done, stop."""

from collections.abc import Sequence
from typing import Final

from detectors.types import Finding, Place
from policies.types import Action, ActionName, Edit, Effect

_VALUE: Final = Place.VALUE  # looked up once: a body may hold fifty thousand findings


class Mask:
    name = ActionName.MASK

    def effect(self, findings: Sequence[Finding]) -> Effect:
        edits = []
        for finding in sorted(findings, key=_doubt):  # of two that say the same place, the more certain one names it
            span, segment = finding.hit.span, finding.segment
            # A key cannot be renamed without changing what the document means, nor a number become text.
            if span is None or segment.place is not _VALUE:
                return Effect(stop=True)
            edits.append(Edit(segment.pointer, span, f"[{finding.hit.kind}]"))
        return Effect(edits=tuple(edits))


def _doubt(finding: Finding) -> float:
    return -finding.hit.confidence


ACTION: Final[Action] = Mask()
