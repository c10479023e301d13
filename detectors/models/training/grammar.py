"""Seed texts, and how they are unfolded into as many sentences as their choices allow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - seeded, so that training can be repeated
from typing import Final

SEEDS: Final = Path(__file__).parent / "seeds"
_CHOICE = re.compile(r"\{((?:[^{}\\]|\\.)*)\}")  # the innermost one
_OPTIONAL = re.compile(r"\[( ?<\w+>)\]")
_SECTION = re.compile(r"<(\w+)>")


class Seeds:
    """Sections of sentences from one or more files."""

    def __init__(self, *names: str) -> None:
        self.sections: dict[str, list[str]] = {}
        for name in names:
            section = ""
            for line in (SEEDS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
                if line.startswith("[") and line.endswith("]") and "|" not in line:
                    section = line[1:-1]
                    self.sections.setdefault(section, [])
                elif line and not line.startswith("#"):
                    self.sections[section].append(line)

    def sentence(self, section: str, chance: Random) -> str:
        """Return one sentence of a section, unfolded."""
        return unfold(chance.choice(self.sections[section]), self.sections, chance)


def unfold(text: str, sections: Mapping[str, Sequence[str]], chance: Random) -> str:
    """Return what a template says: `{a|b}` is one of both, `[<name>]` may be left out, `<name>` is of that section."""
    text = _OPTIONAL.sub(lambda found: found[1] if chance.random() < 0.6 else "", text)
    text = _SECTION.sub(lambda found: _named(found[0], found[1], sections, chance), text)
    while found := _CHOICE.search(text):
        options = re.split(r"(?<!\\)\|", found[1])
        text = text[: found.start()] + chance.choice(options) + text[found.end() :]
    return text.replace("\\|", "|").strip()


def _named(written: str, name: str, sections: Mapping[str, Sequence[str]], chance: Random) -> str:
    return unfold(chance.choice(sections[name]), sections, chance) if name in sections else written
