"""The OpenAI dialect's vocabulary and its ways to say no (chat completions API; error shape as the SDK reads it)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from detectors.types import Direction
from policies.types import Disclose, Judged, StopReason
from proxy.bodies.pointer import param
from proxy.codec import Refusal, Usage
from proxy.providers._openai_words import ENDPOINT_WORDS

JsonObject = dict[str, Any]
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:/+-]{0,128}")
# A credential has a longer run than a name has, and an address is one.
_MODEL: Final = re.compile(r"(?!.*[A-Za-z0-9]{16})(?!.*@.*\.[A-Za-z]{2})[A-Za-z0-9._:/@+~-]{0,128}")
DOCS = "docs/blocks.md"  # in the project's own folder

# Keys that the API itself defines. They carry nobody's text, so they are skipped by rule; every other key is scanned.
VOCABULARY = ENDPOINT_WORDS | frozenset(
    """
    model models messages role content type text name tool_calls tool_call_id id function arguments parameters
    description properties required enum items additionalProperties tools functions function_call tool_choice
    parallel_tool_calls stream stream_options include_usage include_obfuscation temperature top_p top_k min_p n stop
    max_tokens max_completion_tokens presence_penalty frequency_penalty repetition_penalty logit_bias logprobs
    top_logprobs user seed response_format json_schema schema strict metadata store modalities audio prediction
    reasoning reasoning_effort effort verbosity service_tier safety_identifier prompt_cache_key web_search_options
    image_url url detail input_audio data format file file_data file_id filename refusal provider plugins route
    transforms usage include choices index message delta finish_reason native_finish_reason object created
    system_fingerprint prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details
    cached_tokens audio_tokens reasoning_tokens accepted_prediction_tokens rejected_prediction_tokens
    reasoning_content reasoning_details summary annotations url_citation title start_index end_index custom input
    grammar definition syntax error code param owned_by permission
    """.split()
)


def names_a_model(value: object) -> bool:
    """Tell a model's name that says nothing beside: it is held against the allow-list, and not read as text."""
    return isinstance(value, str) and _MODEL.fullmatch(value) is not None


def error_body(status: int, code: str, message: str, param: str | None = None) -> JsonObject:
    kind = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    fallback = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind.get(status, fallback), "param": param, "code": code}}


class Told(NamedTuple):
    """What stopped it, by which categories (or reasons why nobody could look), and the sentence that says so."""

    stops: list[Judged]
    categories: list[str]
    sentence: str


def told_of(refusal: Refusal) -> Told:
    """Return what is told of a block in every dialect; it grows with `disclose`, and what was found is never quoted."""
    verdict, disclose = refusal.verdict, refusal.disclose
    stops = [judged for judged in verdict.judged if judged.action is verdict.intended_action]
    subject = "Request" if refusal.direction is Direction.REQUEST else "Answer"
    unscanned = verdict.stop_reason is StopReason.UNSCANNED
    categories = sorted(map(str, verdict.unscanned if unscanned else {j.finding.hit.category for j in stops}))
    told = f" ({', '.join(categories)})" if categories and disclose is not Disclose.ID else ""
    return Told(stops, categories, refusal.text or f"{subject} blocked by policy{told}")


def refusal_body(refusal: Refusal) -> JsonObject:
    """Return the 400 of a block. What it tells grows with `disclose`; what was found is never quoted."""
    verdict, disclose = refusal.verdict, refusal.disclose
    stops, categories, sentence = told_of(refusal)
    body = error_body(400, "content_filter", sentence, _place(stops, disclose))
    inner: JsonObject = {"code": "PromptShieldPolicyViolation", "decision_id": refusal.decision_id}
    if disclose is not Disclose.ID:
        inner["content_filter_result"] = _filter_result(stops, categories, disclose)
    if disclose is Disclose.FULL:
        inner |= {"policy": f"{verdict.policy_id}@{verdict.policy_revision}", "docs": DOCS}
    body["error"]["innererror"] = inner
    return body


def is_fact(value: object) -> bool:
    """Tell a flag, a count, a time or an identifier, in which no text has room."""
    if isinstance(value, str):
        return _IDENTIFIER.fullmatch(value) is not None
    return value is None or isinstance(value, int | float)


def usage_of(body: JsonObject) -> Usage | None:
    """Return the token counts of an answer or of a stream's event, None where it has none."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    asked, said = (
        ("prompt_tokens", "completion_tokens") if "prompt_tokens" in usage else ("input_tokens", "output_tokens")
    )
    return Usage(count_of(usage.get(asked)), count_of(usage.get(said)))


def count_of(value: object) -> int | None:
    """Return a number of tokens, None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def param_of(pointer: str) -> str:
    return param(pointer, VOCABULARY)


def _place(stops: Iterable[Judged], disclose: Disclose) -> str | None:
    # A key's own pointer would repeat the key, which is the client's text and may be what was found.
    found = next((item for item in stops if item.finding.segment.place != "key"), None)
    if found is None or disclose is Disclose.ID or found.finding.segment.direction is Direction.RESPONSE:
        return None
    return param_of(found.finding.segment.pointer)


def _filter_result(stops: Iterable[Judged], categories: Iterable[str], disclose: Disclose) -> JsonObject:
    result: dict[str, Mapping[str, object]] = {name: {"detected": True, "filtered": True} for name in categories}
    if disclose is Disclose.FULL:
        for judged in sorted(stops, key=lambda item: item.finding.hit.severity):
            hit = judged.finding.hit
            result[hit.category] = {**result.get(hit.category, {}), "severity": hit.severity.name.lower()}
    return dict(result)
