"""Checking one chain, link by link: against the link before, what was retired, and what was signed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final, NamedTuple

from storage.chains.chain import ChainName, Head, link_hash
from storage.chains.damage import Damage, DamageKind, Damages
from storage.chains.evidence import SignedHead
from storage.chains.statements import RetiredRange

_MOST_SUSPECTS: Final = 64  # edited rows of a chain that are compared for having changed places


class Link(NamedTuple):
    """A row as it is read: `canonical` is empty if it has none, `flaw` says what is wrong with the row by itself."""

    seq: int
    prev: bytes
    hash: bytes
    decision_id: str
    canonical: bytes
    flaw: str


class ChainCheck:
    """Takes the links of a chain in the order of `seq`, then `finish`; what is wrong goes to `damages`.

    `start` is the link before the first one. `signed` and `retired` are what is signed about the links after it, in
    order.
    """

    def __init__(
        self,
        name: ChainName,
        damages: Damages,
        start: Head,
        signed: Sequence[SignedHead] = (),
        retired: Sequence[RetiredRange] = (),
    ) -> None:
        self.rows = 0
        self.missing_on_purpose = 0
        self._name, self._damages = name, damages
        self._seq, self._hash = start.seq, start.hash  # the link we are at
        self._hash_known = True  # false behind a hole: the next link cannot be compared
        self._last: Link | None = None
        self._group: list[Link] = []
        self._suspects: list[Link] = []
        self._signed = [s.head for s in signed if s.head.seq > start.seq]
        self._retired = [r for r in retired if r.last > start.seq]
        self._rewritten = False
        self._agreed = start.seq  # the newest link that a checkpoint confirmed

    @property
    def unsigned(self) -> int:
        """How many links follow the newest checkpoint that confirms one: these can be rewritten unnoticed."""
        return self._seq - self._agreed

    def take(self, link: Link) -> None:
        self.rows += 1
        group = self._group
        if group and group[0].seq != link.seq:
            if not self._follows(group):
                self._settle(link.prev)
            group.clear()
        group.append(link)

    def finish(self, end: Head | None, *, to_the_end: bool) -> None:
        """Say that there are no more rows. `end` is the last link that there should be: the stored head, or a
        checkpoint's if the check stops there; None if the chain has no head.
        """
        if self._group:
            self._settle(None)
            self._group.clear()
        self._name_suspects()
        if end is None:
            self._without_head()
        elif end.seq > self._seq:
            kind = DamageKind.TRUNCATION if to_the_end else DamageKind.DELETION
            self._pass_over(end.seq, kind)
        elif end.seq < self._seq:
            self._add(
                DamageKind.INSERTION, end.seq + 1, None, f"the chain's head is {end.seq}, there are links after it"
            )
        if end is not None and self._hash_known and end.seq == self._seq and end.hash != self._hash:
            self._add(DamageKind.EDIT, end.seq, self._last, "the last link is not the one that the head names")
        if to_the_end and self._signed:
            self._pass_over(self._signed[-1].seq, DamageKind.TRUNCATION)

    def _follows(self, group: list[Link]) -> bool:
        """Go to the one link of the group if there is nothing to say about it, as of nearly all."""
        link = group[0]
        if len(group) > 1 or link.flaw or link.seq != self._seq + 1 or link.prev != self._hash:
            return False
        if not self._hash_known or (self._signed and self._signed[0].seq <= link.seq):
            return False
        self._seq, self._hash, self._last = link.seq, link.hash, link
        return True

    def _settle(self, next_prev: bytes | None) -> None:
        """Take in the links of one place: one of them, unless somebody added others."""
        link = self._genuine(next_prev)
        if link.seq > self._seq + 1:
            self._pass_over(link.seq - 1, DamageKind.DELETION)
        if link.flaw:
            self._suspects.append(link)
            if len(self._suspects) > _MOST_SUSPECTS:
                self._name_suspects()
        elif self._hash_known and link.prev != self._hash and not (self._last and self._last.flaw):
            # A sound link that follows on another one than is there: that one was replaced, or what follows a hole.
            place = self._last or link
            self._add(DamageKind.EDIT, place.seq, place, "the link and its neighbour do not fit together")
        self._seq, self._hash, self._last, self._hash_known = link.seq, link.hash, link, True
        self._confirm()

    def _genuine(self, next_prev: bytes | None) -> Link:
        if len(self._group) == 1:
            return self._group[0]
        signed = {head.hash for head in self._signed if head.seq == self._group[0].seq}

        def likelihood(link: Link) -> tuple[bool, bool, bool, bool]:
            return (link.hash in signed, link.hash == next_prev, not link.flaw, link.prev == self._hash)

        self._group.sort(key=likelihood, reverse=True)
        for link in self._group[1:]:
            self._add(DamageKind.INSERTION, link.seq, link, "a second row at this place of the chain")
        return self._group[0]

    def _confirm(self) -> None:
        """Compare with the checkpoints that name the link we are at."""
        while self._signed and self._signed[0].seq <= self._seq:
            head = self._signed.pop(0)
            if head.seq < self._seq or not self._hash_known:
                continue
            if head.hash == self._hash:
                self._agreed, self._rewritten = head.seq, False
            elif not self._rewritten:
                self._rewritten = True
                places = f"{self._agreed + 1} to {head.seq}"
                self._add(
                    DamageKind.EDIT, self._agreed + 1, None, f"links {places} were rewritten: not what was signed"
                )

    def _pass_over(self, last: int, kind: DamageKind) -> None:
        """Go to link `last`, which is not there: every link up to it must have been retired."""
        while self._seq < last:
            retired = self._retired_at(self._seq + 1)
            if retired is None:
                following = [r.first - 1 for r in self._retired if r.first > self._seq + 1]
                self._lose(min([last, *following]), kind)
                continue
            if retired.first == self._seq + 1 and self._hash_known and retired.before != self._hash:
                self._add(DamageKind.EDIT, self._seq, self._last, "the retired links followed on another")
            elif retired.first <= self._seq and self._last is not None:
                # Nothing that is left or signed names this link: whoever knows the gap's ends can put any row there.
                self._add(DamageKind.INSERTION, self._seq, self._last, "a row where links were retired")
            until = min(retired.last, last)
            self.missing_on_purpose += until - self._seq
            self._seq, self._hash, self._hash_known = until, retired.after, until == retired.last
            self._last = None
            self._confirm()

    def _retired_at(self, seq: int) -> RetiredRange | None:
        while self._retired and self._retired[0].last < seq:
            self._retired.pop(0)
        # A database that was put back retires once more, and not in the same ranges: what begins here tells most.
        around = [r for r in takewhile(lambda r: r.first <= seq, self._retired) if r.last >= seq]
        return next((r for r in around if r.first == seq), around[0] if around else None)

    def _lose(self, last: int, kind: DamageKind) -> None:
        first = self._seq + 1
        note = f"link {first} is missing" if first == last else f"links {first} to {last} are missing"
        self._add(kind, first, None, note)
        self._seq, self._hash_known, self._last = last, False, None
        self._confirm()

    def _without_head(self) -> None:
        if self._last is None:
            return  # nothing but what was retired, or never written: checkpoints decide
        if self._agreed or self._signed:
            self._add(DamageKind.TRUNCATION, self._seq, self._last, "the chain's head is gone")
        else:
            self._add(DamageKind.INSERTION, self._seq, self._last, "a chain that no writer began")

    def _name_suspects(self) -> None:
        """Tell rows that changed places from rows that changed: their hash fits at another suspect's place."""
        for suspect in self._suspects:
            moved = any(_fits(suspect, place) for place in self._suspects if place is not suspect)
            kind = DamageKind.REORDERING if moved else DamageKind.EDIT
            self._add(kind, suspect.seq, suspect, "the row belongs to another place" if moved else suspect.flaw)
        self._suspects.clear()

    def _add(self, kind: DamageKind, seq: int, link: Link | None, note: str) -> None:
        decision_id = link.decision_id if link else None
        self._damages.add(Damage(kind, self._name.instance, self._name.tenant_id, seq, decision_id, note))


def _fits(link: Link, place: Link) -> bool:
    return place.hash == link_hash(place.prev, place.seq, link.canonical) or link.hash == link_hash(
        link.prev, place.seq, link.canonical
    )
