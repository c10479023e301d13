"""NeMo Guardrails' checks endpoint: would these messages be blocked, and by which rail."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.types import Direction
from proxy.codec import Codec, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, conversation, messages_of, model_of


class Nemo(Contract):
    """Each category that the policy acts on is a rail of that name. Texts are not taken back: a mask blocks."""

    name = "nemo"
    paths = ("/v1/checks", "/v1/guardrail/checks")

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        return conversation(messages_of(call), model_of(call))

    def answer(self, reply: Reply) -> JsonObject:
        status = "blocked" if reply.stops else "success"
        side = "input" if reply.asked.walk.direction is Direction.REQUEST else "output"
        rails = {f"promptshield {category}": {"status": status} for category in reply.told()}
        return {
            "status": status,
            "rails_status": rails or {f"promptshield {side}": {"status": status}},
            "guardrails_data": {"decision_id": reply.decision_id, "reason": reply.reason},
        }


HOOK: Hook = Nemo()
