"""Signatures of attacks: whatever can be named exactly."""

from typing import Final

from detectors.signature_detector import SignatureDetectorFactory
from detectors.types import ATTACK, Category

DETECTOR: Final = SignatureDetectorFactory("patterns", ATTACK | {Category.HARMFUL_REQUEST, Category.LEAKAGE})
