"""Lakera's contract: where something stands is told once, whoever found it."""

from __future__ import annotations

from dataclasses import replace

from detectors.chain import Inspection
from detectors.types import Category, Direction, Finding, Hit, Kind, Origin, Place, SegmentRef, Severity, Span
from policies.engine import decide
from policies.facts import Facts
from policies.types import Disclose
from proxy.app import Detection
from proxy.hook import Reply
from proxy.hooks._contract import conversation
from proxy.hooks.lakera import HOOK
from tests.proxy.conftest import MakePolicy

HIT = Hit("PS-PII-001", "EMAIL", Category.PII, Severity.HIGH, 0.9, Span(3, 9), (), "An address.")
PLACE = SegmentRef(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/messages/0/content", "")


def test_each_span_is_told_once(make_policy: MakePolicy, detection: Detection) -> None:
    hits = [
        HIT,
        replace(HIT, rule_id="PS-PII-002"),
        replace(HIT, transforms=("base64",)),
        replace(HIT, span=Span(0, 2)),
    ]
    found = Inspection(tuple(Finding(hit, PLACE, "patterns") for hit in hits))
    verdict = decide(make_policy(""), found, Facts(at=0.0), "r", detection.actions)
    answer = HOOK.answer(Reply(conversation([{"role": "user"}]), verdict, "id", "", Disclose.CATEGORY))
    told = {"detector_type": "pii/promptshield", "labels": ["EMAIL"]}
    assert answer["payload"] == [{"start": 0, "end": 2, **told}, {"start": 3, "end": 9, **told}]
