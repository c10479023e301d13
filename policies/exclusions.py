"""Excusing a finding: the only way to let a known false positive pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from detectors.types import Finding
from policies.types import Exclusion


def excused(finding: Finding, exclusions: Sequence[Exclusion], today: date) -> bool:
    """Tell whether a live exclusion names this finding's rule and its origin or content."""
    return any(_covers(exclusion, finding, today) for exclusion in exclusions)


def _covers(exclusion: Exclusion, finding: Finding, today: date) -> bool:
    return (
        exclusion.rule == finding.hit.rule_id
        and today <= exclusion.until
        and (exclusion.origin is None or exclusion.origin is finding.segment.origin)
        # What was found in no text of its own (an answer as a whole, a sender's risk) has no content to be excused by.
        and (exclusion.content is None or (exclusion.content == finding.segment.content != ""))
    )
