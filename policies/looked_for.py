"""What a policy has looked for and others may not: of a row made under another nobody knows whether it was there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from detectors.models.harm_model import HARM
from detectors.types import Origin
from policies.types import Mode, Policy

# What the presets look for: a row of which nobody knows the policy was made with as much.
_USUAL: Final = frozenset(
    {"fingerprints of 12 words", *(f"level {n} of {origin}" for n in (1, 2) for origin in Origin)}
)


def looked_for(policy: Policy) -> frozenset[str]:
    """Return names that are alike where the same is looked for; who looks deeper has the shallower one's names, too."""
    return frozenset(_names(policy))


def _names(policy: Policy) -> Iterator[str]:
    lexicon, leakage, output = policy.lexicon, policy.leakage, policy.output
    if lexicon.harm:
        yield HARM
    for item in lexicon.keywords:
        words = (item.severity.name, *sorted(item.words), "", *sorted(item.allow))
        yield f"{item.rule_id} {_digest(words)}"
    for origin in Origin:
        yield from (f"level {n} of {origin}" for n in range(1, lexicon.level(origin) + 1))
    if leakage.canary and policy.mode is Mode.ENFORCE:  # a policy that changes nothing puts none into a prompt
        yield "canary"
    if leakage.fingerprints:
        yield f"fingerprints of {leakage.words} words"
    if leakage.hosts:
        yield f"hosts {_digest(sorted(leakage.hosts))}"
    if output is not None:
        yield f"output {_digest([repr(output.max_length), repr(output.links), repr(output.schema)])}"


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Under which revisions all was looked for that one policy looks for (`enough`), under which it was not (`short`),
    and whether it may be assumed of revisions that nobody knows.
    """

    enough: frozenset[str]
    short: frozenset[str]
    usual: bool

    @classmethod
    def of(cls, policy: Policy, known: Iterable[Policy]) -> Self:
        wanted = looked_for(policy)
        there = [*known, *(one.candidate.policy for one in known if one.candidate)]
        enough = {one.revision for one in there if wanted <= looked_for(one)} | {policy.revision}
        return cls(frozenset(enough), frozenset(one.revision for one in there) - enough, wanted <= _USUAL)

    def covers(self, revision: str) -> bool:
        return revision in self.enough or (self.usual and revision not in self.short)

    @property
    def complete(self) -> bool:
        """Tell whether there is no revision of which it is in doubt."""
        return self.usual and not self.short
