"""Which pieces of words the transformer knows: those of its base that folded texts use, and the most common others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]  # made when it is loaded

from detectors.models.tokens import FIRST, UNKNOWN
from detectors.normalise import fold

SIZE: Final = 27_000
LEAST: Final = 2  # texts that use a piece
_Piece: Final = ModelProto.SentencePiece
# The base's pieces whose vectors our first numbers begin with: nothing, a user, a tool, a hidden word, both ends.
_OURS: Final = ("<pad>", "▁user", "▁tool", "<mask>", "<s>", "</s>")


def chosen(pieces: Sequence[str], scores: NDArray[np.float32], texts: Sequence[str]) -> list[int]:
    """Return the base's numbers of SIZE pieces: those of `texts` first, then by how common they are anywhere."""
    places = {piece: number for number, piece in enumerate(pieces)}
    special = {places[piece] for piece in (*_OURS, "<unk>")}
    whole = SentencePieceProcessor()
    whole.LoadFromSerializedProto(
        _definition(pieces, map(float, scores), places["<unk>"], {pieces[number] for number in special})
    )
    used = Counter(number for text in texts for number in set(whole.EncodeAsIds(text)))
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
    """Return the definition of a tokenizer that knows only these pieces, numbered in their order; no text has the
    first ones.
    """
    names = [f"<{number}>" for number in range(FIRST)]
    kept = [pieces[number] for number in numbers[FIRST:]]
    said = [0.0] * FIRST + [round(float(scores[number]), 3) for number in numbers[FIRST:]]
    return _definition([*names, *kept], said, UNKNOWN, frozenset(names))


def _definition(pieces: Sequence[str], scores: Iterable[float], unknown: int, ours: AbstractSet[str]) -> bytes:
    model = ModelProto()
    for number, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        kind = _Piece.UNKNOWN if number == unknown else _Piece.CONTROL if piece in ours else _Piece.NORMAL
        model.pieces.add(piece=piece, score=score, type=kind)
    trained, cleaned = model.trainer_spec, model.normalizer_spec
    trained.model_type = trained.UNIGRAM
    trained.unk_id, trained.unk_piece = unknown, pieces[unknown]
    trained.bos_id = trained.eos_id = trained.pad_id = -1
    cleaned.name = "identity"  # texts come folded
    cleaned.add_dummy_prefix = cleaned.remove_extra_whitespaces = cleaned.escape_whitespaces = True
    return bytes(model.SerializeToString(deterministic=True))
