"""Unicode tag characters (U+E0020 to U+E007E): an invisible copy of ASCII that models read and people do not see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoding import Decoder, Run
from detectors.types import Span

# A flag emoji is a black flag, up to six tags and a cancel tag: text, not smuggling.
_RUN = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f)|([\U000e0020-\U000e007e]{4,})")


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        if match.group(2):
            yield Run(Span(*match.span()), "".join(chr(ord(c) - 0xE0000) for c in match.group()), aligned=True)


DECODER: Final = Decoder("tag_characters", r"[\x{E0020}-\x{E007E}]{4}", _decode)
