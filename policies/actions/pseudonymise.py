"""Replace what a request says by a name that stands for it until the answer; where that cannot be done, stop."""

from collections.abc import Sequence
from typing import Final

from detectors.types import Finding, Place
from policies.types import Action, ActionName, Edit, Effect, Pseudonym

_NAMED: Final = frozenset({Place.VALUE, Place.SEALED})


class Pseudonymise:
    name = ActionName.PSEUDONYMISE

    def effect(self, findings: Sequence[Finding]) -> Effect:
        # As for a mask: a key cannot be renamed, a number cannot become text, and what has no place has no name. What
        # was signed was written with the pseudonym, before the value came back to the client: it is a value as well.
        stop = any(f.hit.span is None or f.segment.place not in _NAMED for f in findings)
        edits = tuple(
            Edit(finding.segment.pointer, finding.hit.span, Pseudonym(finding.hit.kind))
            for finding in findings
            if finding.hit.span is not None and finding.segment.place is Place.VALUE
        )
        return Effect(stop=stop, edits=edits)


ACTION: Final[Action] = Pseudonymise()
