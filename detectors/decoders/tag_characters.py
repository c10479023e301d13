"""Unicode tag characters (U+E0020 to U+E007E): an invisible copy of ASCII that models read and people do not see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from detectors.decoding import Decoder, Pieces, Run
from detectors.types import Span

FEWEST = 4  # tags that are a payload
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
# A flag emoji is a black flag, the tags of a region and a cancel tag: text, not smuggling.
_FLAG = re.compile("\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,4}\U000e007f")
_ASCII = str.maketrans({0xE0000 + code: chr(code) for code in range(0x20, 0x7F)})


def _decode(text: str) -> Iterator[Run]:
    unflagged = _FLAG.sub(lambda flag: " " * len(flag.group()), text)
    # Read as one, however many other characters stand between them.
    tags = "".join(_TAGS.findall(unflagged))
    if len(tags) >= FEWEST:
        yield Run(Span(0, len(text)), tags.translate(_ASCII), Pieces(partial(_places, unflagged)))


def _places(unflagged: str) -> Sequence[tuple[int, int]]:
    return [(i, i + 1) for stretch in _TAGS.finditer(unflagged) for i in range(*stretch.span())]


DECODER: Final = Decoder("tag_characters", r"[\x{E0020}-\x{E007E}]", _decode, raw=True)
