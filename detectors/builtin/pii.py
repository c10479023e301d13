"""Personal data with a form of its own: e-mail, payment card, IBAN, social security number, telephone number."""

from typing import Final

from detectors.signature_detector import SignatureDetectorFactory
from detectors.types import Category

DETECTOR: Final = SignatureDetectorFactory("pii", frozenset({Category.PII}))
