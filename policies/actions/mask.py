"""Replace what was found by its kind in brackets; where that cannot be done, stop."""

from collections.abc import Sequence
from typing import Final

from detectors.types import Finding, Place
from policies.types import Action, ActionName, Edit, Effect


class Mask:
    name = ActionName.MASK

    def effect(self, findings: Sequence[Finding]) -> Effect:
        # A key cannot be renamed without changing what the document means, nor a number become text.
        stop = any(f.hit.span is None or f.segment.place is not Place.VALUE for f in findings)
        edits = tuple(
            Edit(finding.segment.pointer, finding.hit.span, f"[{finding.hit.kind}]")
            for finding in sorted(findings, key=_doubt)  # of two that say the same place, the more certain one names it
            if finding.hit.span is not None and finding.segment.place is Place.VALUE
        )
        return Effect(stop=stop, edits=edits)


def _doubt(finding: Finding) -> float:
    return -finding.hit.confidence


ACTION: Final[Action] = Mask()
