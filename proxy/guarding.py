"""Between question and answer: a canary is put behind the system prompt, and what no answer must say is noted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from detectors.canary import canary_of, canary_sentence, without_sentence
from detectors.types import Direction, Kind, Origin, Place, Segment
from policies.preamble import framed, without_preamble
from policies.types import Mode, Policy
from proxy.bodies.pointer import resolve_parent
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject
from proxy.exchange import Exchange


def guard_answer(exchange: Exchange, policy: Policy, codec: Codec, document: JsonObject, walk: Walk) -> None:
    """Note what the answer to a request, which was screened and edited, is held against.

    What is added here was not written by the client: the policy's preamble, which was screened when that was
    loaded, and the sentence with the canary, which holds nothing of anybody's. Under `mode: monitor` nothing is added.
    """
    canary, texts = "", [segment for segment in walk.segments if segment.place is Place.VALUE]
    if policy.preamble and policy.mode is Mode.ENFORCE:
        codec.place_preamble(document, framed(policy.preamble))
        texts.append(Segment(Direction.REQUEST, Origin.SYSTEM, Kind.TEXT, Place.VALUE, "", policy.preamble))
    if policy.leakage.canary and policy.mode is Mode.ENFORCE:
        canary = canary_of(exchange.content_key)
        codec.place_canary(document, canary_sentence(canary))
    exchange.guard = policy.leakage.guard(canary, texts, walk.newest_user_texts())


def take_back(document: Any, walk: Walk) -> None:
    """Take what is ours out of an answer, in place, where the provider repeats the request's system prompt.

    It is known by its form: an answer that was stored may have a canary that the policy no longer has. What a model
    says is left alone, for that is what a canary is for.
    """
    if walk.direction is not Direction.RESPONSE:
        return
    changed: dict[int, Segment] = {}
    for segment in walk.segments:
        if segment.origin is Origin.SYSTEM and segment.place is Place.VALUE:
            bare = without_preamble(without_sentence(segment.text))
            if bare != segment.text:
                holder, key = resolve_parent(document, segment.pointer)
                holder[key] = bare or None  # nothing but ours: there was none
                changed[id(segment)] = replace(segment, text=bare)
    if changed:
        walk.segments[:] = _with(walk.segments, changed)
        walk.messages[:] = [_with(message, changed) for message in walk.messages]


def _with(segments: list[Segment], changed: dict[int, Segment]) -> list[Segment]:
    return [segment for segment in (changed.get(id(s), s) for s in segments) if segment.text]
