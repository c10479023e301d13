"""The Anthropic dialect's vocabulary and its ways to say no (messages API; error shape as the SDK reads it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.types import Place
from policies.types import Verdict
from proxy.bodies.pointer import param
from proxy.codec import JsonObject, Refusal, Usage
from proxy.providers import _openai_shapes

# Keys that the API itself defines. They carry nobody's text, so they are skipped by rule; every other key is scanned.
VOCABULARY: Final = frozenset(
    """
    model messages role content type text system max_tokens metadata user_id stop_sequences stream temperature top_p
    top_k thinking budget_tokens display signature data redacted_thinking tools tool_choice name description
    input_schema input_examples input properties required enum items additionalProperties strict id tool_use_id
    tool_name is_error source media_type url file_id title context citations enabled cited_text document_index
    document_title start_char_index end_char_index start_page_number end_page_number start_block_index end_block_index
    search_result_index encrypted_index encrypted_content encrypted_stdout page_age retrieved_at stdout stderr
    return_code error_code error_message file_type lines num_lines start_line total_lines old_lines old_start new_lines
    new_start is_file_update cache_control ttl caller tool_id tool_references container skills skill_id version
    expires_at service_tier inference_geo mcp_servers authorization_token tool_configuration allowed_tools server_name
    mcp_server_name output_config output_format effort format schema context_management edits trigger keep
    instructions disable_parallel_tool_use max_uses allowed_domains blocked_domains user_location city region country
    timezone max_content_tokens max_characters display_width_px display_height_px display_number enable_zoom
    defer_loading allowed_callers eager_input_streaming fallbacks thread previous_message_id user_profile_id
    diagnostics speed compaction stop_reason stop_sequence stop_details category explanation usage input_tokens
    output_tokens cache_creation cache_creation_input_tokens cache_read_input_tokens ephemeral_5m_input_tokens
    ephemeral_1h_input_tokens server_tool_use web_search_requests web_fetch_requests output_tokens_details
    thinking_tokens iterations applied_edits message index content_block delta partial_json citation error request_id
    requests custom_id params result results_url processing_status request_counts processing succeeded errored canceled
    expired ended_at archived_at cancel_initiated_at
    code param has_more first_id last_id display_name created_at max_input_tokens capabilities supported
    """.split()
)
_ERROR_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_PROMPT_COUNTS: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def error_body(status: int, code: str, message: str, param: str | None = None) -> JsonObject:
    """Return an error; `code` and `param` are extra keys, which SDKs leave alone and programs may read."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message, "code": code}
    return {"type": "error", "error": error if param is None else {**error, "param": param}}


def refusal_body(refusal: Refusal) -> JsonObject:
    """Return the 400 of a block: it tells what the OpenAI dialect's would, with places in this dialect's words."""
    told = _openai_shapes.refusal_body(refusal)["error"]
    error = error_body(400, told["code"], told["message"], told["param"] and _place(refusal.verdict))
    error["error"]["innererror"] = told["innererror"]
    return error


def notice(refusal: Refusal) -> str:
    """Return the sentence that says what was blocked."""
    return _openai_shapes.told_of(refusal).sentence


def stop_details(refusal: Refusal) -> JsonObject:
    """Return what stands beside `stop_reason: refusal`."""
    return {"type": "refusal", "category": None, "explanation": notice(refusal)}


def usage_of(counts: object) -> Usage | None:
    """Return a `usage` object's counts, None if there is none; tokens read from or into a cache are the prompt's too.

    Source: docs.anthropic.com/en/docs/build-with-claude/prompt-caching.
    """
    if not isinstance(counts, dict):
        return None
    prompt = [count for name in _PROMPT_COUNTS if (count := _openai_shapes.count_of(counts.get(name))) is not None]
    return Usage(sum(prompt) if prompt else None, _openai_shapes.count_of(counts.get("output_tokens")))


def param_of(pointer: str) -> str:
    return param(pointer, VOCABULARY)


def _place(verdict: Verdict) -> str | None:
    stops = (judged.finding.segment for judged in verdict.judged if judged.action is verdict.intended_action)
    return next((param_of(segment.pointer) for segment in stops if segment.place is not Place.KEY), None)
