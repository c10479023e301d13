"""What both models make of a text: the linear one ranks its windows, the transformer reads the best of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.frozen import statically_frozen
from detectors.models.classifier_model import KINDS, Scale, best
from detectors.models.encoder import Encoder, Reading, load_encoder
from detectors.models.known_attacks import KnownAttacks
from detectors.models.linear import Window
from detectors.models.tokens import Tokens, load_tokens
from detectors.models.weights_file import SHIPPED, read_arrays
from detectors.types import Category, Origin

FILE: Final = "second_look.npz"
SHORTEST: Final = 50  # bytes: what is shorter is not trusted more
SCANT: Final = 40  # bytes: what is shorter may be a piece of anything, and is trusted less
LESS: Final = 3.0  # by so many times what longer texts are, for each power of e
SURE: Final = 3.0  # log odds of the transformer from which a question is none
_PLAYED: Final = KINDS.index(Category.JAILBREAK)
_ASKED: Final = [KINDS.index(Category.SYSTEM_PROMPT_LEAK), KINDS.index(Category.DATA_EXTRACTION)]


@statically_frozen
@dataclass(frozen=True, slots=True)
class Judgement:
    """The log odds of both models together, the kind of attack that it would be, and the vectors of what was read."""

    score: float
    kind: Category
    vectors: NDArray[np.float32]


@statically_frozen
@dataclass(frozen=True, slots=True)
class Joining:
    """How the scores of both models are added for one origin, what the sum means, and which cosine is near.

    `length`: how much is asked of each further power of e of a text's size, since of many words some look suspicious,
    and of a scant text, since a few words without their neighbours do;
    `manner`: how much more of kinds that ordinary texts look like: a jailbreak is most like somebody's role-play, and
    what asks for the prompt or for data like a question. `reach`: the linear score below which the sum was never
    enough, by far; what is below is not read.
    """

    linear: float
    encoder: float
    length: float
    manner: float
    scale: Scale
    near: float
    reach: float

    def score(self, linear: float, encoder: float, size: int, mannered: float) -> float:
        """Return the sum for a text of `size` bytes, that is of one of these kinds by the chance `mannered`."""
        scant = LESS * max(math.log(SCANT / max(size, 1)), 0.0)
        asked = self.length * (math.log(max(size, SHORTEST) / 100) + scant) + self.manner * mannered
        return self.linear * linear + self.encoder * encoder - asked


@dataclass(frozen=True, slots=True)
class SecondLook:
    """The transformer with all it needs. Reads on the thread that asks."""

    tokens: Tokens
    encoder: Encoder
    joinings: Mapping[Origin, Joining]
    known: KnownAttacks
    revision: str

    def at(self, text: str, ranked: Sequence[Window], origin: Origin) -> Judgement:
        """Judge a folded text by its best windows; `ranked` are the linear model's. Raises DetectorError."""
        reading = self.encoder.read(self.tokens.windows(text, ranked, origin))
        place = int(reading.attack.argmax())
        size = len(text.encode("utf-8", "replace"))
        score = self.joinings[origin].score(
            best(ranked).score, float(reading.attack[place]), size, mannered(reading, place)
        )
        kind = Category.PROMPT_INJECTION if origin is Origin.TOOL else KINDS[int(reading.kinds[place].argmax())]
        return Judgement(score, kind, reading.vectors)


def mannered(reading: Reading, place: int) -> float:
    """Return the chance that a window's attack, if it is one, is of a kind that ordinary texts look like."""
    odds = np.exp(reading.kinds[place] - reading.kinds[place].max())
    asked = odds[_ASKED].sum() if reading.attack[place] < SURE else 0.0
    return float((odds[_PLAYED] + asked) / odds.sum())


def load_second_look(folder: Path = SHIPPED) -> SecondLook:
    """Load the shipped transformer. Raises ConfigurationError for weights that are missing or not ours."""
    arrays = read_arrays(FILE, folder)
    joinings = {}
    for origin in (Origin.USER, Origin.TOOL):
        linear, encoder, length, manner, near, reach, certain, threshold, slope = map(
            float, arrays[f"{origin}_joining"]
        )
        scale = Scale(certain, certain, threshold, slope)
        joinings[origin] = Joining(linear, encoder, length, manner, scale, near, reach)
    known = KnownAttacks(arrays["known"], tuple(KINDS[number] for number in arrays["known_kinds"]))
    return SecondLook(load_tokens(folder), load_encoder(folder), joinings, known, f"2:{arrays['revision']}")
