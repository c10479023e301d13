"""What the transformer reads of a text: its most suspicious windows as token numbers, with who wrote it in front."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sentencepiece import SentencePieceProcessor

from detectors.errors import ConfigurationError
from detectors.models.linear import Window
from detectors.models.weights_file import SHIPPED, read_weights
from detectors.types import Origin

FILE: Final = "tokenizer.model"
LONGEST: Final = 88  # tokens of a window, those around it included
PADDING: Final = 0
# Numbers of the vocabulary that no text has: who wrote it, its beginning and its end. UNKNOWN are letters that no piece
# of a word has; pieces begin at FIRST.
ORIGINS: Final[Mapping[Origin, int]] = {Origin.USER: 1, Origin.TOOL: 2}
UNKNOWN: Final = 3
_BEGIN, _END = 4, 5
FIRST: Final = 6
_ROOM: Final = LONGEST - 3
# Cards, accounts and the like: what is asked for is the same without them.
_LONG_NUMBER: Final = re.compile(r"\d(?:[ -]?\d){11,}")


class Tokens:
    """Words and pieces of words of a folded text, as numbers."""

    def __init__(self, definition: bytes) -> None:
        """Raises ValueError for what defines no tokenizer."""
        self._tokenizer = SentencePieceProcessor()
        try:
            self._tokenizer.LoadFromSerializedProto(definition)
        except RuntimeError as exc:
            raise ValueError("defines no tokenizer") from exc

    @property
    def size(self) -> int:
        """How many numbers there are."""
        count: int = self._tokenizer.GetPieceSize()
        return count

    def windows(self, text: str, ranked: Sequence[Window], origin: Origin) -> list[list[int]]:
        """Return the one or two best windows of a folded text, at most LONGEST numbers each.

        `ranked` are the linear model's windows, in the order of the text. A text of one window that is too long for it
        is read at its beginning and at its end.
        """
        if len(ranked) == 1:
            ids = self._numbers(text)
            parts = [ids] if len(ids) <= _ROOM else [ids[:_ROOM], ids[-_ROOM:]]
        else:
            raw = text.encode("utf-8", "replace")
            parts = [
                _middle(self._numbers(raw[window.start : window.end].decode("utf-8", "ignore")))
                for window in best_apart(ranked)
            ]
        mark = ORIGINS[origin]
        return [[_BEGIN, mark, *part, _END] for part in parts]

    def _numbers(self, text: str) -> list[int]:
        numbers: list[int] = self._tokenizer.EncodeAsIds(_LONG_NUMBER.sub(" ", text).encode("utf-8", "replace"))
        return numbers


def best_apart(ranked: Sequence[Window]) -> list[Window]:
    """Return the best window and the best one beside it that shares nothing with it, if there is one."""
    first = max(ranked, key=lambda window: window.score)
    others = [window for window in ranked if window.end <= first.start or window.start >= first.end]
    return [first, max(others, key=lambda window: window.score)] if others else [first]


def _middle(numbers: list[int]) -> list[int]:
    spare = max(len(numbers) - _ROOM, 0) // 2
    return numbers[spare : spare + _ROOM]


def load_tokens(folder: Path = SHIPPED) -> Tokens:
    """Load the shipped vocabulary. Raises ConfigurationError for one that is missing or not ours."""
    try:
        return Tokens(read_weights(FILE, folder))
    except ValueError as exc:
        raise ConfigurationError(folder / FILE, None, str(exc)) from exc
