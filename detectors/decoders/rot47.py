"""ROT47: every printable sign of ASCII moved on by half their number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoders._words import TELLING
from detectors.decoding import Aligned, Decoder, Run
from detectors.types import Span

_SIGNS = "".join(map(chr, range(0x21, 0x7F)))
_TURNED = str.maketrans(_SIGNS, _SIGNS[47:] + _SIGNS[:47])


def _decode(text: str) -> Iterator[Run]:
    yield Run(Span(0, len(text)), text.translate(_TURNED), Aligned())


# Small letters become digits and signs and most capitals too, so that no word looks like one of these.
_HINTS = (word.translate(_TURNED) for word in TELLING if len(word) > 5)
DECODER: Final = Decoder("rot47", "|".join(sorted(map(re.escape, _HINTS))), _decode)
