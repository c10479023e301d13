"""A glance at the newest text of a stream: is there anything in it, and what of it may still become something?"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from detectors.beginnings import Beginnings
from detectors.guard import Guard
from detectors.keywords import KEYWORD
from detectors.normalise import FoldOffsets, fold
from detectors.pattern import Pattern
from detectors.rules import MASKED, Signature, expression_of
from detectors.selective import reads_of
from detectors.types import PHRASES, Detector, InspectionContext, Segment, Span, Stage, View
from detectors.views import ViewBuilder
from detectors.window import REACH

_PLAIN = re.compile(r"(?: ?[!-~]+)*+ ?")
_READINGS = frozenset({"cleaned", "folded", "skeleton"})
_Key = tuple[int | None, str, tuple[int, int, int], str]
_SHORT: Final = 48  # characters of what is remembered: a few words, of which streams have few different ones
_REMEMBERED: Final = 8192


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
        early = [(d, reads_of(d)) for d in detectors if _early(d)]
        self._lasting = [each for each in early if each[0].cacheable]
        self._passing = [each for each in early if not each[0].cacheable]
        self._late = [reads_of(d) for d in detectors if d.required and not _early(d)]
        self._views = views
        masked = [s for s in signatures if s.category in MASKED]
        # The kinds of what is not waited for here, as it is in addresses, secrets, canaries and quotes.
        self.phrases = frozenset({KEYWORD, *(s.kind for s in signatures if s.category in PHRASES)})
        self._masked = {folded: Beginnings(_expressions(masked, folded=folded)) for folded in (False, True)}
        # Phrases, which are matched folded, are not waited for: the automaton of all their beginnings has so many
        # states that ordinary text costs it a millisecond, and what they say is no secret.
        self._any = Beginnings([*_expressions(signatures, folded=False), *map(Pattern, gates)])
        self._remembered: OrderedDict[_Key, Seen] = OrderedDict()

    async def at(self, segment: Segment, context: InspectionContext, before: str = "") -> Seen:
        """Return what is to be seen in a text at once, whose words follow `before`. Never raises: what cannot be read
        is UNSEEN.

        What is masked is waited for however long it is, everything else REACH characters.
        """
        try:
            if any(reads(segment, context) for reads in self._late):
                return UNSEEN
            passing = [detector for detector, reads in self._passing if reads(segment, context)]
            seen = self._recall(segment, context)
            if seen is None or passing:
                seen = await self._look(segment, context, passing, seen)
            quoted = _quoted_from(context.guard, before, segment.text)
            if quoted is None or seen.settled is None:
                return seen
            return Seen(plain=False, settled=min(seen.settled, quoted))
        except Exception:  # noqa: BLE001 - whatever a detector throws here, the chain meets it again and accounts for it
            return UNSEEN

    async def _look(
        self, segment: Segment, context: InspectionContext, passing: Collection[Detector], known: Seen | None
    ) -> Seen:
        """Have the text read: by all, or where what lasts is known, only by those whose word does not."""
        lattice = self._views.build(segment)
        if lattice.exhausted or not all(map(_is_near, lattice.views)):
            return UNSEEN
        batch = [lattice.views]
        seen = known
        if seen is None:
            found = [await d.inspect(batch, context) for d, reads in self._lasting if reads(segment, context)]
            settled = min(map(self._settled_in, lattice.views))
            seen = Seen(plain=not any(map(any, found)), settled=settled)
            self._remember(segment, context, seen)
        found = [await detector.inspect(batch, context) for detector in passing]
        return Seen(plain=seen.plain and not any(map(any, found)), settled=seen.settled)

    def _recall(self, segment: Segment, context: InspectionContext) -> Seen | None:
        """Return what was seen in the same words of the same tenant before: of a language, few are most of a text."""
        key = _key(segment, context)
        seen = self._remembered.get(key)
        if seen is not None:
            self._remembered.move_to_end(key)
        return seen

    def _remember(self, segment: Segment, context: InspectionContext, seen: Seen) -> None:
        if seen.plain and len(segment.text) <= _SHORT:
            self._remembered[_key(segment, context)] = seen
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)

    def _settled_in(self, view: View) -> int:
        text, folded = view.text, "folded" in view.transforms
        start = self._masked[folded].earliest(text) if folded or len(text) > REACH else len(text)
        if not folded:
            last = text[-REACH:]
            start = min(start, len(text) - len(last) + self._any.earliest(last))
        source = view.segment.text
        if start >= len(text):
            return len(source)
        if folded and _PLAIN.fullmatch(source):  # but for its case, and blanks at its ends, it is the same
            return start + len(source) - len(source.lstrip(" "))
        return view.to_source(Span(start, start + 1)).start


def _is_near(view: View) -> bool:
    """Tell whether a reading is the text itself but for how its characters are written, none more and none fewer."""
    if view.transforms == ("cleaned",):
        return len(view.text) == len(view.segment.text)  # dashes and digits; what hides characters is the chain's
    return _READINGS.issuperset(view.transforms)


def _key(segment: Segment, context: InspectionContext) -> _Key:
    """Return what lasting detectors depend on: whose words, who is said to have said them, and what is looked for."""
    lexicon = context.lexicon
    manner = id(segment.origin), id(segment.kind), id(segment.direction)  # members, which live as long as we do
    return context.tenant_id, "" if lexicon is None else lexicon.revision, manner, segment.text


def _early(detector: Detector) -> bool:
    return detector.stage is Stage.PATTERN


def _expressions(signatures: Iterable[Signature], *, folded: bool) -> list[Pattern]:
    return [expression_of(signature) for signature in signatures if signature.folded is folded]


def _quoted_from(guard: Guard | None, before: str, text: str) -> int | None:
    """Return from where on a text may be quoting the system prompt, None if it does not."""
    if guard is None or guard.prompt is None:
        return None
    tail = before + text
    start = guard.prompt.begun(fold(tail))
    if start is None:
        return None
    return max(0, FoldOffsets(tail, collapse=True, below=None).to_source(Span(start, start + 1)).start - len(before))
