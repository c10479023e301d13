"""OpenGuardrails' `/v1/evaluate`: one step of an agent, with the body that goes to or came from a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.errors import EdgeError
from detectors.types import Direction, Severity
from policies.types import ActionName
from proxy.codec import Codec, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, model_of, object_of

_STEPS: Final = {"step/request": Direction.REQUEST, "step/response": Direction.RESPONSE}
# What `llm_protocol` says, and which of our codecs reads such bodies.
_PROTOCOLS: Final = {
    "openai.chat": "openai_chat",
    "openai.responses": "openai_responses",
    "openai.completions": "openai_completions",
    "anthropic.messages": "anthropic_messages",
    "google.generate_content": "gemini_generate",
}


class OpenGuardrails(Contract):
    """The step's body is the neighbour's own, so a mask is told as spans of it, with what belongs there."""

    name = "openguardrails"
    paths = ("/v1/evaluate",)

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        direction = _STEPS.get(str(call.get("kind")))
        if direction is None:
            raise EdgeError(400, "invalid_request", "'kind' must be 'step/request' or 'step/response'.", "kind")
        payload = object_of(call, "payload")
        wanted = _PROTOCOLS.get(str(call.get("llm_protocol")))
        codec = next((codec for codec in codecs if codec.name == wanted), None)
        if codec is None:
            known = ", ".join(_PROTOCOLS)
            raise EdgeError(400, "invalid_request", f"'llm_protocol' must be one of {known}.", "llm_protocol")
        return Asked(payload, codec.segments(payload, direction), ("/",), model=model_of(payload))

    def answer(self, reply: Reply) -> JsonObject:
        decision = "block" if reply.stops else "modify" if reply.edited else "allow"
        findings = [
            {"id": category, "confidence": confidence, "severity": _severity(reply, category)}
            for category, confidence in reply.told().items()
        ]
        answer: JsonObject = {"decision": decision, "decision_id": reply.decision_id, "findings": findings}
        if reply.reason:
            answer["reason"] = reply.reason
        if reply.edited and not reply.stops:
            answer["modifications"] = {"spans": _spans(reply), "payload": reply.document}
        return answer

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        named = {401: "unauthorized", 429: "rate_limited"}.get(status, code)
        return {"error": named, "message": message}


def _severity(reply: Reply, category: str) -> str:
    hits = [judged.finding.hit for judged in reply.verdict.judged if judged.action is not ActionName.ALLOW]
    return max((hit.severity for hit in hits if hit.category == category), default=Severity.LOW).name.lower()


def _spans(reply: Reply) -> list[JsonObject]:
    return [
        {
            "pointer": edit.pointer,
            "start": edit.span.start,
            "end": edit.span.end,
            "replacement": edit.replacement,
        }
        for edit in reply.verdict.effect.edits
    ]


HOOK: Hook = OpenGuardrails()
