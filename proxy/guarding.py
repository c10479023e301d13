"""Between question and answer: a canary is put behind the system prompt, and what no answer must say is noted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from detectors.canary import canary_of, canary_sentence, without_sentence
from detectors.types import Direction, Origin, Place, Segment
from policies.types import Mode, Policy
from proxy.codec import Codec, JsonObject
from proxy.exchange import Exchange
from proxy.pointer import resolve_parent
from proxy.walk import Walk


def guard_answer(exchange: Exchange, policy: Policy, codec: Codec, document: JsonObject, walk: Walk) -> None:
    """Note what the answer to a request, which was screened and edited, is held against.

    The sentence with the canary is the only text that goes upstream unscanned: it is ours, and holds nothing of
    anybody's. Under `mode: monitor` nothing is changed, so there is no canary.
    """
    canary = ""
    if policy.leakage.canary and policy.mode is Mode.ENFORCE:
        canary = canary_of(exchange.content_key)
        codec.place_canary(document, canary_sentence(canary))
    texts = [segment for segment in walk.segments if segment.place is Place.VALUE]
    exchange.guard = policy.leakage.guard(canary, texts, walk.newest_user_texts())


def take_back(document: Any, walk: Walk) -> None:
    """Take our sentence out of an answer, in place, where the provider repeats the request's system prompt.

    It is known by its form: an answer that was stored may have a canary that the policy no longer has. What a model
    says is left alone, for that is what a canary is for.
    """
    if walk.direction is not Direction.RESPONSE:
        return
    changed: dict[int, Segment] = {}
    for segment in walk.segments:
        if segment.origin is Origin.SYSTEM and segment.place is Place.VALUE:
            bare = without_sentence(segment.text)
            if bare != segment.text:
                holder, key = resolve_parent(document, segment.pointer)
                holder[key] = bare or None  # nothing but ours: there was none
                changed[id(segment)] = replace(segment, text=bare)
    if changed:
        walk.segments[:] = _with(walk.segments, changed)
        walk.messages[:] = [_with(message, changed) for message in walk.messages]


def _with(segments: list[Segment], changed: dict[int, Segment]) -> list[Segment]:
    return [segment for segment in (changed.get(id(s), s) for s in segments) if segment.text]
