"""Keys, tokens and passwords that must not leave, in either direction."""

from typing import Final

from detectors.signature_detector import SignatureDetectorFactory
from detectors.types import Category

DETECTOR: Final = SignatureDetectorFactory("credentials", frozenset({Category.CREDENTIAL}))
