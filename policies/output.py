"""What an answer has to be: within a length, without links to elsewhere, JSON of a form. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from detectors.addresses import addresses_in, may_hold_addresses
from detectors.guard import is_listed
from detectors.types import Category, Direction, Finding, Hit, Kind, Origin, Place, SegmentRef, Severity
from policies.answer_schema import AnswerSchema

DETECTOR: Final = "output"
RULE_IDS: Final = ("PS-OUT-001", "PS-OUT-002", "PS-OUT-003")


@dataclass(frozen=True, slots=True)
class OutputRules:
    """`max_length` in characters of one text; `links` the hosts that an address may lead to, None where any."""

    max_length: int | None = None
    links: tuple[str, ...] | None = None
    schema: AnswerSchema | None = None


def output_findings(rules: OutputRules, texts: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with the texts of an answer, at most one finding for each rule and text."""
    for text in texts:
        if rules.max_length is not None and len(text) > rules.max_length:
            yield _finding("PS-OUT-001", "ANSWER_LENGTH", "The answer is longer than the policy allows.")
        if rules.links is not None and _leads_elsewhere(text, rules.links):
            yield _finding("PS-OUT-002", "ANSWER_LINK", "The answer links to a host that the policy does not list.")
        if rules.schema is not None and not rules.schema.fits(text):
            yield _finding("PS-OUT-003", "ANSWER_SCHEMA", "The answer is not JSON of the form that is asked for.")


def _leads_elsewhere(text: str, hosts: tuple[str, ...]) -> bool:
    return may_hold_addresses(text) and any(not is_listed(address.host, hosts) for address in addresses_in(text))


def _finding(rule: str, kind: str, message: str) -> Finding:
    hit = Hit(rule, kind, Category.LEAKAGE, Severity.MEDIUM, 1.0, None, (), message)
    where = SegmentRef(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "", "")
    return Finding(hit, where, DETECTOR)
