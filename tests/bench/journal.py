"""What the journal costs without a database: `python -m tests.bench.journal`, microseconds of CPU per decision."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

from storage.chains.canonical import FORM, canonical_json
from storage.journal.journal import Journal
from storage.journal.reader import JournalReader
from storage.types import DecisionRecord
from tests.storage.journals import a_record, opened_of

ROUNDS: Final = 60
KNOWN: Final = 500  # records that are written again and again: a worker's record is hot in its cache, too

_SCORE: Final = {
    "direction": "request", "origin": "user", "category": "pii", "rule": "PS-PII-001", "detector": "patterns",
    "confidence": 0.9, "kind": "email", "pointer": "/messages/0/content", "content": f"hmac:{'a' * 32}", "count": 1,
    "action": "flag", "policy_rule": "personal-data",
}  # fmt: skip
_RECEIPT: Final = {"scanned": 4, "cached": 0, "skipped": {"model": 1}, "unscanned": {}}


def typical() -> DecisionRecord:
    """A decision of about 1 KB, as an ordinary exchange with one finding leaves it."""
    return a_record(
        route="POST /v1/chat/completions", dialect="openai_chat", model="gpt-4o-mini", upstream="openai",
        scores=canonical_json([_SCORE]), coverage=canonical_json({"request": _RECEIPT}),
        digests=canonical_json({"received": "a" * 32, "forwarded": "b" * 32}), policy_id="default",
        policy_revision="sha256:abcdefabcdef", ruleset_revision="sha256:abcdefabcdef", canonical=FORM,
    )  # fmt: skip


async def append(journal: Journal) -> tuple[float, list[float]]:
    """Return CPU seconds per decision of the best round, and the wall seconds of every single append, sorted."""
    pairs = [(opened_of(record), record) for record in (typical() for _ in range(KNOWN))]
    rounds, waits = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        for opened, closed in pairs:
            journal.opened(opened)
            await journal.closed(closed)
        rounds.append((time.process_time() - started) / KNOWN)
    for opened, closed in pairs * 20:
        began = time.perf_counter()
        journal.opened(opened)
        middle = time.perf_counter()
        await journal.closed(closed)
        waits += [middle - began, time.perf_counter() - middle]
    return min(rounds), sorted(waits)


def read(folder: Path) -> float:
    """Return CPU seconds per decision of the best batch."""
    reader = JournalReader(folder, {}, sealed=True)
    batches: list[float] = []
    while True:
        started = time.process_time()
        batch = reader.read(frozenset())
        if not batch:
            return min(batches)
        batches.append((time.process_time() - started) / len(batch))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name))
        appending, waits = asyncio.run(append(journal))
        p50, p99 = (waits[int(len(waits) * share)] * 1e6 for share in (0.5, 0.99))
        print(f"append, opened and closed: {appending * 1e6:.1f} us CPU; one append p50 {p50:.1f} us, p99 {p99:.1f} us")
        print(f"read: {read(Path(name)) * 1e6:.1f} us CPU")
        journal.close()


if __name__ == "__main__":
    main()
