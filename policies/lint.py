"""Remarks on a policy that loads, its rules among them: those that can never decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final

from detectors.documents import nearest
from detectors.language import LANGUAGES
from detectors.models.harm_model import SEVERITY as HARM_SEVERITY
from detectors.models.harm_model import USERS
from detectors.rules import RuleSet, Signature
from detectors.types import Category, Direction
from policies.loader import LoadedPolicy
from policies.remarks import remarks as policy_remarks
from policies.types import Match, Rule

# What nobody but signatures finds: of everything else models and judges may be as sure as they like.
_BY_SIGNATURES: Final = frozenset({Category.CREDENTIAL, Category.PII})


@dataclass(frozen=True, slots=True)
class Remark:
    """What is odd, and about which rule of the policy (empty: none)."""

    rule: str
    text: str


def remarks(loaded: LoadedPolicy, rules: RuleSet, today: date) -> tuple[Remark, ...]:
    """Return what an author should look at again, about the rules of the file itself and about the whole policy."""
    own = [rule for rule in loaded.policy.rules if rule.id in loaded.own_rules]
    found = [remark for rule in own for remark in _about(rule, loaded.policy.rules, rules.of(Category))]
    found += [Remark("", text) for text in policy_remarks(loaded.policy, today)]
    return tuple(found)


def _about(rule: Rule, rules: Sequence[Rule], signatures: Sequence[Signature]) -> Iterator[Remark]:
    unreachable = _unreachable(rule.match, signatures) or _never_asked(rule.match) or _never_guessed(rule)
    if unreachable is not None:
        yield Remark(rule.id, f"rule '{rule.id}' can never apply: {unreachable}")
        return
    before = True
    for other in rules:
        if other is rule:
            before = False
        elif _takes_everything(other, rule, before=before):
            yield Remark(rule.id, f"rule '{rule.id}' never decides: rule '{other.id}' {_why(other, rule)}")
            return


def _why(other: Rule, rule: Rule) -> str:
    if other.action is rule.action:
        return f"before it asks for {other.action} of all that it matches"
    return f"asks for {other.action}, which is heavier, of all that it matches"


def _unreachable(match: Match, signatures: Sequence[Signature]) -> str | None:
    """Return why nothing that is ever found can match, None if something can."""
    kinds = {signature.kind for signature in signatures}
    tags = {tag for signature in signatures for tag in signature.tags}
    for what, wanted, known in (("finds kind", match.kind, kinds), ("has the tag", match.tag, tags)):
        for name in wanted if len(wanted) == 1 else ():
            hints = [nearest(spelled, sorted(known)) for spelled in (name, name.lower(), name.upper())]
            if name not in known and (hint := next(filter(None, hints), "")):
                return f"no signature {what} '{name}'{hint}"
    only = bool(match.category) and match.category <= _BY_SIGNATURES
    named = bool(match.rule) and match.rule <= {signature.id for signature in signatures}
    if not only and not named:
        return None
    possible = [s for s in signatures if _may_match(match, s)]
    if not possible:
        return "no signature finds what it asks for"
    surest = max(signature.confidence for signature in possible)
    if surest < match.min_confidence:
        return f"min_confidence is {match.min_confidence:g}, and no detector is surer than {surest:g}"
    return None


def _never_asked(match: Match) -> str | None:
    """Return why no request for harm can match a rule that is about nothing else."""
    if match.category != {Category.HARMFUL_REQUEST}:
        return None
    if match.direction is Direction.RESPONSE or (match.origin and match.origin.isdisjoint(USERS)):
        return "only what users ask for is a harmful_request"
    if match.min_severity > HARM_SEVERITY:
        return f"a harmful_request has the severity {HARM_SEVERITY.name.lower()}"
    return None


def _never_guessed(rule: Rule) -> str | None:
    """Return why nobody is ever taken to speak what a rule asks for."""
    wanted = rule.where.language if rule.where is not None else frozenset[str]()
    if not wanted or not wanted.isdisjoint(LANGUAGES):
        return None
    return f"no request is taken to be in '{min(wanted)}' (only {', '.join(sorted(LANGUAGES))})"


def _may_match(match: Match, signature: Signature) -> bool:
    """Tell whether a signature's claims can have everything but the confidence."""
    return (
        (not match.category or signature.category in match.category)
        and (not match.rule or signature.id in match.rule)
        and (not match.kind or signature.kind in match.kind)
        and (not match.tag or not match.tag.isdisjoint(signature.tags))
        and signature.severity >= match.min_severity
        and (not match.origin or any(signature.reads_origin(origin) for origin in match.origin))
    )


def _takes_everything(other: Rule, rule: Rule, *, before: bool) -> bool:
    """Tell whether another rule decides wherever this one would, so that this one's action counts nowhere."""
    heavier = other.action.weight > rule.action.weight or (before and other.action is rule.action)
    if not heavier or _has_more(other, but=()) or _has_more(rule, but=("where", "condition")):
        return False
    return all(
        _wider(field.name, getattr(other.match, field.name), getattr(rule.match, field.name)) for field in fields(Match)
    )


def _has_more(rule: Rule, *, but: Sequence[str]) -> bool:
    """Tell whether a rule has conditions or effects beside its match and action, apart from those named."""
    plain = ("id", "match", "action", *but)
    return any(getattr(rule, field.name) for field in fields(Rule) if field.name not in plain)


def _wider(name: str, other: Any, own: Any) -> bool:
    """Tell whether a condition lets through all that another one of the same name does."""
    if isinstance(other, frozenset):
        return not other or (bool(own) and own <= other)
    if name.startswith("min_"):
        return bool(other <= own)
    if name.startswith("max_"):
        return other is None or (own is not None and bool(own <= other))
    return other is None or bool(other == own)
