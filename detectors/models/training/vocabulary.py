"""Which pieces of words the transformer knows: those of its base that folded texts use, and the most common others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace

from detectors.models.tokens import FIRST, UNKNOWN
from detectors.normalise import fold

SIZE: Final = 36_000
LEAST: Final = 2  # texts that use a piece
# The base's pieces whose vectors our first numbers begin with: nothing, a user, a tool, a hidden word, both ends.
_OURS: Final = ("<pad>", "▁user", "▁tool", "<mask>", "<s>", "</s>")


def chosen(pieces: Sequence[str], scores: NDArray[np.float32], texts: Sequence[str]) -> list[int]:
    """Return the base's numbers of SIZE pieces: those of `texts` first, then by how common they are anywhere."""
    places = {piece: number for number, piece in enumerate(pieces)}
    whole = _tokenizer(pieces, scores, places["<unk>"])
    used = Counter(
        number for found in whole.encode_batch_fast(texts, add_special_tokens=False) for number in set(found.ids)
    )
    special = {places[piece] for piece in (*_OURS, "<unk>")}
    ours = [number for number, count in used.most_common() if count >= LEAST and number not in special]
    known = special | set(ours)
    more = (
        number
        for number in np.argsort(-scores, kind="stable").tolist()
        if number not in known and fold(pieces[number]) == pieces[number]
    )
    room = SIZE - len(_OURS)
    kept = [*ours, *(number for number, _ in zip(more, range(max(room - len(ours), 0)), strict=False))][:room]
    return [*(places[piece] for piece in _OURS), *sorted(kept)]


def defined(pieces: Sequence[str], scores: NDArray[np.float32], numbers: Sequence[int]) -> bytes:
    """Return the definition of a tokenizer that knows only these pieces, numbered in their order.

    The first are of no text: a blank stands in each, and texts have none once they are cut.
    """
    names = [f" {number}" for number in range(FIRST)]
    kept = [pieces[number] for number in numbers[FIRST:]]
    said = [0.0] * FIRST + [round(float(scores[number]), 3) for number in numbers[FIRST:]]
    return _tokenizer([*names, *kept], np.array(said), UNKNOWN).to_str().encode()


def _tokenizer(pieces: Sequence[str], scores: NDArray[np.floating], unknown: int) -> Tokenizer:
    tokenizer = Tokenizer(
        Unigram(list(zip(pieces, map(float, scores), strict=True)), unk_id=unknown, byte_fallback=False)
    )
    tokenizer.pre_tokenizer = Metaspace()
    return tokenizer
