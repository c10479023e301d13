"""Replace what was found by its kind in brackets; where that cannot be done, stop."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from detectors.types import Finding, Place
from policies.types import Action, ActionName, Edit, Effect

_certainty: Final = attrgetter("hit.confidence")
_VALUE: Final = Place.VALUE  # looked up once: a body may hold fifty thousand findings


class Mask:
    name = ActionName.MASK

    def effect(self, findings: Sequence[Finding]) -> Effect:
        edits = []
        # Of two that say the same place, the more certain one names it.
        for finding in sorted(findings, key=_certainty, reverse=True):
            span, segment = finding.hit.span, finding.segment
            # A key cannot be renamed without changing what the document means, nor a number become text.
            if span is None or segment.place is not _VALUE:
                return Effect(stop=True)
            edits.append(Edit(segment.pointer, span, f"[{finding.hit.kind}]"))
        return Effect(edits=tuple(edits))


ACTION: Final[Action] = Mask()
