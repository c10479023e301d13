"""What a policy has looked for in answers beside what signatures name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.carried import Request
from detectors.fingerprints import Fingerprints
from detectors.guard import Guard
from detectors.types import Origin, Segment

# Neither said by anybody in the conversation nor read there.
_NOT_SAID: Final = frozenset({Origin.SYSTEM, Origin.TOOL_DEFINITION, Origin.METADATA})


@dataclass(frozen=True, slots=True)
class Leakage:
    """What is looked for in answers beside signatures: the tenant's canary, which is then put behind system prompts;
    runs of at least `words` words of the system prompt; addresses at other hosts than `hosts`, if there are any.
    """

    canary: bool
    fingerprints: bool
    words: int
    hosts: tuple[str, ...]

    def guard(self, canary: str, texts: Sequence[Segment], newest: Sequence[Segment]) -> Guard:
        """Return what an answer is held against, given the request's texts and of these the user's newest."""
        return Guard(canary, self._fingerprints(texts), _request(texts, newest), self.hosts)

    def _fingerprints(self, texts: Sequence[Segment]) -> Fingerprints | None:
        prompt = [s.text for s in texts if s.origin is Origin.SYSTEM] if self.fingerprints else []
        if not prompt:
            return None
        return Fingerprints(prompt, [s.text for s in reversed(texts) if s.origin not in _NOT_SAID], self.words)


def _request(texts: Sequence[Segment], newest: Sequence[Segment]) -> Request:
    last = {id(segment) for segment in newest}
    system = [s.text for s in texts if s.origin is Origin.SYSTEM]
    others = [s.text for s in reversed(texts) if s.origin is not Origin.SYSTEM and id(s) not in last]
    return Request([s.text for s in newest], [*system, *others])
