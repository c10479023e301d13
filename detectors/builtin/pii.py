"""Personal data: what has a form of its own, and what is named as such."""

from typing import Final

from detectors.signature_detector import SignatureDetectorFactory
from detectors.types import Category

DETECTOR: Final = SignatureDetectorFactory("pii", frozenset({Category.PII}))
