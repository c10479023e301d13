"""What the signed statements testify: who signed, whether one is missing, and what each says about which chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from storage.chains.chain import ChainName, Head
from storage.chains.damage import Damage, DamageKind, Damages
from storage.chains.signing import Succession, key_id
from storage.chains.statements import FIRST, RetiredRange, Statement, StatementKind

Logs = Mapping[str, Sequence[Statement]]


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A chain's head as a checkpoint names it; `at` in microseconds since the epoch."""

    head: Head
    at: int


@dataclass(slots=True)
class Evidence:
    """What may be believed. Heads and ranges are in the order of their links."""

    heads: defaultdict[ChainName, list[SignedHead]] = field(default_factory=lambda: defaultdict(list))
    retired: defaultdict[ChainName, list[RetiredRange]] = field(default_factory=lambda: defaultdict(list))
    admin_audit: list[SignedHead] = field(default_factory=list)
    began: dict[str, int] = field(default_factory=dict)  # instance: its first statement, microseconds
    statements: int = 0

    def names(self) -> set[ChainName]:
        return {*self.heads, *self.retired}


def gather(published: Logs, stored: Logs, anchors: Sequence[bytes], damages: Damages, *, outside: bool) -> Evidence:
    """Return what the statements testify that are signed by a key of `anchors` or by one that such a key leads to.

    `published` come from outside the database and win; `outside` says that there is such a place, so that what the
    database has lost is damage. What is forged, altered or missing goes to `damages`.
    """
    logs = {name: _merged(name, published.get(name, ()), stored.get(name, ()), damages, outside=outside)
            for name in sorted({*published, *stored})}  # fmt: skip
    keys = _trusted_keys((statement for log in logs.values() for statement in log), anchors)
    evidence = Evidence()
    for name, log in logs.items():
        for statement in _believed(name, log, keys, {key_id(public) for public in anchors}, damages):
            _testify(evidence, statement)
    for heads in evidence.heads.values():
        heads.sort(key=lambda signed: signed.head.seq)
    evidence.admin_audit.sort(key=lambda signed: signed.head.seq)
    for ranges in evidence.retired.values():
        ranges.sort(key=lambda retired: retired.first)
    return evidence


def _merged(
    instance: str, published: Sequence[Statement], stored: Sequence[Statement], damages: Damages, *, outside: bool
) -> list[Statement]:
    merged = {statement.number: statement for statement in stored}
    for statement in published:
        twin = merged.get(statement.number)
        if twin is None and outside:
            damages.add(_damage(instance, statement, "is published, but missing in the database"))
        elif twin is not None and twin.hash() != statement.hash():
            damages.add(_damage(instance, statement, "is another one in the database than was published"))
        merged[statement.number] = statement
    return [merged[number] for number in sorted(merged)]


def _trusted_keys(statements: Iterable[Statement], anchors: Sequence[bytes]) -> dict[str, bytes]:
    """Trust goes forward, by the old key's signature under its successor, and back, because the new one tells of it."""
    keys = {key_id(public): public for public in anchors}
    handovers = [s for s in statements if s.kind is StatementKind.SUCCESSION and _way(s)]
    for _ in handovers:
        for statement in handovers:
            way = _way(statement)
            new = way[-1].new
            if key_id(way[0].old) in keys or (key_id(new) in keys and statement.is_signed_by(new)):
                keys |= {key_id(public): public for step in way for public in (step.old, step.new)}
    return keys


def _way(statement: Statement) -> tuple[Succession, ...]:
    """The successions of a statement that hold and follow on each other, else nothing."""
    try:
        way = tuple(Succession.from_json(step) for step in statement.content["successions"])
    except (KeyError, TypeError, ValueError):
        return ()
    follows = all(left.new == right.old for left, right in pairwise(way))
    return way if follows and all(step.holds for step in way) else ()


def _believed(
    instance: str, log: Sequence[Statement], keys: Mapping[str, bytes], anchors: set[str], damages: Damages
) -> Iterable[Statement]:
    """What is signed, in its order; also where the order is broken, which is damage."""
    last: Statement | None = None
    for statement in log:
        forgery = _forgery(instance, statement, keys)
        if problem := forgery or _break(statement, last, anchors):
            damages.add(_damage(instance, statement, problem))
        if not forgery:
            yield statement
            last = statement


def _forgery(instance: str, statement: Statement, keys: Mapping[str, bytes]) -> str:
    if statement.instance != instance:
        return "is that of another instance"
    if statement.key not in keys:
        return "is signed by a key that nobody introduced"
    if not statement.is_signed_by(keys[statement.key]):
        return "has a signature that does not fit"
    return ""


def _break(statement: Statement, last: Statement | None, anchors: set[str]) -> str:
    """What is wrong between a statement and the one before it."""
    if statement.number != (last.number + 1 if last else 1):
        return f"does not follow on {last.number if last else 0}: statements between are missing"
    if statement.previous != (last.hash() if last else FIRST):
        return "does not follow on the one before it"
    if last is not None and statement.key != last.key and not {statement.key, last.key} <= anchors:
        way = _way(statement)
        if not way or (key_id(way[0].old), key_id(way[-1].new)) != (last.key, statement.key):
            return "is signed by another key, which the last one did not introduce"
    return ""


def _testify(evidence: Evidence, statement: Statement) -> None:
    evidence.statements += 1
    evidence.began.setdefault(statement.instance, statement.at)
    if statement.kind is StatementKind.CHECKPOINT:
        for tenant_id, seq, link in statement.content["heads"]:
            head = Head(seq, bytes.fromhex(link))
            evidence.heads[ChainName(statement.instance, tenant_id)].append(SignedHead(head, statement.at))
        if "admin_audit" in statement.content:  # older checkpoints do not name it
            seq, link = statement.content["admin_audit"]
            evidence.admin_audit.append(SignedHead(Head(seq, bytes.fromhex(link)), statement.at))
    elif statement.kind is StatementKind.RETIREMENT:
        for document in statement.content["ranges"]:
            retired = RetiredRange.from_json(document)
            evidence.retired[ChainName(retired.instance, retired.tenant_id)].append(retired)


def _damage(instance: str, statement: Statement, problem: str) -> Damage:
    note = f"statement {statement.number} {problem}"
    return Damage(DamageKind.STATEMENT, instance, None, statement.number, None, note)
