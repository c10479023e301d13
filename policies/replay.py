"""What another policy would have done: recorded decisions, decided once more from what the log kept of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from detectors.chain import Inspection
from policies.engine import Actions, decide
from policies.facts import Facts
from policies.judge_estimate import JudgeEstimate
from policies.looked_for import Knowledge
from policies.recorded import Catalogue, Recorded, Score, inspections, scores_of
from policies.types import ActionName, Exclusion, Policy

STOPS: Final = frozenset({ActionName.BLOCK, ActionName.ERROR})
_UNJUDGED: Final = frozenset({"rejected", "internal_error"})
_DAY: Final = 86400
_MOST_REMEMBERED: Final = 200_000
_UNSCANNED: Final = re.compile(r'"unscanned": ?\{"')  # the database writes a space where we write none
# Words of conditions that are no fact by name, and what of the facts they are made of.
_MADE_OF: Final[Mapping[str, str]] = {"key": "key_id", "hour": "at", "weekday": "at"}


class Doubt(StrEnum):
    """Why a decision cannot be made again from its row."""

    OVERFLOW = "more findings than a row keeps"
    REPEATED = "several findings in one entry, and the policy tells them apart"
    UNKNOWN_FACT = "the policy asks for a fact that was not recorded"
    SKIPPED = "a detector was skipped because the verdict was certain"
    NOT_LOOKED_FOR = "the policy looks for what was not looked for then, as far as anybody knows"


@dataclass(frozen=True, slots=True)
class Redecided:
    """What a policy makes of a recorded decision; `doubt` says why it may have done more."""

    action: ActionName
    rule: str
    doubt: Doubt | None = None


@dataclass(slots=True)
class Tally:
    """What a replay comes to. `by` counts (what, app, rule); `samples` has a few decision ids of each; `judging` is
    what the policy's judges would have read, None where it has none.
    """

    decisions: int = 0
    unjudged: int = 0
    newly_blocked: int = 0
    newly_allowed: int = 0
    other_changes: int = 0
    undecidable: int = 0
    rescanned: int = 0
    doubts: Counter[Doubt] = field(default_factory=Counter)
    by: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    samples: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    judging: JudgeEstimate | None = None

    @property
    def judged(self) -> int:
        return self.decisions - self.unjudged

    @property
    def decided(self) -> int:
        """How many were decided again, for better or worse."""
        return self.judged - self.undecidable

    def share(self, count: int) -> float:
        """Return a count as a share of all judged decisions, 0 to 1."""
        return count / self.judged if self.judged else 0.0


class Replay:
    """One policy over any number of recorded decisions; sets of findings that are alike are decided once.

    `samples` is how many ids are kept of each kind of change. `known` are policies under which rows may have been made.
    """

    def __init__(
        self,
        policy: Policy,
        catalogue: Catalogue,
        actions: Actions,
        samples: int = 5,
        known: Iterable[Policy] = (),
    ) -> None:
        self._policy, self._catalogue, self._actions, self._samples = policy, catalogue, actions, samples
        known = tuple(known)
        self._knowledge = Knowledge.of(policy, known)
        self._noted = _noted(policy, known)
        self._known: dict[tuple[object, ...], tuple[ActionName, str]] = {}
        self._facts = _facts_read(policy)
        self._by_content = any(exclusion.content is not None for exclusion in policy.exclusions)
        self._reads_confidence = "confidence" in _condition_words(policy)
        self.tally = Tally(judging=None if policy.judges is None else JudgeEstimate(policy.judges))

    @property
    def reads_every_row(self) -> bool:
        """Tell whether rows in which nothing was found have to be read, too."""
        judging = self.tally.judging
        return not self._knowledge.complete or (judging is not None and judging.reads_every_row)

    def pass_over(self, quiet: int) -> None:
        """Count decisions in which nothing was found, failed or left unread: no policy does anything else with them."""
        self.tally.decisions += quiet
        if self.tally.judging is not None:
            self.tally.judging.pass_over(quiet)

    def take(self, recorded: Recorded, seen: Sequence[Inspection] | None = None) -> Redecided | None:
        """Decide one row again and count it, by what is `seen` in its texts today where somebody looked; None for what
        nobody judged.
        """
        tally = self.tally
        tally.decisions += 1
        if recorded.outcome in _UNJUDGED or recorded.coverage == "{}":
            tally.unjudged += 1
            return None
        before = ActionName(recorded.intended_action)
        after = self.decide(recorded) if seen is None else self._decide_seen(recorded, seen)
        tally.rescanned += seen is not None
        if tally.judging is not None:
            findings = [self._catalogue.finding(score) for score in scores_of(recorded.scores)]
            tally.judging.note(recorded, findings, stopped=after.action in STOPS)
        if after.doubt is not None:
            tally.undecidable += 1
            tally.doubts[after.doubt] += 1
            self._count("undecidable", recorded, after.rule)
        elif after.action in STOPS and before not in STOPS:
            tally.newly_blocked += 1
            self._count("newly_blocked", recorded, after.rule)
        elif before in STOPS and after.action not in STOPS:
            tally.newly_allowed += 1
            self._count("newly_allowed", recorded, _heaviest_rule(recorded.scores))
        elif after.action is not before:
            tally.other_changes += 1
            self._count(f"{before} -> {after.action}", recorded, after.rule)
        return after

    def decide(self, recorded: Recorded) -> Redecided:
        """Return what the policy makes of a row. Whatever is unknown could only make it heavier."""
        plain = recorded.scores == "[]" and not recorded.degraded and not _UNSCANNED.search(recorded.coverage)
        action, rule, doubt = ActionName.ALLOW, "", None
        if not plain:
            action, rule, doubt = self._decide(recorded)
        if action in STOPS and doubt is not Doubt.UNKNOWN_FACT:
            return Redecided(action, rule)
        if recorded.scores_overflow:
            doubt = Doubt.OVERFLOW
        elif (
            ActionName(recorded.intended_action) not in STOPS  # of what was stopped it is known that it no longer is
            and not self._knowledge.covers(recorded.policy_revision)
        ):
            doubt = Doubt.NOT_LOOKED_FOR
        elif '"skipped":' in recorded.facts and action.weight < ActionName(recorded.intended_action).weight:
            doubt = Doubt.SKIPPED
        return Redecided(action, rule, doubt)

    def _decide(self, recorded: Recorded) -> tuple[ActionName, str, Doubt | None]:
        scores = scores_of(recorded.scores)
        facts = recorded.circumstances()
        doubt = self._doubt(scores, facts, recorded.policy_revision)
        unscanned = recorded.coverage if _UNSCANNED.search(recorded.coverage) else _directions(recorded.coverage)
        alike = tuple(self._key_of(score) for score in scores)
        key = (alike, unscanned, tuple(recorded.degraded), self._circumstances_key(facts))
        known = self._known.get(key)
        if known is None:
            known = self._fresh(scores, facts, recorded)
            if len(self._known) < _MOST_REMEMBERED:
                self._known[key] = known
        return *known, doubt

    def _fresh(self, scores: Sequence[Score], facts: Facts, recorded: Recorded) -> tuple[ActionName, str]:
        findings = [self._catalogue.finding(score) for score in scores]
        coverage: dict[str, Any] = orjson.loads(recorded.coverage)
        return self._verdict(inspections(findings, coverage, recorded.degraded), facts)

    def _decide_seen(self, recorded: Recorded, seen: Sequence[Inspection]) -> Redecided:
        """Decide by whole findings, which leave no doubt but of what was never recorded."""
        facts = recorded.circumstances()
        action, rule = self._verdict(seen, facts)
        return Redecided(action, rule, None if action in STOPS else self._doubt((), facts, recorded.policy_revision))

    def _verdict(self, inspected: Sequence[Inspection], facts: Facts) -> tuple[ActionName, str]:
        action, rule = ActionName.ALLOW, ""
        for seen in inspected:
            verdict = decide(self._policy, seen, facts, "", self._actions)
            if verdict.intended_action.weight > action.weight:
                action = verdict.intended_action
                rule = next((item.rule for item in verdict.judged if item.action is action), "")
        return action, rule

    def _doubt(self, scores: Sequence[Score], facts: Facts, revision: str) -> Doubt | None:
        for score in scores:
            if score.times > 1 and (self._reads_confidence or self._excuses_one_of(score)):
                return Doubt.REPEATED
        if ("network" in self._facts and not facts.network) or ("language" in self._facts and not facts.language):
            return Doubt.UNKNOWN_FACT
        for name, noted in self._noted.items():
            if name in self._facts and not getattr(facts, name) and revision not in noted:
                return Doubt.UNKNOWN_FACT
        return None

    def _excuses_one_of(self, score: Score) -> bool:
        return self._by_content and any(_names(exclusion, score) for exclusion in self._policy.exclusions)

    def _key_of(self, score: Score) -> Score:
        return score if self._by_content else score._replace(content="", times=1)

    def _circumstances_key(self, facts: Facts) -> tuple[object, ...]:
        # Clocks in policies go by the minute, exclusions by the day.
        step = 60 if "at" in self._facts else _DAY
        moment = int(facts.at) // step if step == 60 or self._policy.exclusions else 0
        return (moment, *(getattr(facts, name) for name in self._facts if name != "at"))

    def _count(self, what: str, recorded: Recorded, rule: str) -> None:
        key = (what, f"{recorded.tenant}/{recorded.app}", rule)
        self.tally.by[key] += 1
        samples = self.tally.samples.setdefault(key, [])
        if len(samples) < self._samples:
            samples.append(recorded.id)


def _noted(policy: Policy, known: Sequence[Policy]) -> dict[str, frozenset[str]]:
    """Return under which revisions it was noted what a tenant had spent and what its sender's risk was, if only none:
    nobody else counts them. Without `risk` of its own a policy knows none.
    """
    there = [*known, *(one.candidate.policy for one in known if one.candidate)]
    noted = {"cost": frozenset({policy.revision, *(one.revision for one in there if one.reads_cost)})}
    if policy.risk is not None:
        noted["risk"] = frozenset({policy.revision, *(one.revision for one in there if one.risk is not None)})
    return noted


def _names(exclusion: Exclusion, score: Score) -> bool:
    return exclusion.rule == score.rule and exclusion.content == score.content


def _directions(coverage: str) -> str:
    return "both" if '"request":' in coverage and '"response":' in coverage else coverage[:10]


def _heaviest_rule(scores: str) -> str:
    """Return the policy rule that stopped it then."""
    entries = [entry for entry in orjson.loads(scores) if entry.get("action") in {"block", "error"}]
    return str(entries[0].get("policy_rule", "")) if entries else ""


def _condition_words(policy: Policy) -> frozenset[str]:
    return frozenset(name for rule in policy.rules if rule.condition is not None for name in rule.condition.names)


def _facts_read(policy: Policy) -> tuple[str, ...]:
    """Return the facts that a policy's rules look at, by name."""
    known = Facts.__dataclass_fields__
    read = {_MADE_OF.get(word, word) for word in _condition_words(policy)}
    for rule in policy.rules:
        if rule.where is None:
            continue
        where = rule.where
        read |= {name for name in ("model", "upstream", "route", "app", "dialect", "language") if getattr(where, name)}
        read |= {"key_id"} if where.key else set()
        read |= {"roles"} if where.role else set()
        read |= {"network"} if where.network or where.not_network else set()
        read |= {"at"} if where.time is not None else set()
        read |= {"cost"} if where.min_cost else set()
        read |= {"risk"} if where.min_risk else set()
    read |= {"fallbacks"} if "model" in read else set()  # of which any may be the model that is meant
    return tuple(sorted(read & set(known)))
