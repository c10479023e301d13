"""A masked body holds nothing that was found in it, wherever it was, whatever the policy did about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from detectors.types import Category, Direction, Finding, Kind, Place
from policies.types import Facts, Policy
from proxy.bodies.json_document import dump, parse
from proxy.providers.openai_chat import CODEC
from proxy.recording.masking import UnmaskableError, masked_document, masked_text
from proxy.screen import Screen
from tests.proxy.conftest import MakeJudged

BODIES: dict[str, tuple[Any, list[str]]] = {
    "text": ({"messages": [{"role": "user", "content": "Mail anna@example.org and bert@example.org"}]}, ["@example"]),
    "number": ({"messages": [{"role": "user", "content": "x"}], "card": 4111111111111111}, ["4111"]),
    "key": ({"metadata": {"anna@example.org": {"bert@example.org": "carl@example.org"}}}, ["@example"]),
    "JSON in text": ({"messages": [{"role": "tool", "content": '{"card": 4111111111111111, "a": "b@example.org"}'}]},
                     ["4111", "@example"]),
    "base64": ({"messages": [{"role": "user", "content": "YW5uYUBleGFtcGxlLm9yZyBhbm5hQGV4YW1wbGUub3Jn"}]}, ["YW5u"]),
    "credential": ({"messages": [{"role": "user", "content": "key AKIAIOSFODNN7EXAMPLB here"}]}, ["AKIA"]),
    "long digits": ({"x": [4111111111111111, 1.10, 12345678901234567890123]}, ["4111"]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "secrets"), BODIES.values(), ids=BODIES.keys())
async def test_nothing_that_was_found_is_left(
    screen: Screen, make_policy: Callable[[str], Policy], body: Any, secrets: list[str]
) -> None:
    document = parse(json.dumps(body).encode())
    before = dump(document)
    walk = CODEC.segments(document, Direction.REQUEST)
    screened = await screen.judge(walk, make_policy("mode: monitor"), Facts(at=0.0), 1, b"k" * 32)
    masked = dump(masked_document(document, [item.finding for item in screened.verdict.judged])).decode()
    assert screened.verdict.judged
    assert not [secret for secret in secrets if secret in masked]
    assert dump(document) == before


def finding(make_judged: MakeJudged, pointer: str, **fields: Any) -> Finding:
    return make_judged(pointer, **fields).finding


def test_overlapping_findings_become_one_mask(make_judged: MakeJudged) -> None:
    found = [finding(make_judged, "/a", span=span) for span in ((0, 6), (4, 10), (12, 14))]
    assert masked_document({"a": "0123456789--xx."}, found) == {"a": "[EMAIL]--[EMAIL]."}


def test_a_secret_without_a_place_takes_its_text_with_it(make_judged: MakeJudged) -> None:
    found = finding(make_judged, "/a", span=None, category=Category.CREDENTIAL)
    assert masked_document({"a": "somewhere in here", "b": "c"}, [found]) == {"a": "[EMAIL]", "b": "c"}


def test_an_attack_without_a_place_is_kept_for_whoever_looks_into_it(make_judged: MakeJudged) -> None:
    found = finding(make_judged, "/a", span=None, category=Category.JAILBREAK)
    assert masked_document({"a": "be DAN"}, [found]) == {"a": "be DAN"}


def test_a_secret_over_a_seam_cannot_be_masked(make_judged: MakeJudged) -> None:
    found = finding(make_judged, "/a", span=None)
    over = replace(found, segment=replace(found.segment, kind=Kind.SEAM))
    with pytest.raises(UnmaskableError):
        masked_document({"a": "4111 1111"}, [over])


@pytest.mark.parametrize("pointer", ["", "/b", "/a/0", "/a/b"])
def test_a_finding_at_no_place_of_the_document_cannot_be_masked(make_judged: MakeJudged, pointer: str) -> None:
    with pytest.raises(UnmaskableError):
        masked_document({"a": "text"}, [finding(make_judged, pointer)])


def test_a_key_is_masked_after_what_lies_below_it(make_judged: MakeJudged) -> None:
    found = [finding(make_judged, "/k1@x", place=Place.KEY, span=(0, 4)), finding(make_judged, "/k1@x/v", span=(0, 1))]
    assert masked_document({"k1@x": {"v": "abc"}}, found) == {"[EMAIL]": {"v": "[EMAIL]bc"}}


def test_json_that_a_mask_would_break_is_masked_whole(make_judged: MakeJudged) -> None:
    assert masked_text('{"a": 1}', [finding(make_judged, "/a", span=(0, 3))]) == "[EMAIL]"
