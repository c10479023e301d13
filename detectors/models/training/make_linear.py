"""Make the linear classifier: read rows, fit, set thresholds on sources held out, fit on all, write the weights."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - seeded, so that training can be repeated
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from detectors.models.classifier_model import FILE, KINDS, Scale
from detectors.models.columns import COLUMNS, windows_of
from detectors.models.linear import LinearModel
from detectors.models.training.calibrate import scale_of, scores_of, side
from detectors.models.training.contexts import shared_contexts
from detectors.models.training.fit_linear import ORIGINS, fit
from detectors.models.training.generate import generate
from detectors.models.training.holding import held_out
from detectors.models.training.rows import Row, is_written, read_rows, weights, without_near_duplicates
from detectors.models.training.written import written
from detectors.normalise import fold
from detectors.types import Origin

SEED: Final = 7
OWN_TESTS: Final = Path("tests/data")  # from where `make` runs
# Shares of benign texts of unseen kinds above which a text is an attack, and above which it is worth a second look. Few
# enough that the second look says the same of nearly all attacks there, and within what a tenant's head can reach.
CERTAIN: Final = {Origin.USER: 0.0001, Origin.TOOL: 0.002}
DOUBT: Final = {Origin.USER: 0.16, Origin.TOOL: 0.2}


def corpus_rows(corpus: Path, size: int) -> list[Row]:
    """Return the rows to train on: the corpus' and our own, none of which resembles a text of an `eval_*` file
    or of our own tests.
    """
    # Ordinary orders that are attacks only in documents, which both models can tell; and requests for harm, which are
    # none of their business: they are read as benign.
    rows = [
        row for name in ("train", "train_embedded", "train_harmful") for row in read_rows(corpus / f"{name}.jsonl.gz")
    ]
    own = [*generate(SEED, size), *written()]
    known = [row.text for file in sorted(corpus.glob("eval_*.jsonl.gz")) for row in read_rows(file)]
    for file in sorted(OWN_TESTS.rglob("*.jsonl")):
        known += [fold(orjson.loads(line)["text"]) for line in file.read_bytes().splitlines()]
    kept = list(without_near_duplicates(own, known))
    print(f"{len(rows)} rows of the corpus, {len(kept)} of our own ({len(own) - len(kept)} too near to a test)")
    return rows + kept


def of_templates(rows: Sequence[Row], most: int = 800) -> list[Row]:
    """Return the rows of templates, with at most so many attacks of one source, chosen by the seed."""
    shuffled = [row for row in rows if not is_written(row)]
    Random(SEED).shuffle(shuffled)  # noqa: S311 - no secret
    counts: Counter[str] = Counter()
    kept = []
    for row in shuffled:
        counts[row.source] += row.attack
        if not row.attack or counts[row.source] <= most:
            kept.append(row)
    return kept


@dataclass(frozen=True, slots=True)
class First:
    """A fit that does not know the rows held out, and the thresholds that were set with it."""

    models: Mapping[Origin, LinearModel]
    scales: Mapping[Origin, Scale]


def first_fit(rows: Sequence[Row], dev: Sequence[Row], *, epochs: int) -> First:
    """Fit on all rows but those held out, and set the thresholds on these and on dev."""
    seen = [row for row in rows if not held_out(row)]
    unseen = [row for row in rows if held_out(row) and not row.attack]
    fitted = fit(seen, list(weights(seen)), epochs=epochs, seed=SEED)
    models = {origin: fitted.model(origin) for origin in ORIGINS}
    return First(models, dict(_scales(models, [*unseen, *dev])))


def make(rows: Sequence[Row], first: First, folder: Path, *, epochs: int) -> None:
    """Fit on all rows, and on what attacks stand in, and write `linear.npz`, with the thresholds of the first fit."""
    read = [*rows, *shared_contexts(rows)]
    final = fit(read, list(weights(read)), epochs=epochs, seed=SEED)
    write(folder, {origin: final.model(origin) for origin in ORIGINS}, first.scales, kinds_of(rows))


def _scales(models: Mapping[Origin, LinearModel], rows: Sequence[Row]) -> Iterator[tuple[Origin, Scale]]:
    for origin in ORIGINS:
        own = [row for row in rows if side(row) is origin]
        yield origin, scale_of(scores_of(models, own), own, origin, CERTAIN[origin], DOUBT[origin])


def kinds_of(rows: Sequence[Row]) -> NDArray[np.float16]:
    """Return how much each n-gram speaks for each kind of attack (naive Bayes, each kind as likely as any)."""
    counts = np.ones((len(KINDS), COLUMNS))
    for row in rows:
        if row.category in KINDS and side(row) is Origin.USER:
            for columns in windows_of(row.text):
                counts[KINDS.index(row.category)][columns] += 1
    odds = np.log(counts / counts.sum(axis=1, keepdims=True))
    kinds: NDArray[np.float16] = (odds - odds.mean(axis=0)).astype(np.float16)
    return kinds


def write(
    folder: Path, models: Mapping[Origin, LinearModel], scales: Mapping[Origin, Scale], kinds: NDArray[np.float16]
) -> None:
    arrays: dict[str, NDArray[np.generic]] = {"kinds": kinds}
    for origin, model in models.items():
        scale = scales[origin]
        arrays[f"{origin}_words"] = model.words.astype(np.float16)
        arrays[f"{origin}_spans"] = model.spans.astype(np.float16)
        arrays[f"{origin}_numbers"] = np.array(
            [model.bias, model.damping, scale.certain, scale.doubt, scale.threshold, scale.slope]
        )
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()[:12]
    np.savez_compressed(folder / FILE, revision=np.array(digest), allow_pickle=False, **arrays)
