"""The Responses API's own words: its keys, its labels, what is plain fact in it, and how it names places."""

from __future__ import annotations

from typing import Final

from proxy.bodies.pointer import param
from proxy.codec import JsonObject
from proxy.providers._openai_shapes import VOCABULARY as CHAT
from proxy.providers._openai_shapes import is_fact

# What this API defines beyond the chat API, and JSON Schema's keywords, which stand in every tool (API reference of
# /v1/responses; the shapes of the official SDK). As there: nobody's text, skipped by rule.
VOCABULARY: Final = CHAT | frozenset(
    """
    access_programs acknowledged_safety_checks action actions after allowed_callers allowed_domains allowed_tools
    always annotation annotation_index applied approval_request_id approve approximate async attributes authorization
    background background_options button bytes cache_missed_tokens cache_write_tokens cache_write_tokens_details
    cached_image_tokens cached_text_tokens cached_tokens_details call_id caller caller_id categories
    category_applied_input_types category_scores changes city code_interpreter command command_index commands
    compact_threshold response_id comparison_response_id comparison_reusable_tokens completed_at connector_id
    container container_id
    content_index context context_compression context_management continuation_id conversation country created_at
    created_by defer_loading deleted delta diff display_height display_width domain domain_secrets embedding_weight
    encrypted_content env environment error_type execution exit_code expires_after expires_at external_web_access
    file_ids file_url filters fingerprint first_id flagged frame_count frame_duration_ms generate generate_summary
    has_more headers hybrid_search image image_gen image_generation image_tokens incomplete_details input_fidelity
    input_image_mask input_schema input_tokens input_tokens_details input_transformations instructions item item_id key
    keys last_id limit local_shell logprob logs max_num_results max_output_length max_output_tokens max_tool_calls mcp
    media_type memory_limit misalignment mode moderation namespace network_policy never num_requests obfuscation
    operation operations order outcome output output_compression output_format output_index output_schema output_text
    output_tokens output_tokens_details outputs parsed parsed_arguments part partial_image_b64 partial_image_index
    partial_images path pattern pending_safety_checks personality phase policy previous_response_id prewarm
    prompt_cache_breakpoint prompt_cache_diagnostics prompt_cache_options prompt_cache_retention quality queries query
    ranker ranking_options read_only reason region require_approval required_input response result results
    review_target revised_prompt score score_threshold scroll_x scroll_y search_content_types search_context_size
    sequence_number server_description server_label server_url size skill_id skills source sources starting_after
    status stderr stdout steer stream_id stream_options summary_index text_tokens text_weight timeout_ms timezone token
    tool_names tool_usage transcript truncation ttl tunnel_id user_location value variables vector_store_ids version
    web_search working_directory x y
    $defs $ref allOf anyOf const default definitions examples exclusiveMaximum exclusiveMinimum maxItems maxLength
    maximum minItems minLength minimum multipleOf nullable oneOf patternProperties uniqueItems
    """.split()
)

# What items, parts, tools and schemas are called. Only these words are taken for a label, at any place; any other
# value of `type` is somebody's text.
_TYPES: Final = frozenset(
    """
    message item_reference function_call function_call_output custom_tool_call custom_tool_call_output reasoning
    mcp_call mcp_list_tools mcp_approval_request mcp_approval_response code_interpreter_call shell_call
    shell_call_output local_shell_call local_shell_call_output computer_call computer_call_output apply_patch_call
    apply_patch_call_output web_search_call file_search_call image_generation_call tool_search_call tool_search_output
    program program_output additional_tools compaction compaction_trigger configuration_update
    input_text input_image input_file input_audio output_text output_audio refusal reasoning_text summary_text text
    computer_screenshot encrypted_content image logs url url_citation file_citation container_file_citation file_path
    search open_page find_in_page exec exit timeout create_file update_file delete_file
    click double_click drag keypress move screenshot scroll type wait
    function custom grammar mcp web_search web_search_preview web_search_preview_2025_03_11 web_search_2025_08_26
    file_search code_interpreter image_generation computer computer_use computer_use_preview shell local_shell
    apply_patch namespace tool_search auto container_auto container_reference local inline skill_reference
    json_schema json_object approximate
    object string integer number boolean array null
    """.split()
)
_STATUSES: Final = frozenset(
    "in_progress completed incomplete failed queued cancelled searching generating interpreting calling".split()
)
_ROLES: Final = frozenset({"user", "system", "developer", "assistant", "tool"})
_LABELS: Final = {"type": _TYPES, "status": _STATUSES, "role": _ROLES}
# Of an answer: what the provider itself writes, where it is as short and plain as an identifier.
_FACTS: Final = frozenset(
    """
    id object created_at completed_at expires_at model service_tier call_id item_id response_id previous_response_id
    first_id last_id container_id file_id approval_request_id truncation prompt_cache_retention
    """.split()
)


def is_label(key: str, value: object) -> bool:
    """Tell a word of the API under the key where it belongs."""
    return isinstance(value, str) and value in _LABELS.get(key, ())


def is_answer_fact(key: str, value: object) -> bool:
    """Tell an identifier, a time or a name of a model that a provider wrote."""
    return key in _FACTS and is_fact(value)


def facts_of(response: JsonObject) -> JsonObject:
    """Return what of a response object can be repeated without repeating anybody's text."""
    return {key: value for key, value in response.items() if is_answer_fact(key, value)}


def counts_of(usage: object) -> JsonObject | None:
    """Return the numbers of a usage object, and nothing else of it."""
    if not isinstance(usage, dict):
        return None
    counts: JsonObject = {}
    for key, value in usage.items():
        if key in VOCABULARY and isinstance(value, dict):
            counts[key] = counts_of(value)
        elif key in VOCABULARY and isinstance(value, int | float):
            counts[key] = value
    return counts


def param_of(pointer: str) -> str:
    return param(pointer, VOCABULARY)
