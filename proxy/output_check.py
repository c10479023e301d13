"""Holding an answer as a whole against the policy's `output`: what is said in it, be it one document or a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from policies.answer_schema import LONGEST_ANSWER
from policies.output import OutputRules, output_findings
from policies.types import Effect, Mode, Policy, Verdict
from proxy.codec import JsonObject, StreamReader
from proxy.exchange import Exchange
from proxy.parts import Parts
from proxy.pseudonyms.restorable import SPOKEN, Layout

# What a model thinks, or why it declines, is no answer.
_ASIDE: Final = frozenset({"refusal", "reasoning", "reasoning_content", "summary", "instructions", "thought"})


def said_texts(document: JsonObject, layout: Layout) -> list[str]:
    """Return the texts of an answer that are said to somebody, in order, without thoughts and refusals."""
    said = []
    for holder, key, use in layout.places(document):
        thought = holder.get("thought") is True or str(holder.get("type", "")).startswith(("reasoning", "summary"))
        text = holder.get(key)
        if use is SPOKEN and key not in _ASIDE and not thought and isinstance(text, str) and text:
            said.append(text)
    return said


class SaidInStream:
    """Puts together what the channels of a stream say, as far as rules on answers can ask for it."""

    def __init__(self, reader: StreamReader, rules: OutputRules) -> None:
        self._reader = reader
        self._most = max(LONGEST_ANSWER, rules.max_length or 0) + 1
        self._said: dict[str, str] = {}

    def hear(self, channel: str, text: str) -> None:
        """Take in what goes out next on a channel."""
        if _is_said(self._reader, channel):
            known = self._said.get(channel, "")
            self._said[channel] = known if len(known) >= self._most else known + text

    @property
    def texts(self) -> list[str]:
        return [text for text in self._said.values() if text]


def _is_said(reader: StreamReader, channel: str) -> bool:
    return reader.use_of(channel) is SPOKEN and _ASIDE.isdisjoint(channel.split("/"))


def verdict_on(parts: Parts, exchange: Exchange, policy: Policy, texts: Sequence[str]) -> Verdict | None:
    """Return what the policy makes of an answer's texts as a whole, None where they are as it wants them."""
    if policy.output is None or policy.mode is Mode.OFF:
        return None
    findings = tuple(output_findings(policy.output, texts))
    return parts.screen.weigh(findings, policy, exchange.facts()) if findings else None


def joined(verdict: Verdict, whole: Verdict) -> Verdict:
    """Return the verdict on an answer's parts, none of which stops it, with that on the whole."""
    stop = whole.effect.stop
    heavier = whole if whole.intended_action.weight > verdict.intended_action.weight else verdict
    labels = tuple(sorted({*verdict.effect.labels, *whole.effect.labels}))
    return replace(
        verdict,
        action=max(verdict.action, whole.action, key=lambda action: action.weight),
        intended_action=heavier.intended_action,
        effect=Effect(stop=True, labels=labels) if stop else replace(verdict.effect, labels=labels),
        judged=(*verdict.judged, *whole.judged),
        stop_reason=whole.stop_reason if stop else verdict.stop_reason,
        review=verdict.review or whole.review,
    )
