"""What changes when one policy takes another's place: by meaning, with an example of each decision that can change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

from detectors.chain import Inspection
from detectors.models.harm_model import HARM, USERS
from detectors.models.harm_model import SEVERITY as HARM_SEVERITY
from detectors.rules import RuleSet, Signature
from detectors.types import (
    ATTACK,
    Category,
    Direction,
    Finding,
    Hit,
    Kind,
    Origin,
    Place,
    SegmentRef,
    Severity,
    Span,
)
from policies.engine import Actions, decide
from policies.matcher import TimeWindow
from policies.types import ActionName, Facts, Mode, Policy, Rule

# Compared by what they do, or no wish of the author's.
_BY_MEANING: Final = frozenset({"id", "revision", "rules", "exclusions", "mode"})
_STEP: Final = 0.01
# What conditions call otherwise than facts are called.
_FACTS: Final = {"key": "key_id", "min_cost": "cost", "min_risk": "risk", "role": "roles", "time": "at"}
_WEEK: Final = 8 * 24 * 60  # minutes: a week, and a day for clocks that are put forward


@dataclass(frozen=True, slots=True)
class Case:
    """Something that can be found: a finding, who would find it, and a text in which it does (empty: none known)."""

    finding: Finding
    source: str
    example: str


@dataclass(frozen=True, slots=True)
class Change:
    """Findings that are decided otherwise, all in the same way; `case` is one of `count`."""

    before: ActionName
    after: ActionName
    rule_before: str
    rule_after: str
    case: Case
    count: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Difference:
    """`settings` are (name, before, after); `rules` and `exclusions` say by name what came, went or was rewritten."""

    changes: tuple[Change, ...]
    settings: tuple[tuple[str, str, str], ...]
    rules: tuple[str, ...]
    exclusions: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return not (self.changes or self.settings or self.rules or self.exclusions)


def difference(before: Policy, after: Policy, rules: RuleSet, actions: Actions, at: float) -> Difference:
    """Decide everything that signatures can find, and what models may claim, under both policies at epoch `at`."""
    return Difference(
        changes=tuple(_changes(before, after, rules, actions, at)),
        settings=tuple(_settings(before, after)),
        rules=tuple(_named("rule", {r.id: r for r in before.rules}, {r.id: r for r in after.rules})),
        exclusions=tuple(
            _named("exclusion", {_key(e): e for e in before.exclusions}, {_key(e): e for e in after.exclusions})
        ),
    )


def _changes(before: Policy, after: Policy, rules: RuleSet, actions: Actions, at: float) -> Iterator[Change]:
    found: dict[tuple[object, ...], list[tuple[Case, Facts]]] = {}
    for facts in _circumstances((*before.rules, *after.rules), at):
        for case in cases(rules, _thresholds(before, after)):
            was, becomes = (_decided(policy, case, facts, rules.revision, actions) for policy in (before, after))
            if was[0] is not becomes[0]:
                direction = case.finding.segment.direction
                found.setdefault((*was, *becomes, case.finding.hit.category, direction), []).append((case, facts))
    for key, hits in found.items():
        old, old_rule, new, new_rule = (str(part) for part in key[:4])
        # An example that somebody can try goes before a number.
        case, facts = max(hits, key=lambda hit: bool(hit[0].example))
        yield Change(ActionName(old), ActionName(new), old_rule, new_rule, case, len(hits), facts)


def _decided(policy: Policy, case: Case, facts: Facts, revision: str, actions: Actions) -> tuple[ActionName, str]:
    verdict = decide(policy, Inspection((case.finding,)), facts, revision, actions)
    rule = verdict.judged[0].rule if verdict.judged else "an exclusion" if verdict.excused else ""
    if policy.mode is Mode.OFF:
        return ActionName.ALLOW, ""
    return verdict.action, rule


def cases(rules: RuleSet, thresholds: Sequence[float]) -> Iterator[Case]:
    """Yield what can be found: each signature by each origin that it reads, and what models may be sure of by category.

    `thresholds` are where decisions may turn; a model is taken to be as sure as each of them, and a little less.
    """
    for signature in rules.of(Category):
        hit = _hit_of(signature)
        example = signature.examples.match[0]
        for segment in _segments():
            if signature.reads_origin(segment.origin):
                yield Case(Finding(hit, segment, "patterns"), signature.title, example)
    levels = sorted({level for t in thresholds for level in (t, round(t - _STEP, 4)) if 0 < level <= 1})
    for category in sorted(ATTACK | {Category.HARMFUL_REQUEST, Category.LEAKAGE, Category.KEYWORD}):
        harm = category is Category.HARMFUL_REQUEST
        for confidence in levels:
            name, severity = (HARM, HARM_SEVERITY) if harm else ("", Severity.HIGH)
            hit = Hit(name, "", category, severity, confidence, Span(0, 1), (), "")
            for segment in _segments():
                if not harm or (segment.direction is Direction.REQUEST and segment.origin in USERS):
                    yield Case(Finding(hit, segment, "model"), f"a model that is sure to {confidence:g}", "")


def _segments() -> Iterator[SegmentRef]:
    for origin in Origin:
        yield SegmentRef(Direction.REQUEST, origin, Kind.TEXT, Place.VALUE, "/a", "")
    yield SegmentRef(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "/a", "")


def _hit_of(signature: Signature) -> Hit:
    return Hit(
        rule_id=signature.id,
        kind=signature.kind,
        category=signature.category,
        severity=signature.severity,
        confidence=signature.confidence,
        span=Span(0, 1),
        transforms=(),
        message=signature.title,
        tags=signature.tags,
    )


def _thresholds(*policies: Policy) -> list[float]:
    return sorted({rule.match.min_confidence for policy in policies for rule in policy.rules})


def _circumstances(rules: Iterable[Rule], at: float) -> list[Facts]:
    """Return the plain circumstances, and for each that a rule asks for, one in which it holds as far as words can."""
    plain = Facts(at=at)
    known = {field.name for field in fields(Facts)}
    found = [plain]
    for rule in rules:
        where = getattr(rule, "where", None)
        if where is None:
            continue
        given: dict[str, Any] = {}
        for field in fields(where):
            wanted = getattr(where, field.name)
            name = _FACTS.get(field.name, field.name)
            if not wanted or name not in known:
                continue
            if name == "roles":
                given[name] = (min(wanted),)
            elif isinstance(wanted, TimeWindow):
                given[name] = _moment_in(wanted, at)
            elif isinstance(wanted, frozenset | tuple):
                first = min(wanted, key=str)
                given[name] = str(first).partition("/")[0] if name == "network" else _plain(first)
            else:
                given[name] = wanted
        found.append(replace(plain, **given))
    return list(dict.fromkeys(found))


def _moment_in(window: TimeWindow, at: float) -> float:
    """Return the first minute from `at` on that lies in a window."""
    minute = at - at % 60
    return next((moment for step in range(_WEEK) if window.contains(moment := minute + 60 * step)), at)


def _plain(value: object) -> object:
    """A name that a pattern matches."""
    return value.replace("*", "x").replace("?", "x") if isinstance(value, str) else value


def _settings(before: Policy, after: Policy) -> Iterator[tuple[str, str, str]]:
    yield from _fields("mode", before.mode, after.mode)
    for field in fields(Policy):
        if field.compare and field.name not in _BY_MEANING:
            yield from _fields(field.name, getattr(before, field.name), getattr(after, field.name))


def _fields(name: str, before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    if before == after:
        return
    if is_dataclass(before) and is_dataclass(after) and type(before) is type(after):
        for field in [field for field in fields(before) if field.compare]:
            yield from _fields(f"{name}.{field.name}", getattr(before, field.name), getattr(after, field.name))
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from _fields(f"{name}.{key}", before.get(key), after.get(key))
    else:
        yield name, _shown(before), _shown(after)


def _shown(value: object) -> str:
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, frozenset):
        return _shown(tuple(sorted(value, key=str)))
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(one) for one in value)}]"
    return "none" if value is None else str(value)


def _named(what: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield f"{what} {name} is gone"
        elif name not in before:
            yield f"{what} {name} is new"
        elif before[name] != after[name]:
            yield f"{what} {name} is rewritten"


def _key(exclusion: Any) -> str:
    scope = " ".join(f"{name} {value}" for name in ("origin", "content") if (value := getattr(exclusion, name)))
    return f"of {exclusion.rule} for {scope}"
