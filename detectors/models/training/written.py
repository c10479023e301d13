"""Texts written one by one, each of which is a row as it stands: what templates cannot teach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.models.training.grammar import SEEDS, Seeds
from detectors.models.training.rows import WRITTEN, Row
from detectors.normalise import fold
from detectors.types import Category, Origin

# A section is `[language kind]`; `attack` is of any kind, in languages of which there are fewer texts.
_ATTACKS: Final = {
    "order": Category.PROMPT_INJECTION,
    "leak": Category.SYSTEM_PROMPT_LEAK,
    "secret": Category.DATA_EXTRACTION,
    "persona": Category.JAILBREAK,
    "attack": Category.PROMPT_INJECTION,
    "tool_order": Category.PROMPT_INJECTION,
}
_BENIGN: Final = frozenset({"near", "plain", "tool_clean"})


def written() -> Iterator[Row]:
    """Yield the rows of all `written_*.txt`; `\\n` in a text is the end of a line."""
    for section, texts in Seeds(*sorted(file.stem for file in SEEDS.glob(f"{WRITTEN}*.txt"))).sections.items():
        language, kind = section.split()
        if kind not in _ATTACKS and kind not in _BENIGN:
            raise ValueError(f"[{section}] is no section of texts written one by one")
        origin = Origin.TOOL if kind.startswith("tool") else Origin.USER
        for text in texts:
            folded = fold(text.replace("\\n", "\n"))
            yield Row(folded, origin, _ATTACKS.get(kind), f"{WRITTEN}{language}_{kind}", language, kind in _BENIGN)
