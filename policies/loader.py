"""From a policy file to a Policy: read, extend, check every reference, compile."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from detectors.documents import Document, nearest, parse_document, read_document
from detectors.errors import PolicyError
from detectors.types import CANARY_RULE, Unscanned
from policies.judging_schema import judge_policy, slow_streams
from policies.leakage import Leakage
from policies.routes import OpenRoute
from policies.schema import ExclusionDocument, PolicyDocument, RuleDocument, TestDocument
from policies.types import (
    ActionName,
    AuditLevel,
    BlockAs,
    Credentials,
    Disclose,
    Exclusion,
    FailureMode,
    Match,
    Mode,
    Policy,
    PolicyLimits,
    References,
    Rule,
    StoredForm,
)

PRESETS: Final = Path(__file__).parent / "presets"
TEXT_LIMIT, BODY_LIMIT = 256 * 1024, 4 * 1024 * 1024
RETAIN_DAYS: Final = 90
RETAIN_BODIES_DAYS: Final = 30
QUOTED_WORDS: Final = 12
# Of every policy that has a canary, whatever it says beside: a canary that reaches a client is one no more.
_CANARY: Final = Rule("canary", Match(rule=frozenset({CANARY_RULE})), ActionName.MASK)
# Keys that count only where they are given, so that a policy that does without them keeps its revision.
_CAME_LATER: Final = frozenset({"pseudonyms", "judges", "streams"})
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy with what belongs to its file: its own tests, and remarks that are no errors."""

    policy: Policy
    tests: tuple[TestDocument, ...]
    file: Path


@dataclass(frozen=True, slots=True)
class _Layer:
    name: str
    document: Document
    content: PolicyDocument


def preset_names() -> tuple[str, ...]:
    return tuple(sorted(f"preset/{file.stem}" for file in PRESETS.glob("*.yaml")))


def load_policy(file: Path, policy_id: str, known_rules: Iterable[str] = ()) -> LoadedPolicy:
    """Load one file. `known_rules` are the signature ids that rules and exclusions may name. Raises PolicyError."""
    return _compile(_layers(read_document(file, PolicyError), policy_id), policy_id, frozenset(known_rules))


def load_policy_text(text: str, file: Path, policy_id: str, known_rules: Iterable[str] = ()) -> LoadedPolicy:
    """Like `load_policy`, from memory. Raises PolicyError."""
    return _compile(_layers(parse_document(text, file, PolicyError), policy_id), policy_id, frozenset(known_rules))


def load_preset(name: str) -> LoadedPolicy:
    """Load `preset/standard` and the like. Raises PolicyError."""
    return load_policy(PRESETS / f"{name.removeprefix('preset/')}.yaml", name)


def _layers(document: Document, name: str) -> list[_Layer]:
    """The file and all it extends, most distant ancestor first, and each once: a second time it would undo a child."""
    content = document.validate(PolicyDocument)
    layers: list[_Layer] = []
    for index, parent in enumerate(content.extends):
        if parent not in preset_names():
            problem = f"unknown policy '{parent}'{nearest(parent, preset_names())}"
            raise document.complain(("extends", index), problem, of_key=False)
        inherited = _layers(read_document(PRESETS / f"{parent.removeprefix('preset/')}.yaml", PolicyError), parent)
        known = {layer.name for layer in layers}
        layers += [layer for layer in inherited if layer.name not in known]
    return [*layers, _Layer(name, document, content)]


def _compile(layers: Sequence[_Layer], policy_id: str, known_rules: frozenset[str]) -> LoadedPolicy:
    for layer in layers:
        _check_references(layer, known_rules)
    own = layers[-1]
    contents = [layer.content for layer in layers]
    mode = _last((c.mode for c in contents), Mode.ENFORCE)
    rules = _merged_rules(layers)
    if not rules and mode is not Mode.OFF:
        # Above all a file that was cut to nothing, or that forgot to extend.
        problem = "a policy without rules lets everything pass: extend a preset (extends: preset/standard) or add rules"
        raise own.document.complain((), problem)
    retain_days, retain_bodies_days = _retention(own, contents)
    leakage = _leakage(contents)
    policy = Policy(
        id=policy_id,
        revision=_revision(layers),
        mode=mode,
        failure_mode=_last((c.failure_mode for c in contents), FailureMode.CLOSED),
        unscanned=_unscanned(contents),
        models=_last((c.models.allow for c in contents), ("*",)),
        limits=_limits(contents),
        rules=(*map(_rule, rules), *([_CANARY] if leakage.canary else [])),
        exclusions=tuple(_exclusion(e) for c in contents for e in c.exclusions),
        disclose=_last((c.disclose for c in contents), Disclose.CATEGORY),
        block_as=_last((c.block_as for c in contents), BlockAs.ERROR),
        credentials=_last((c.credentials for c in contents), Credentials.UPSTREAM),
        references=_last((c.references for c in contents), References.KNOWN),
        leakage=leakage,
        audit_level=_last((c.audit.level for c in contents), AuditLevel.REQUIRED),
        retain_days=retain_days,
        store=_last((c.audit.store for c in contents), StoredForm.NONE),
        retain_bodies_days=retain_bodies_days,
        routes=_routes(contents),
        restore_in_tools=frozenset(_last((c.pseudonyms.restore_in_tools for c in contents), ())),
        judges=judge_policy([c.judges for c in contents]),
        streams=slow_streams([c.streams for c in contents]),
    )
    return LoadedPolicy(policy, own.content.tests, own.document.file)


def _last(values: Iterable[Value | None], default: Value) -> Value:
    """Scalars: the child wins."""
    given = [value for value in values if value is not None]
    return given[-1] if given else default


def _revision(layers: Sequence[_Layer]) -> str:
    digest = hashlib.sha256()
    for layer in layers:
        unused = _CAME_LATER - layer.content.model_fields_set
        digest.update(layer.content.model_dump_json(exclude=set(unused)).encode())
    return f"sha256:{digest.hexdigest()[:12]}"


def _retention(own: _Layer, contents: Sequence[PolicyDocument]) -> tuple[int, int]:
    """How many days rows and bodies are kept. A body never outlives its row, and nobody may ask for that."""
    rows = _last((c.audit.retain for c in contents), RETAIN_DAYS)
    bodies = _last((c.audit.retain_bodies for c in contents), RETAIN_BODIES_DAYS)
    if own.content.audit.retain_bodies is not None and bodies > rows:
        problem = f"bodies go with their row, which is kept for {rows} days: retain_bodies is longer"
        raise own.document.complain(("audit", "retain_bodies"), problem)
    return rows, min(rows, bodies)


def _unscanned(contents: Sequence[PolicyDocument]) -> dict[Unscanned, ActionName]:
    merged = dict.fromkeys(Unscanned, ActionName.BLOCK)
    for content in contents:
        merged |= content.unscanned.given()
    return merged


def _limits(contents: Sequence[PolicyDocument]) -> PolicyLimits:
    return PolicyLimits(
        requests=_last((c.limits.requests for c in contents), None),
        text=_last((c.limits.text for c in contents), TEXT_LIMIT),
        body=_last((c.limits.body for c in contents), BODY_LIMIT),
    )


def _routes(contents: Sequence[PolicyDocument]) -> tuple[OpenRoute, ...]:
    """A child's list replaces its parent's. What is said word for word goes before what a placeholder stands for."""
    routes = [
        OpenRoute(item.path, frozenset(item.methods), item.dialect)
        for item in _last((content.routes for content in contents), ())
    ]
    return tuple(sorted(routes, key=lambda route: route.has_id))


def _leakage(contents: Sequence[PolicyDocument]) -> Leakage:
    return Leakage(
        canary=_last((c.leakage.canary for c in contents), False),
        fingerprints=_last((c.leakage.fingerprints for c in contents), False),
        words=_last((c.leakage.words for c in contents), QUOTED_WORDS),
        hosts=tuple(dict.fromkeys(host for c in contents for host in c.leakage.hosts)),
    )


def _merged_rules(layers: Sequence[_Layer]) -> list[RuleDocument]:
    """A child's rule with a parent's id replaces it where it stands; `disable` removes it."""
    merged: dict[str, RuleDocument] = {}
    for layer in layers:
        for index, name in enumerate(layer.content.disable):
            if name not in merged:
                problem = f"there is no rule '{name}' to disable{nearest(name, list(merged))}"
                raise layer.document.complain(("disable", index), problem, of_key=False)
            del merged[name]
        merged |= {rule.id: rule for rule in layer.content.rules}
    return list(merged.values())


def _rule(document: RuleDocument) -> Rule:
    when = document.when
    match = Match(
        category=frozenset(when.category),
        origin=frozenset(when.origin),
        direction=when.direction,
        rule=frozenset(when.rule),
        tag=frozenset(when.tag),
        kind=frozenset(when.kind),
        min_confidence=when.min_confidence,
        min_severity=when.min_severity,
    )
    return Rule(document.id, match, ActionName(document.action))


def _exclusion(document: ExclusionDocument) -> Exclusion:
    content = document.content.removeprefix("hmac:") if document.content else None
    return Exclusion(document.rule, document.origin, content, document.until, document.owner, document.reason)


def _check_references(layer: _Layer, known_rules: frozenset[str]) -> None:
    """Duplicate ids and routes, unknown signature ids: all are typing errors that would silently do nothing."""
    rules, routes = layer.content.rules, layer.content.routes or ()
    for index, route in enumerate(routes):
        if (route.path, route.dialect) in {(earlier.path, earlier.dialect) for earlier in routes[:index]}:
            raise layer.document.complain(("routes", index, "path"), f"route '{route.path}' is opened twice")
    for name, count in Counter(rule.id for rule in rules).items():
        if count > 1:
            index = max(i for i, rule in enumerate(rules) if rule.id == name)
            raise layer.document.complain(("rules", index, "id"), f"rule '{name}' is defined twice")
    named: list[tuple[tuple[str | int, ...], str]] = [
        (("rules", i, "when", "rule"), name) for i, rule in enumerate(rules) for name in rule.when.rule
    ]
    named += [(("exclusions", i, "rule"), item.rule) for i, item in enumerate(layer.content.exclusions)]
    for loc, name in named:
        if known_rules and name not in known_rules:
            problem = f"unknown detection rule '{name}'{nearest(name, sorted(known_rules))}"
            raise layer.document.complain(loc, problem)
