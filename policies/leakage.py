"""What a policy has looked for in answers beside what signatures name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leakage:
    """What is looked for in answers beside signatures: the tenant's canary, which is then put behind system prompts;
    runs of at least `words` words of the system prompt; addresses at other hosts than `hosts`, if there are any.
    """

    canary: bool
    fingerprints: bool
    words: int
    hosts: tuple[str, ...]
