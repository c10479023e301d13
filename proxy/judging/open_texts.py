"""Which texts of one inspection are worth an expensive look: those that the policy leaves open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from detectors.types import Finding, Hit, Segment, Stage
from policies.judging import JudgePolicy

_SPACE: Final = 1 << 64


class OpenTexts:
    """The gate of one inspection. Once what is found decides it, no expensive stage looks at anything.

    `certain` tells whether findings do. Judges look at what `judges` wants; with `postpone` at nothing yet, and what
    they would have looked at is `postponed`. Of several `models` that a request names any may answer.
    """

    def __init__(
        self,
        certain: Callable[[Sequence[Finding]], bool],
        judges: JudgePolicy | None,
        models: Sequence[str],
        content_key: bytes,
        *,
        postpone: bool = False,
    ) -> None:
        self._certain, self._judges, self._models, self._key = certain, judges, models, content_key
        self._postpone = postpone
        self.postponed: list[Segment] = []

    def skip(self, stage: Stage, findings: Sequence[Finding]) -> str | None:
        return "decided" if stage.expensive and findings and self._certain(findings) else None

    def wanted(self, stage: Stage, segment: Segment, hits: Sequence[Hit]) -> bool:
        if stage is not Stage.JUDGE:
            return True
        judges = self._judges
        if judges is None:
            return False
        lot = self._lot(segment, judges)
        if not any(judges.wants(segment, hits, model, lot) for model in self._models):
            return False
        if self._postpone:
            self.postponed.append(segment)
        return not self._postpone

    def _lot(self, segment: Segment, judges: JudgePolicy) -> float:
        """Draw a number from 0 to 1 from a text: the same one each time, which nobody else can foretell."""
        if not judges.sample:
            return 1.0
        text = segment.text.encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, key=self._key, digest_size=8).digest()) / _SPACE
