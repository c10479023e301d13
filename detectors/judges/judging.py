"""How one inspection has its open texts judged: by whom, on whose account, and what of a text leaves for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from detectors.judges.panel import Panel
from detectors.judges.types import Call, Outcome, Purse, Question, Send, Terms
from detectors.types import Category, Hit, Segment, Span

_PRIVATE = frozenset({Category.PII, Category.CREDENTIAL})


@dataclass(slots=True)
class Judging:
    """One inspection's way to the judges. `known` is what the others found in its open texts, by the segment's
    identity; `calls` is what was asked of the judges. It ends with the inspection.
    """

    panel: Panel
    terms: Terms
    purse: Purse
    tenant_id: int | None = None
    known: dict[int, Sequence[Hit]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    @property
    def tag(self) -> bytes:
        """What judges' hits depend on beside the text: who judges, and what of the text they see."""
        terms = self.terms
        parts = (self.panel.revision, terms.strategy, terms.send, *terms.panel)
        return hashlib.blake2b("\0\0".join(parts).encode(), digest_size=16).digest()

    async def judge(self, question: Question) -> Outcome:
        outcome = await self.panel.judge(question, self.terms, self.purse)
        self.calls += outcome.calls
        return outcome

    def text_for_judges(self, segment: Segment) -> str | None:
        """Return what of a segment may be sent; None where that which must not leave has no place to be cut out."""
        if self.terms.send is Send.NEVER:
            return None
        if self.terms.send is Send.RAW:
            return segment.text
        private = [hit for hit in self.known.get(id(segment), ()) if hit.category in _PRIVATE]
        spans = [(hit.span, hit.kind) for hit in private if hit.span is not None]
        return _masked(segment.text, spans) if len(spans) == len(private) else None


def _masked(text: str, spans: Sequence[tuple[Span, str]]) -> str:
    """Replace each span by its kind in brackets; what overlaps is replaced as one."""
    united: list[tuple[Span, str]] = []
    for span, kind in sorted(spans, key=lambda item: (item[0].start, -item[0].end)):
        if united and united[-1][0].overlaps(span):
            united[-1] = (united[-1][0].union(span), united[-1][1])
        else:
            united.append((span, kind))
    parts, at = list[str](), 0
    for span, kind in united:
        parts += [text[at : span.start], f"[{kind}]"]
        at = span.end
    return "".join([*parts, text[at:]])
