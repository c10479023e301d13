"""What judging recorded traffic would come to: how many decisions a policy's judges would read, and at what price."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import orjson

from detectors.types import Finding, Origin
from policies.judging import JudgePolicy
from policies.recorded import Recorded


class JudgeEstimate:
    """Counts decisions. What was asked by chance or for its origin is expected, not known: rows keep no texts.

    The price is what judged decisions of the same traffic cost, so without any there is none.
    """

    def __init__(self, judges: JudgePolicy) -> None:
        self._judges = judges
        self.decisions = 0.0
        self._priced = self._micro_usd = 0

    @property
    def reads_every_row(self) -> bool:
        """Tell whether it takes more of a row than what was found to know who would have been asked."""
        return bool(self._judges.always_models)

    @property
    def usd_each(self) -> float | None:
        return self._micro_usd / self._priced / 1e6 if self._priced else None

    @property
    def usd(self) -> float | None:
        """Return what all of it would have cost."""
        each = self.usd_each
        return None if each is None else each * self.decisions

    def pass_over(self, quiet: int) -> None:
        """Count decisions in which nothing was found."""
        self.decisions += quiet * self._expected("")

    def note(self, recorded: Recorded, findings: Sequence[Finding], *, stopped: bool) -> None:
        """Count one decision; nobody is asked about what is stopped without them."""
        if '"judges":' in recorded.coverage:
            cost = orjson.loads(recorded.coverage)["judges"].get("cost_micro_usd", 0)
            self._priced, self._micro_usd = self._priced + 1, self._micro_usd + cost
        if stopped:
            return
        found = any(match.holds(f.segment, f.hit) for match in self._judges.when for f in findings)
        models = (recorded.model, *recorded.circumstances().fallbacks)
        self.decisions += 1 if found else max(map(self._expected, models))

    def _expected(self, model: str) -> float:
        """Return how likely a request is read for what it is: each has a text of its user's, most of them one new."""
        always = self._judges.always_origins & {Origin.USER, Origin.ASSISTANT}
        if always or any(fnmatchcase(model, pattern) for pattern in self._judges.always_models):
            return 1.0
        return self._judges.sample
