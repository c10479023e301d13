"""A glance at the newest text of a stream: is there anything in it, and what of it may still become something?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from detectors.beginnings import Beginnings
from detectors.guard import Guard
from detectors.matcher import Pattern
from detectors.normalise import FoldOffsets, fold
from detectors.rules import MASKED, Signature, expression_of
from detectors.types import Detector, InspectionContext, Segment, Span, Stage, View
from detectors.views import ViewBuilder
from detectors.window import REACH

_PLAIN = re.compile(r"(?: ?[!-~]+)*+ ?")
_READINGS = frozenset({"folded", "skeleton"})


class Seen(NamedTuple):
    """What a glance at a text has shown: nothing is in it (`plain`), and how many characters from its beginning can
    become nothing any more; None where nobody can tell.
    """

    plain: bool
    settled: int | None


UNSEEN: Final = Seen(plain=False, settled=None)


class Glance:
    """Reads a text as the pattern stage does, at the price of one look. Whatever is not plain is left to the chain."""

    def __init__(
        self, detectors: Iterable[Detector], views: ViewBuilder, signatures: Collection[Signature], gates: Iterable[str]
    ) -> None:
        detectors = tuple(detectors)
        self._detectors = [d for d in detectors if d.stage is Stage.PATTERN]
        self._enough = not any(d.required for d in detectors if d.stage is not Stage.PATTERN)
        self._views = views
        gated = [Pattern(gate) for gate in gates]
        of = {
            (folded, masked): [
                expression_of(s) for s in signatures if s.folded is folded and (s.category in MASKED) is masked
            ]
            + ([] if folded or masked else gated)
            for folded in (False, True)
            for masked in (False, True)
        }
        self._masked = {folded: Beginnings(of[folded, True]) for folded in (False, True)}
        self._others = {folded: Beginnings(of[folded, False]) for folded in (False, True)}
        self._all = {folded: Beginnings(of[folded, True] + of[folded, False]) for folded in (False, True)}

    async def at(self, segment: Segment, context: InspectionContext, before: str = "") -> Seen:
        """Return what is to be seen in a text at once, whose words follow `before`. Never raises: what cannot be read
        is UNSEEN.

        What is masked is waited for however long it is, everything else REACH characters.
        """
        try:
            lattice = self._views.build(segment)
            if (
                not self._enough
                or lattice.exhausted
                or not all(_READINGS.issuperset(v.transforms) for v in lattice.views)
            ):
                return UNSEEN
            batch = [lattice.views]
            found = [await detector.inspect(batch, context) for detector in self._detectors]
            settled = min(map(self._settled_in, lattice.views))
            quoted = _quoted_from(context.guard, before, segment.text)
            return Seen(
                plain=quoted is None and not any(map(any, found)),
                settled=settled if quoted is None else min(settled, quoted),
            )
        except Exception:  # noqa: BLE001 - whatever a detector throws here, the chain meets it again and accounts for it
            return UNSEEN

    def _settled_in(self, view: View) -> int:
        text, folded = view.text, "folded" in view.transforms
        if len(text) <= REACH:
            start = self._all[folded].earliest(text)
        else:
            others = max(self._others[folded].earliest(text), len(text) - REACH)
            start = min(self._masked[folded].earliest(text), others)
        source = view.segment.text
        if start >= len(text):
            return len(source)
        if folded and _PLAIN.fullmatch(source):  # but for its case, and blanks at its ends, it is the same
            return start + len(source) - len(source.lstrip(" "))
        return view.to_source(Span(start, start + 1)).start


def _quoted_from(guard: Guard | None, before: str, text: str) -> int | None:
    """Return from where on a text may be quoting the system prompt, None if it does not."""
    if guard is None or guard.prompt is None:
        return None
    tail = before + text
    start = guard.prompt.begun(fold(tail))
    if start is None:
        return None
    return max(0, FoldOffsets(tail, collapse=True, below=None).to_source(Span(start, start + 1)).start - len(before))
