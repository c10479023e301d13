"""Run with `make eval`. PROMPTSHIELD_CORPUS names the corpus folder; --quick takes every n-th row."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from proxy.app import load_detection
from tests.eval.ceilings import regressions, tightened
from tests.eval.looking import Looked, look_at
from tests.eval.report import page, table
from tests.eval.sets import Labelled, load_sets

QUICK_ROWS = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="make eval")
    parser.add_argument("--quick", action="store_true", help="a sample of each set, held against the same ceilings")
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md and tighten the ceilings")
    options = parser.parse_args()
    folder = os.environ.get("PROMPTSHIELD_CORPUS")
    corpus = Path(folder) if folder else None
    if corpus is None:
        print("PROMPTSHIELD_CORPUS names no folder of public sets: only the sets in the tree are measured")
    elif not corpus.is_dir():
        print(f"PROMPTSHIELD_CORPUS: {corpus} is no folder", file=sys.stderr)
        return 2
    sets = {name: _some(rows) if options.quick else rows for name, rows in load_sets(corpus).items()}
    detection, started = load_detection(), time.monotonic()
    looked = {name: asyncio.run(look_at(rows, detection)) for name, rows in sets.items()}
    print(table(sets, looked))
    print(f"{sum(map(len, sets.values()))} texts in {time.monotonic() - started:.0f} s")
    return _judge(sets, looked, quick=options.quick, write=options.write)


def _some(rows: Sequence[Labelled]) -> list[Labelled]:
    return list(rows[:: max(len(rows) // QUICK_ROWS, 1)])


def _judge(sets: Mapping[str, Sequence[Labelled]], looked: Mapping[str, Looked], *, quick: bool, write: bool) -> int:
    worse = regressions(sets, looked, sampled=quick)
    for line in worse:
        print(line, file=sys.stderr)
    if write and not quick and not worse:
        tightened(sets, looked)
        page(sets, looked)
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
