"""agentgateway's guardrail webhook: `/request` and `/response` (crates/agentgateway/src/llm/policy/webhook.rs)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.types import Direction
from proxy.codec import Codec, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, messages_of, model_of, object_of
from proxy.providers.openai_chat import CODEC as CHAT

_REQUEST: Final = "/request"


class AgentGateway(Contract):
    """An action is told by what it has: a body and a status rejects, a body alone masks, nothing passes."""

    name = "agentgateway"
    paths = (_REQUEST, "/response")

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        body = object_of(call, "body")
        key, direction = ("messages", Direction.REQUEST) if path == _REQUEST else ("choices", Direction.RESPONSE)
        messages_of(body, key)
        return Asked(body, CHAT.segments(body, direction), ("/",), model=model_of(body))

    def answer(self, reply: Reply) -> JsonObject:
        if reply.stops:
            return {"action": {"body": reply.reason, "status_code": 403, "reason": reply.reason}}
        if reply.edited:
            return {"action": {"body": reply.document, "reason": reply.reason}}
        return {"action": {}}


HOOK: Hook = AgentGateway()
