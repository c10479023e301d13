"""Make the linear classifier: read rows, fit, set thresholds on sources held out, fit on all, write the weights."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - seeded, so that training can be repeated
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.models.classifier_model import FILE, KINDS, Scale
from detectors.models.linear import LinearModel
from detectors.models.training.calibrate import scale_of, scores_of, side
from detectors.models.training.fit_linear import COLUMNS, ORIGINS, fit, windows_of
from detectors.models.training.generate import generate
from detectors.models.training.rows import Row, read_rows, weights, without_near_duplicates
from detectors.types import Origin

SEED: Final = 7
# Benign texts of kinds that the model meets first when thresholds are set: a new installation's texts are new, too.
HELD_OUT: Final = frozenset(
    {
        "followbench", "gpteacher_roleplay", "awesome_copilot", "cursorrules", "taubench_user", "taubench_tool",
        "security_docs", "own_long", "authored_mail", "bipia_train_ctx_table",
    }
)  # fmt: skip
CERTAIN: Final = {Origin.USER: 0.006, Origin.TOOL: 0.03}
DOUBT: Final = {Origin.USER: 0.12, Origin.TOOL: 0.12}


def corpus_rows(corpus: Path, size: int) -> list[Row]:
    """Return the rows to train on: the corpus' and our own, none of which resembles a text of an `eval_*` file."""
    rows = read_rows(corpus / "train.jsonl.gz")
    own = list(generate(SEED, size))
    known = [row.text for file in sorted(corpus.glob("eval_*.jsonl.gz")) for row in read_rows(file)]
    kept = list(without_near_duplicates(own, known))
    print(f"{len(rows)} rows of the corpus, {len(kept)} of our own ({len(own) - len(kept)} too near to a test)")
    return rows + kept


def without_most_of_templates(rows: Sequence[Row], most: int = 800) -> list[Row]:
    """Return the rows with at most so many attacks of one source, chosen by the seed."""
    shuffled = list(rows)
    Random(SEED).shuffle(shuffled)  # noqa: S311 - no secret
    counts: Counter[str] = Counter()
    kept = []
    for row in shuffled:
        counts[row.source] += row.attack
        if not row.attack or counts[row.source] <= most:
            kept.append(row)
    return kept


def make(rows: Sequence[Row], dev: Sequence[Row], folder: Path, *, epochs: int) -> None:
    """Fit twice and write `linear.npz`: without the held-out sources, for the thresholds, then with them."""
    started = time.monotonic()
    seen = [row for row in rows if row.source not in HELD_OUT]
    unseen = [row for row in rows if row.source in HELD_OUT and not row.attack]
    first = fit(seen, list(weights(seen)), epochs=epochs, seed=SEED)
    scales = dict(_scales({o: first.model(o) for o in ORIGINS}, [*unseen, *dev]))
    print(f"thresholds after {time.monotonic() - started:.0f} s: {scales}")
    final = fit(rows, list(weights(rows)), epochs=epochs, seed=SEED)
    print(f"fitted after {time.monotonic() - started:.0f} s")
    write(folder, {origin: final.model(origin) for origin in ORIGINS}, scales, kinds_of(rows))


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
