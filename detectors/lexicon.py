"""What is looked for beside what ships: how deep by origin, words to find, packs of signatures, a tenant's own head."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Protocol

from detectors.frozen import statically_frozen
from detectors.keywords import KeywordMatcher
from detectors.models.tenant_head import TenantHead
from detectors.types import Hit, InspectionContext, Origin, Severity, View

DEFAULT_LEVEL: Final = 2  # 1 has what decides alone; 2 has the weak signs too, which only a sum of them lets decide


@statically_frozen
@dataclass(frozen=True, slots=True)
class KeywordList:
    """Words and phrases under one id. What lies inside an `allow` phrase was not found."""

    id: str
    words: tuple[str, ...]
    allow: tuple[str, ...] = ()
    severity: Severity = Severity.MEDIUM

    @property
    def rule_id(self) -> str:
        return f"KW-{self.id}"


class Pack(Protocol):
    """Signatures of an operator, ready to look for."""

    @property
    def revision(self) -> str: ...
    def hits(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[tuple[Hit, ...]]:
        """Return the hits of every signature for each segment's views, in order."""


@statically_frozen
@dataclass(frozen=True)
class Lexicon:
    """Signatures above the level of a text's origin stay silent. `revision` is part of what findings are remembered by.

    `levels` is 1 to 4 by origin: 1 is silent on ordinary text, 4 is for hunting. `packs` are an operator's signatures,
    `head` what a tenant's labels taught. `harm`: requests for harm are looked for, too.
    """

    levels: Mapping[Origin, int] = field(default_factory=dict)
    keywords: tuple[KeywordList, ...] = ()
    packs: tuple[Pack, ...] = ()
    head: TenantHead | None = None
    harm: bool = False

    def level(self, origin: Origin) -> int:
        """Return the level of an origin; `unknown` is read like a user, if nothing else is said of it."""
        known = self.levels.get(origin)
        if known is None and origin is Origin.UNKNOWN:
            known = self.levels.get(Origin.USER)
        return DEFAULT_LEVEL if known is None else known

    def deeper(self, levels: Mapping[Origin, int]) -> Lexicon:
        """Return it with the texts of some origins read at least so deep."""
        raised = {origin: max(level, self.level(origin)) for origin, level in levels.items()}
        return self._but(replace(self, levels={**self.levels, **raised}))

    def with_harm(self) -> Lexicon:
        return self._but(replace(self, harm=True))

    def with_packs(self, packs: Sequence[Pack]) -> Lexicon:
        return self._but(replace(self, packs=tuple(packs)))

    def with_head(self, head: TenantHead) -> Lexicon:
        return self._but(replace(self, head=head))

    def _but(self, lexicon: Lexicon) -> Lexicon:
        """Return another lexicon with the same words, which are not compiled again."""
        if self.keywords:
            lexicon.__dict__["matcher"] = self.matcher
        return lexicon

    @cached_property
    def revision(self) -> str:
        """Return 16 hexadecimal digits that change with everything in it; empty for a lexicon that adds nothing."""
        parts = list(self._parts())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16] if parts else ""

    def _parts(self) -> Iterator[str]:
        # As they are read: what an origin has by default may be what another one has.
        read = {origin: self.level(origin) for origin in Origin} if self.levels else {}
        yield from sorted(f"{origin}={level}" for origin, level in read.items() if level != DEFAULT_LEVEL)
        for item in self.keywords:
            yield "\1".join((item.id, item.severity.name, *item.words, "\2", *item.allow))
        yield from (pack.revision for pack in self.packs)
        if self.head is not None:
            yield f"head={self.head.revision}"
        if self.harm:
            yield "harm"

    @cached_property
    def matcher(self) -> KeywordMatcher:
        """The one matcher of all lists: compiled once, when the policy is loaded."""
        return KeywordMatcher([(item.words, item.allow) for item in self.keywords])


NOTHING_ADDED: Final = Lexicon()
