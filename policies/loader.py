"""From a policy file to a Policy: read, extend, check every reference, compile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from detectors.documents import Document, parse_document, read_document
from detectors.errors import PolicyError
from detectors.lexicon import Lexicon
from detectors.types import CANARY_RULE, Unscanned
from policies.answer_schema import compile_schema
from policies.expectations import TestDocument
from policies.judging_schema import judge_policy, slow_streams
from policies.layers import PRESETS, Layer, Library, preset_names, shipped_file
from policies.leakage import Leakage
from policies.lexicon import asks_for_harm, lexicon_of
from policies.limits_schema import policy_limits
from policies.output import RULE_IDS, OutputRules
from policies.platform_file import PLATFORM, PlatformFile, platform_file
from policies.references import check_references, check_risk, check_routed
from policies.risk_schema import risk_policy
from policies.routes import OpenRoute
from policies.rule_merge import merged_rules
from policies.schema import ExclusionDocument, PolicyDocument
from policies.stepping import risk_rules
from policies.types import (
    ActionName,
    AuditLevel,
    BlockAs,
    Candidate,
    Credentials,
    Disclose,
    Exclusion,
    FailureMode,
    Match,
    Mode,
    Policy,
    References,
    Rule,
    StoredForm,
)
from policies.webhooks import Webhook

__all__ = ["PRESETS", "preset_names"]  # which everybody asks for here
RETAIN_DAYS: Final = 90
RETAIN_BODIES_DAYS: Final = 30
QUOTED_WORDS: Final = 12
# Of every policy that has a canary, whatever it says beside: a canary that reaches a client is one no more.
_CANARY: Final = Rule("canary", Match(rule=frozenset({CANARY_RULE})), ActionName.MASK)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy with what belongs to its file: its own tests, and the operator's files that it is made of."""

    policy: Policy
    tests: tuple[TestDocument, ...]
    file: Path
    sources: tuple[Path, ...] = ()
    own_rules: tuple[str, ...] = ()  # the ids of the rules that stand in the file itself

    def looking_for(self, added: Callable[[Lexicon], Lexicon]) -> LoadedPolicy:
        """Return it with what is looked for beside its own words: its tenant's signatures, as its tests need them."""
        return replace(self, policy=replace(self.policy, lexicon=added(self.policy.lexicon)))


def load_policy(
    file: Path, policy_id: str, known_rules: Iterable[str] = (), library: Library | None = None
) -> LoadedPolicy:
    """Load one file. `known_rules` are the signature ids that rules and exclusions may name; `library` has what it
    extends, and the platform's file. Raises PolicyError.
    """
    return _load(read_document(file, PolicyError), policy_id, frozenset(known_rules), library or Library())


def load_policy_text(
    text: str, file: Path, policy_id: str, known_rules: Iterable[str] = (), library: Library | None = None
) -> LoadedPolicy:
    """Like `load_policy`, from memory. Raises PolicyError."""
    return _load(parse_document(text, file, PolicyError), policy_id, frozenset(known_rules), library or Library())


def load_preset(name: str) -> LoadedPolicy:
    """Load `preset/standard` and the like. Raises PolicyError."""
    return load_policy(shipped_file(name), name)


def _load(document: Document, policy_id: str, known_rules: frozenset[str], library: Library) -> LoadedPolicy:
    layers = library.layers(document, policy_id)
    platform = _platform(document, library)
    candidate = _candidate(layers[-1], policy_id, known_rules, library)
    lexicon, word_files = lexicon_of(
        [(layer.document, layer.content.levels, layer.content.keywords) for layer in layers]
    )
    policy = _compile(layers, policy_id, known_rules, platform, None if candidate is None else candidate[0], lexicon)
    files = [layer.document.file for layer in layers if layer.kind == "file"]
    files += word_files
    files += [] if platform is None else [platform.document.file]
    files += [] if candidate is None else candidate[1]
    own = layers[-1]
    own_rules = tuple(rule.id for rule in own.rules)
    return LoadedPolicy(policy, own.content.tests, document.file, tuple(dict.fromkeys(files)), own_rules)


def _platform(document: Document, library: Library) -> PlatformFile | None:
    file = library.beside(document.file, PLATFORM)
    if file is None:
        return None

    def read() -> PlatformFile:
        return platform_file(read_document(file, PolicyError), library.layers)

    return library.kept(file, PLATFORM, read, lambda platform: platform.layers)


def _candidate(
    own: Layer, policy_id: str, known_rules: frozenset[str], library: Library
) -> tuple[Candidate, tuple[Path, ...]] | None:
    """Return the policy that is decided beside this one, and its files. It has none of its own."""
    wanted = own.content.candidate
    if wanted is None:
        return None
    at = ("candidate", "policy")
    file = library.find(own.document, wanted.policy, at, policy_id.partition("/")[0])
    document = read_document(file, PolicyError)
    if "candidate" in document.content:
        raise document.complain(("candidate",), "a candidate has no candidate of its own")
    loaded = _load(document, policy_id, known_rules, library)
    return Candidate(loaded.policy, wanted.until, wanted.sample, wanted.rollout), loaded.sources


def _compile(
    layers: Sequence[Layer],
    policy_id: str,
    known_rules: frozenset[str],
    platform: PlatformFile | None,
    candidate: Candidate | None,
    lexicon: Lexicon,
) -> Policy:
    listed = frozenset(item.rule_id for item in lexicon.keywords)
    for layer in layers:
        check_references(layer, known_rules | listed if known_rules else known_rules)
    own = layers[-1]
    contents = [layer.content for layer in layers]
    mode = _last((c.mode for c in contents), Mode.ENFORCE)
    rules = merged_rules(layers)
    if not rules and mode is not Mode.OFF:
        # Above all a file that was cut to nothing, or that forgot to extend.
        problem = "a policy without rules lets everything pass: extend a preset (extends: preset/standard) or add rules"
        raise own.document.complain((), problem)
    if platform is not None:
        platform.hold(layers, rules)
    check_routed(own, rules, _models(contents, platform))
    revision = _revision(layers, candidate, lexicon, platform)
    policy = _policy(layers, contents, policy_id, revision, rules, platform, candidate)
    policy = replace(policy, lexicon=lexicon.with_harm() if asks_for_harm(policy) else lexicon)
    check_risk(own, policy)
    return policy


def _policy(
    layers: Sequence[Layer],
    contents: Sequence[PolicyDocument],
    policy_id: str,
    revision: str,
    rules: Sequence[Rule],
    platform: PlatformFile | None,
    candidate: Candidate | None,
) -> Policy:
    retain_days, retain_bodies_days = _retention(layers[-1], contents)
    leakage, limits, output = _leakage(contents), policy_limits([c.limits for c in contents]), _output(layers)
    risk = risk_policy([c.risk for c in contents])
    return Policy(
        id=policy_id,
        revision=revision,
        mode=_last((c.mode for c in contents), Mode.ENFORCE),
        failure_mode=_last((c.failure_mode for c in contents), FailureMode.CLOSED),
        unscanned=_unscanned(contents),
        models=_models(contents, platform),
        limits=limits if platform is None else platform.bounded(limits),
        rules=(
            *risk_rules(risk),
            *rules,
            *([_CANARY] if leakage.canary else []),
            *([] if output is None else [output[1]]),
        ),
        output=None if output is None else output[0],
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
        risk=risk,
        candidate=candidate,
        webhooks=_webhooks(contents, platform),
        preamble=_last((c.preamble for c in contents), ""),
        refusals={language: text for c in contents for language, text in c.refusals.items()},
    )


def _models(contents: Sequence[PolicyDocument], platform: PlatformFile | None) -> tuple[str, ...]:
    return _last((c.models.allow for c in contents), ("*",) if platform is None else platform.models)


def _last(values: Iterable[Value | None], default: Value) -> Value:
    """Scalars: the child wins."""
    given = [value for value in values if value is not None]
    return given[-1] if given else default


def _revision(
    layers: Sequence[Layer], candidate: Candidate | None, lexicon: Lexicon, platform: PlatformFile | None
) -> str:
    digest = hashlib.sha256()
    if platform is not None:  # its ceilings are a part of what is in force
        digest.update(platform.digest)
    for layer in layers:
        digest.update(layer.digest)
    if candidate is not None:
        digest.update(candidate.policy.revision.encode())
    digest.update(lexicon.revision.encode())  # words may stand in files of their own
    return f"sha256:{digest.hexdigest()[:12]}"


def _retention(own: Layer, contents: Sequence[PolicyDocument]) -> tuple[int, int]:
    """How many days rows and bodies are kept. A body never outlives its row, and nobody may ask for that."""
    rows = _last((c.audit.retain for c in contents), RETAIN_DAYS)
    bodies = _last((c.audit.retain_bodies for c in contents), RETAIN_BODIES_DAYS)
    if own.content.audit.retain_bodies is not None and bodies > rows:
        problem = f"bodies go with their row, which is kept for {rows} days: retain_bodies is longer"
        raise own.document.complain(("audit", "retain_bodies"), problem)
    return rows, min(rows, bodies)


def _output(layers: Sequence[Layer]) -> tuple[OutputRules, Rule] | None:
    """Return the last word on answers, and the rule that says what is done about them."""
    layer = next((layer for layer in reversed(layers) if layer.content.output is not None), None)
    wanted = None if layer is None else layer.content.output
    if layer is None or wanted is None:
        return None
    try:
        schema = None if wanted.json_schema is None else compile_schema(wanted.json_schema)
    except ValueError as exc:
        raise layer.document.complain(("output", "schema"), f"output.schema: {exc}") from None
    rule = Rule("output", Match(rule=frozenset(RULE_IDS)), ActionName(wanted.action))
    return OutputRules(wanted.max_length, wanted.links, schema), rule


def _webhooks(contents: Sequence[PolicyDocument], platform: PlatformFile | None) -> tuple[Webhook, ...]:
    networks = () if platform is None else platform.content.webhook_networks
    return tuple(Webhook(item.url, frozenset(item.on), networks) for content in contents for item in content.webhooks)


def _unscanned(contents: Sequence[PolicyDocument]) -> dict[Unscanned, ActionName]:
    merged = dict.fromkeys(Unscanned, ActionName.BLOCK)
    for content in contents:
        merged |= content.unscanned.given()
    return merged


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


def _exclusion(document: ExclusionDocument) -> Exclusion:
    content = document.content.removeprefix("hmac:") if document.content else None
    return Exclusion(document.rule, document.origin, content, document.until, document.owner, document.reason)
