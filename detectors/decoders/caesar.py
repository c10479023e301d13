"""Caesar's cipher, by every shift but ROT13, which has a decoder of its own with more hints."""

from __future__ import annotations

from typing import Final

from detectors.decoders._words import Substitutions, alphabets
from detectors.decoding import Decoder

_CIPHERS = Substitutions(alphabets([shift for shift in range(1, 26) if shift != 13]))

DECODER: Final = Decoder("caesar", _CIPHERS.gate, _CIPHERS.decode)
