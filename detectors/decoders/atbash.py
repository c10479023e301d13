"""Atbash: the alphabet turned round, `z` for `a`."""

from __future__ import annotations

from typing import Final

from detectors.decoders._words import Substitutions
from detectors.decoding import Decoder

_CIPHER = Substitutions(["zyxwvutsrqponmlkjihgfedcba"])

DECODER: Final = Decoder("atbash", _CIPHER.gate, _CIPHER.decode)
