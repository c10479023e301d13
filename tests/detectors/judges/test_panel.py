"""The panel: asked once for a text, whoever else asks, and never between tenants."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from detectors.judges.panel import Panel
from detectors.judges.types import CallResult, Strategy, Terms
from tests.detectors.judges.conftest import QUESTION, Counts, MakeJudge, Purse, Wire


async def test_sixteen_who_ask_the_same_at_once_cause_one_call(make_judge: MakeJudge) -> None:
    wire = Wire("jailbreak", seconds=0.01)
    panel = Panel([make_judge("kimi", wire)], Counts())
    outcomes = await asyncio.gather(*(panel.judge(QUESTION, Terms(), Purse()) for _ in range(16)))
    assert wire.asked == 1
    assert {outcome.ruling and outcome.ruling.category for outcome in outcomes} == {"jailbreak"}
    assert sum(len(outcome.calls) for outcome in outcomes) == 1  # in one account, and paid for once


async def test_no_tenant_gets_what_was_said_of_anothers_text(make_judge: MakeJudge) -> None:
    wire = Wire("jailbreak")
    panel = Panel([make_judge("kimi", wire)], Counts())
    for tenant in (1, 2, 1, 2):
        await panel.judge(replace(QUESTION, tenant_id=tenant), Terms(), Purse())
    assert wire.asked == 2


async def test_who_was_late_is_heard_the_next_time_and_not_asked_again(make_judge: MakeJudge) -> None:
    wire = Wire("jailbreak", gate=asyncio.Event())
    panel = Panel([make_judge("kimi", wire)], Counts())
    first = await panel.judge(QUESTION, Terms(deadline=0.01), Purse())
    assert (first.ruling, first.late) == (None, True)
    assert wire.gate is not None
    wire.gate.set()
    second = await panel.judge(QUESTION, Terms(deadline=1), Purse())
    assert (second.ruling and second.ruling.category, wire.asked) == ("jailbreak", 1)


async def test_who_is_late_after_another_has_failed_is_heard_the_next_time_too(make_judge: MakeJudge) -> None:
    failing, late = Wire(failing=CallResult.SERVER), Wire("jailbreak", gate=asyncio.Event())
    panel = Panel([make_judge("a", failing), make_judge("b", late)], Counts())
    first = await panel.judge(QUESTION, Terms(deadline=0.02), Purse())
    assert (first.ruling, first.late) == (None, True)
    assert late.gate is not None
    late.gate.set()
    second = await panel.judge(QUESTION, Terms(deadline=1), Purse())
    assert (second.ruling and second.ruling.judge, failing.asked, late.asked) == ("b", 1, 1)
    third = await panel.judge(QUESTION, Terms(deadline=1), Purse())
    assert (third.ruling and third.ruling.judge, failing.asked, late.asked) == ("b", 1, 1)


async def test_a_round_that_is_over_is_forgotten(make_judge: MakeJudge) -> None:
    panel = Panel([make_judge("a", Wire(failing=CallResult.SERVER))], Counts())
    for _ in range(3):
        await panel.judge(QUESTION, Terms(), Purse())
    assert panel._rounds == {}


async def test_a_judge_of_other_languages_is_not_asked(make_judge: MakeJudge) -> None:
    german, any_language = Wire(), Wire()
    panel = Panel([make_judge("de", german, languages=("de",)), make_judge("all", any_language)], Counts())
    await panel.judge(QUESTION, Terms(), Purse())
    assert (german.asked, any_language.asked) == (0, 1)


async def test_a_policy_names_its_own_panel_in_its_own_order(make_judge: MakeJudge) -> None:
    wires = {name: Wire(failing=CallResult.SERVER) for name in "abc"}
    panel = Panel([make_judge(name, wire) for name, wire in wires.items()], Counts())
    outcome = await panel.judge(QUESTION, Terms(panel=("c", "a")), Purse())
    assert [call.judge for call in outcome.calls] == ["c", "a"]


async def test_nobody_to_ask_is_no_answer(make_judge: MakeJudge) -> None:
    outcome = await Panel([], Counts()).judge(QUESTION, Terms(), Purse())
    assert (outcome.ruling, outcome.spent) == (None, False)


async def test_a_spent_budget_is_told_from_a_failure(make_judge: MakeJudge) -> None:
    panel = Panel([make_judge("a", Wire()), make_judge("b", Wire())], Counts())
    assert (await panel.judge(QUESTION, Terms(), Purse(calls=0))).spent


async def test_a_shadow_is_asked_beside_and_never_obeyed(make_judge: MakeJudge) -> None:
    counts = Counts()
    judges = [make_judge("old", Wire("none", seconds=0.01)), make_judge("new", Wire("jailbreak"), shadow=True)]
    outcome = await Panel(judges, counts).judge(QUESTION, Terms(), Purse())
    assert outcome.ruling is not None
    assert (outcome.ruling.judge, counts.agreements) == ("old", [False])


async def test_a_shadow_that_fails_changes_nothing(make_judge: MakeJudge) -> None:
    judges = [make_judge("new", Wire(text="garbage"), shadow=True), make_judge("old", Wire("none"))]
    outcome = await Panel(judges, Counts()).judge(QUESTION, Terms(), Purse())
    assert (outcome.ruling and outcome.ruling.judge, outcome.suspicious) == ("old", False)


async def test_other_judges_make_another_revision(make_judge: MakeJudge) -> None:
    one, two = (Panel([make_judge(name, Wire())], Counts()) for name in ("a", "b"))
    shadowed = Panel([make_judge("a", Wire()), make_judge("c", Wire(), shadow=True)], Counts())
    assert (one.revision != two.revision, one.revision == shadowed.revision) == (True, True)


async def test_a_closed_panel_leaves_nothing_running(make_judge: MakeJudge) -> None:
    panel = Panel([make_judge("a", Wire(gate=asyncio.Event()))], Counts())
    await panel.judge(QUESTION, Terms(deadline=0.01), Purse())
    before = len(asyncio.all_tasks())
    await panel.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (before, len(asyncio.all_tasks())) == (2, 1)


async def test_what_no_majority_said_is_not_remembered_as_said(make_judge: MakeJudge) -> None:
    wires = [Wire("none"), Wire("jailbreak"), Wire(failing=CallResult.SERVER)]
    panel = Panel([make_judge(str(number), wire) for number, wire in enumerate(wires)], Counts())
    terms = Terms(strategy=Strategy.MAJORITY)
    first, second = await panel.judge(QUESTION, terms, Purse()), await panel.judge(QUESTION, terms, Purse())
    assert (first.ruling, second.ruling) == (None, None)
    assert [wire.asked for wire in wires] == [2, 2, 2]


async def test_a_ruling_is_asked_for_again_when_it_has_ended_and_the_new_one_counts(make_judge: MakeJudge) -> None:
    now, wire = [0.0], Wire("none")
    panel = Panel([make_judge("a", wire)], Counts(), clock=lambda: now[0])
    await panel.judge(QUESTION, Terms(), Purse())
    now[0], wire.category = 1e6, "jailbreak"
    for _ in range(2):
        outcome = await panel.judge(QUESTION, Terms(), Purse())
        assert outcome.ruling is not None
        assert outcome.ruling.category == "jailbreak"
    assert wire.asked == 2
