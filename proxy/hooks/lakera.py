"""Lakera Guard's `/v2/guard`: a conversation in, `flagged` and a breakdown by detector out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from policies.types import ActionName
from proxy.codec import Codec, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, conversation, messages_of

# Lakera's names of what detectors look for; ours stand where it has none.
_DETECTORS: Final = {
    "prompt_injection": "prompt_attack",
    "jailbreak": "prompt_attack",
    "system_prompt_leak": "prompt_attack",
    "data_extraction": "prompt_attack",
    "pii": "pii/promptshield",
    "credential": "pii/credential",
    "exfiltration": "unknown_links",
}


class Lakera(Contract):
    """Lakera flags and leaves it to the caller to act, so whatever the policy stops or edits is flagged."""

    name = "lakera"
    paths = ("/v2/guard",)

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        return conversation(messages_of(call))

    def answer(self, reply: Reply) -> JsonObject:
        answer: JsonObject = {"flagged": reply.stops, "metadata": {"request_uuid": reply.decision_id}}
        answer["breakdown"] = [
            {
                "project_id": "promptshield",
                "policy_id": reply.verdict.policy_id,
                "detector_id": f"promptshield-{category}",
                "detector_type": _DETECTORS.get(category, category),
                "detected": True,
            }
            for category in reply.told()
        ]
        told = reply.told()
        found = [
            judged.finding.hit for judged in reply.verdict.judged if judged.action is not ActionName.ALLOW and told
        ]
        spans = {(hit.span.start, hit.span.end, str(hit.category), hit.kind) for hit in found if hit.span is not None}
        answer["payload"] = [
            {"start": start, "end": end, "detector_type": _DETECTORS.get(category, category), "labels": [kind]}
            for start, end, category, kind in sorted(spans)
        ]
        return answer


HOOK: Hook = Lakera()
