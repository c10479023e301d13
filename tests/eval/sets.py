"""The labelled sets: those of the corpus folder where there is one, and those that stand in the tree."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from detectors.types import Origin

IN_TREE: Final = Path(__file__).parent.parent / "data" / "unseen"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text as it arrives, who wrote it, and whether it is an attack; `hard` is benign text that resembles one,
    `harmful` asks for harm, which is no attack.
    """

    text: str
    origin: Origin
    attack: bool
    hard: bool
    language: str
    harmful: bool = False


def load_sets(corpus: Path | None) -> Mapping[str, list[Labelled]]:
    """Return every `eval_*` set and dev, by name, or what the tree itself has. Sets of harmful requests, which are no
    attacks on a prompt, are read apart.
    """
    if corpus is not None:
        files = [*sorted(corpus.glob("eval_*.jsonl.gz")), corpus / "dev.jsonl.gz"]
        sets = {file.name.removesuffix(".jsonl.gz"): list(_read(file)) for file in files}
    else:
        sets = {}
    for file in sorted(IN_TREE.glob("*.jsonl")):
        sets[file.stem] = list(_read(file))
    return sets


def _read(file: Path) -> Iterator[Labelled]:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            harmful = row["category"] == "harmful_request"
            yield Labelled(
                row["text"],
                Origin.parse(row["channel"]),
                row["label"] == 1 and not harmful,
                row["category"] == "benign_hard",
                row["lang"],
                harmful,
            )
