"""What judges are told, in the language of the text: one file for each, read once before the processes fork."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

FALLBACK: Final = "en"
_FOLDER: Final = Path(__file__).parent / "instructions"
PLACES: Final = ("{opening}", "{closing}", "{mark}", "{check}", "{origin}")


@cache
def instructions() -> Mapping[str, str]:
    """Return the instructions by language code. Each holds every one of PLACES."""
    return MappingProxyType({file.stem: file.read_text(encoding="utf-8") for file in sorted(_FOLDER.glob("*.txt"))})


def instructions_for(language: str) -> str:
    known = instructions()
    return known.get(language) or known[FALLBACK]
