"""When a policy has texts judged, and what its keys come to."""

from __future__ import annotations

import pytest

from detectors.errors import PolicyError
from detectors.judges.types import Send, Strategy
from detectors.types import Category, Direction, Hit, Kind, Origin, Place, Segment, Severity
from policies.judging import JudgePolicy, Slow
from policies.types import Policy
from tests.policies.conftest import MakePolicy

MODEL = "openai/gpt-5"


def judges(make_policy: MakePolicy, keys: str) -> JudgePolicy:
    found = make_policy(f"extends: preset/standard\njudges: {keys}").judges
    assert found is not None
    return found


def segment(text: str = "a text of some length", **more: object) -> Segment:
    fields: dict[str, object] = {
        "direction": Direction.REQUEST, "origin": Origin.USER, "kind": Kind.TEXT, "place": Place.VALUE, **more
    }  # fmt: skip
    return Segment(pointer="/a", text=text, **fields)  # type: ignore[arg-type]


def hit(confidence: float, category: Category = Category.PROMPT_INJECTION) -> Hit:
    return Hit("PS-INJ-001", "X", category, Severity.HIGH, confidence, None, (), "found")


@pytest.mark.parametrize(("confidence", "wanted"), [(0.34, False), (0.35, True), (0.8, True), (0.81, False)])
def test_findings_in_the_band_leave_their_text_open(make_policy: MakePolicy, confidence: float, wanted: bool) -> None:
    policy = judges(make_policy, "{when: [{category: prompt_injection, confidence: [0.35, 0.8]}]}")
    assert policy.wants(segment(), [hit(confidence)], MODEL, 1.0) is wanted
    assert not policy.wants(segment(), [hit(confidence, Category.PII)], MODEL, 1.0)


def test_a_match_is_about_requests_unless_it_says_otherwise(make_policy: MakePolicy) -> None:
    answer = segment(direction=Direction.RESPONSE, origin=Origin.ASSISTANT)
    assert not judges(make_policy, "{when: [{category: jailbreak}]}").wants(answer, [hit(0.5)], MODEL, 1.0)
    policy = judges(make_policy, "{when: [{direction: response}]}")
    assert policy.wants(answer, [hit(0.5)], MODEL, 1.0)


def test_text_of_some_origins_is_always_judged(make_policy: MakePolicy) -> None:
    policy = judges(make_policy, "{always: {origin: document}}")
    assert policy.wants(segment(origin=Origin.TOOL), [], MODEL, 1.0)
    assert not policy.wants(segment(), [], MODEL, 1.0)


@pytest.mark.parametrize(
    "unfit", [{"kind": Kind.SEAM}, {"place": Place.KEY}, {"place": Place.NUMBER}, {"text": "too short"}]
)
def test_what_is_no_text_of_its_own_is_not_judged_for_its_origin(
    make_policy: MakePolicy, unfit: dict[str, object]
) -> None:
    assert not judges(make_policy, "{always: {origin: user}}").wants(segment(**unfit), [], MODEL, 1.0)  # type: ignore[arg-type]


def test_text_for_some_models_is_always_judged_but_not_the_operators_own(make_policy: MakePolicy) -> None:
    policy = judges(make_policy, '{always: {model: "openai/*"}}')
    assert policy.wants(segment(), [], MODEL, 1.0)
    assert not policy.wants(segment(), [], "anthropic/claude", 1.0)
    assert not policy.wants(segment(origin=Origin.SYSTEM), [], MODEL, 1.0)


def test_a_sample_is_drawn_by_lot(make_policy: MakePolicy) -> None:
    policy = judges(make_policy, "{sample: 10%}")
    assert [policy.wants(segment(), [], MODEL, lot) for lot in (0.0, 0.09, 0.1, 1.0)] == [True, True, False, False]


def test_no_preset_asks_judges(make_policy: MakePolicy) -> None:
    presets: list[Policy] = [make_policy(f"extends: preset/{name}") for name in ("standard", "strict", "monitor")]
    assert [preset.judges for preset in presets] == [None, None, None]


def test_without_any_text_to_send_nobody_is_asked(make_policy: MakePolicy) -> None:
    assert make_policy("extends: preset/standard\njudges: {always: {origin: user}, send: never}").judges is None


def test_what_a_policy_says_and_what_it_leaves_out(make_policy: MakePolicy) -> None:
    keys = "{sample: 1%, panel: [b, a], strategy: majority, deadline: 5, send: raw, budget: 5 USD/day, calls: 2k/hour}"
    policy = judges(make_policy, keys)
    assert (policy.terms.panel, policy.terms.strategy, policy.terms.send) == (("b", "a"), Strategy.MAJORITY, Send.RAW)
    assert (policy.usd, policy.usd_seconds, policy.calls, policy.calls_seconds) == (5.0, 86_400, 2_000, 3_600)
    plain = judges(make_policy, "{sample: 1%, panel: default}")
    assert (plain.terms.panel, plain.terms.strategy, plain.terms.deadline) == ((), Strategy.HEDGE, 2.0)
    assert (plain.terms.send, plain.usd, plain.concurrent) == (Send.MASKED, None, False)
    assert (plain.calls, plain.calls_seconds) == (10_000, 86_400)
    assert judges(make_policy, "{sample: 1%, budget: 1 USD/day}").calls is None


def test_streams_release_unless_the_policy_holds_them(make_policy: MakePolicy) -> None:
    assert make_policy("extends: preset/standard").streams.slow is Slow.RELEASE
    held = make_policy("extends: preset/standard\nstreams: {slow: hold, max_wait: 4}").streams
    assert (held.slow, held.max_wait) == (Slow.HOLD, 4.0)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("{wen: []}", "unknown key 'wen' (did you mean 'when'?)"),
        ("{strategy: hedged}", "strategy"),
        ("{when: [{confidence: [0.8, 0.3]}]}", "from low to high"),
        ("{when: [{confidence: 0.8}]}", "confidence"),
        ("{always: {origin: []}}", "origin"),
        ("{deadline: 0}", "deadline"),
        ("{budget: 5 EUR/day}", "USD/day"),
        ("{send: mask}", "send"),
        ("{sample: 2}", "1%"),
    ],
)
def test_a_mistake_is_named_with_its_line(make_policy: MakePolicy, keys: str, problem: str) -> None:
    with pytest.raises(PolicyError) as error:
        make_policy(f"extends: preset/standard\njudges: {keys}")
    assert problem in str(error.value)
    assert str(error.value).startswith("acme.yaml:2")


def test_a_policy_without_judges_keeps_its_revision(make_policy: MakePolicy) -> None:
    assert (
        make_policy("extends: preset/standard").revision
        != make_policy("extends: preset/standard\njudges: {sample: 1%}").revision
    )
