"""Make the model of requests for harm: thresholds from goals that a first fit has not seen, weights from all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from detectors.models.classifier_model import Scale, best
from detectors.models.harm_model import FILE
from detectors.models.linear import LinearModel
from detectors.models.training.calibrate import slope_of
from detectors.models.training.fit_linear import fit
from detectors.models.training.generate import generate
from detectors.models.training.harm_rows import Lines, harm_rows
from detectors.models.training.make_linear import SEED
from detectors.models.training.rows import Row, read_rows, without_near_duplicates
from detectors.types import Category, Origin

# Of unseen goals that only sound like harm, the share above `certain` and that above which anything is said.
CERTAIN: Final = 0.1
DOUBT: Final = 0.35
_THRESHOLD: Final = 0.8  # the confidence at `certain`


def make_harm(corpus: Path | None, folder: Path, *, size: int, epochs: int) -> int:
    """Fit on the corpus, where there is one, and on our own rows; write `harm.npz`. Return how many rows it was."""
    known = [] if corpus is None else [row.text for file in corpus.glob("eval_*.gz") for row in read_rows(file)]
    others = [] if corpus is None else _others(corpus)
    others += [row for row in generate(SEED, size // 8) if not row.attack and row.origin is Origin.USER]
    seen, unseen, every = (
        list(without_near_duplicates(harm_rows(seed, size, lines), known))
        for seed, lines in ((SEED, Lines.SEEN), (SEED + 1, Lines.UNSEEN), (SEED, Lines.ALL))
    )
    scale = scale_of(_model([*others, *seen], epochs), unseen)
    model = _model([*others, *every], epochs)
    print(f"requests for harm: {len(others) + len(every)} rows, {scale}")
    words, spans = model.words.astype(np.float16), model.spans.astype(np.float16)
    numbers = np.array([model.bias, model.damping, scale.certain, scale.doubt, scale.threshold, scale.slope])
    digest = hashlib.sha256(b"".join(array.tobytes() for array in (words, spans, numbers))).hexdigest()[:12]
    arrays = {"words": words, "spans": spans, "numbers": numbers}
    np.savez_compressed(folder / FILE, revision=np.array(digest), allow_pickle=False, **arrays)
    return len(others) + len(every)


def _others(corpus: Path) -> list[Row]:
    """Return the corpus' requests for harm, and what its users ask for that is none and no attack either."""
    rows = read_rows(corpus / "train.jsonl.gz")
    benign = [row for row in rows if not row.attack and row.origin is Origin.USER]
    return [*read_rows(corpus / "train_harmful.jsonl.gz"), *benign]


def _model(rows: Sequence[Row], epochs: int) -> LinearModel:
    harm = [replace(row, category=Category.JAILBREAK if _is_harm(row) else None, origin=Origin.USER) for row in rows]
    return fit(harm, [1.0] * len(harm), epochs=epochs, seed=SEED).model(
        Origin.USER
    )  # it fits attacks; here they are harm


def scale_of(model: LinearModel, unseen: Sequence[Row]) -> Scale:
    scores = np.array([best(model.windows([row.text])[0]).score for row in unseen])
    harm = np.array([_is_harm(row) for row in unseen])
    certain, doubt = (float(np.quantile(scores[~harm], 1 - share)) for share in (CERTAIN, DOUBT))
    return Scale(certain, doubt, _THRESHOLD, slope_of(scores, harm))


def _is_harm(row: Row) -> bool:
    return row.category is Category.HARMFUL_REQUEST
