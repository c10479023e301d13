"""Make the transformer: check its base, train, shrink, join with the linear model, and write all that ships."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from detectors.models import encoder, second_look, tokens
from detectors.models.classifier_model import KINDS, Scale
from detectors.models.encoder import Encoder
from detectors.models.second_look import Joining
from detectors.models.tokens import Tokens
from detectors.models.training import fit_encoder
from detectors.models.training.base import read_base
from detectors.models.training.encoder_rows import LEFT_OUT, Sample, samples
from detectors.models.training.export_encoder import export
from detectors.models.training.fit_linear import ORIGINS
from detectors.models.training.holding import held_out
from detectors.models.training.join import Doubtful, Models, doubtful, joined, reliability
from detectors.models.training.make_linear import SEED, First
from detectors.models.training.network import Network, from_base
from detectors.models.training.prototypes import prototypes
from detectors.models.training.rows import Row, weights
from detectors.models.training.vocabulary import chosen, defined
from detectors.models.weights_file import read_weights

EPOCHS: Final = 2
_SHORT, _EVERY = 200, 25  # what a proof reads


def make(rows: Sequence[Row], dev: Sequence[Row], first: First, base: Path, folder: Path, work: Path) -> None:
    """Write `encoder.onnx`, `tokenizer.model` and `second_look.npz` into `folder`; goes on with what is in `work`.

    Raises ConfigurationError for another base than ours.
    """
    known = read_base(base)
    numbers = chosen(known.pieces, known.scores, [row.text for row in rows])
    vocabulary = defined(known.pieces, known.scores, numbers)
    (folder / tokens.FILE).write_bytes(vocabulary)
    cutter = Tokens(vocabulary)
    seen = [row for row in rows if not held_out(row) and row.source not in LEFT_OUT]
    read = samples(seen, list(weights(seen)), first.models, cutter)
    network = fit_encoder.fit(from_base(known, numbers), read, fit_encoder.Course(EPOCHS, SEED, work))
    export(network, folder / encoder.FILE)
    unseen = [row for row in rows if held_out(row)]
    join(read, [*unseen, *dev], first, cutter, folder)


def prove(rows: Sequence[Row], first: First, folder: Path) -> None:
    """Go the way of `make` in seconds, with a network that knows nothing."""
    vocabulary = read_weights(tokens.FILE)
    (folder / tokens.FILE).write_bytes(vocabulary)
    cutter = Tokens(vocabulary)
    few = [row for row in rows if len(row.text) < _SHORT]
    read = samples(few[::_EVERY], [1.0] * len(few[::_EVERY]), first.models, cutter)
    course = fit_encoder.Course(1, SEED, folder)
    export(fit_encoder.fit(Network(cutter.size), read, course), folder / encoder.FILE)
    (folder / fit_encoder.REACHED).unlink()
    doubting = {origin: Scale(1e9, -1e9, scale.threshold, scale.slope) for origin, scale in first.scales.items()}
    join(read, few[1::_EVERY], First(first.models, doubting), cutter, folder)


def join(read: Sequence[Sample], unseen: Sequence[Row], first: First, cutter: Tokens, folder: Path) -> None:
    """Write what is set beside the network: how both scores are added, thresholds, and the attacks that are known."""
    reader = Encoder((folder / encoder.FILE).read_bytes())
    known = prototypes(read, KINDS, reader, SEED)
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "known": known.vectors,
        "known_kinds": np.array([KINDS.index(category) for category in known.categories]),
    }
    models = Models(first.models, first.scales, cutter, reader, known)
    for origin in ORIGINS:
        texts = doubtful(unseen, origin, models)
        joining = joined(texts, origin)
        arrays[f"{origin}_joining"] = _numbers(joining)
        print("\n".join(_account(origin, texts, joining)))
    digest = hashlib.sha256(reader.revision.encode() + b"".join(array.tobytes() for array in arrays.values()))
    np.savez_compressed(
        folder / second_look.FILE, revision=np.array(digest.hexdigest()[:12]), allow_pickle=False, **arrays
    )


def _numbers(joining: Joining) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    weights = [joining.linear, joining.encoder, joining.length, joining.manner]
    return np.array(
        [*weights, joining.near, joining.reach, joining.scale.certain, joining.scale.threshold, joining.scale.slope]
    )


def _account(origin: str, texts: Doubtful, joining: Joining) -> Iterator[str]:
    yield f"{origin}: {texts.attack.size} texts in doubt, {int(texts.attack.sum())} of them attacks; {joining}"
    yield "| confidence | texts | said | were attacks |"
    yield "|---|--:|--:|--:|"
    yield from reliability(texts, joining)
