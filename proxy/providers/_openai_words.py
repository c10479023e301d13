"""Keys that the API's other endpoints define, beside those of chat completions in `_openai_shapes`.

Sources: platform.openai.com/docs/api-reference (completions, embeddings, moderations, images, audio, files, uploads,
batches) and, for what servers of the same API take beside it, docs.vllm.ai and openrouter.ai/docs.
"""

from __future__ import annotations

from typing import Final

_COMPLETIONS: Final = "prompt suffix echo best_of text_offset tokens token_logprobs prompt_logprobs"
_EMBEDDINGS: Final = "embedding dimensions encoding_format"
_MODERATIONS: Final = """
    results flagged categories category_scores category_applied_input_types harassment hate illicit self-harm sexual
    violence
"""
_IMAGES: Final = """
    image image[] images mask size quality style background moderation output_format output_compression partial_images
    input_fidelity b64_json revised_prompt partial_image_index created_at
"""
_AUDIO: Final = """
    voice instructions speed stream_format language timestamp_granularities[] timestamp_granularities include[]
    keywords[] keywords chunking_strategy known_speaker_names[] known_speaker_references[] known_speaker_names
    known_speaker_references task duration segments segment_id speaker words word start end seek avg_logprob
    compression_ratio no_speech_prob logprob bytes
"""
_FORM: Final = "content_type charset lines"
_STORED: Final = """
    purpose expires_after expires_after[anchor] expires_after[seconds] anchor seconds status_details deleted expires_at
    upload_id part_ids md5 mime_type
    custom_id method body response status_code request_id input_file_id endpoint completion_window output_file_id
    error_file_id output_expires_after request_counts total completed failed errors line in_progress_at finalizing_at
    completed_at failed_at expired_at cancelling_at cancelled_at
"""
_USAGE: Final = """
    input_tokens output_tokens input_tokens_details output_tokens_details input_token_details text_tokens image_tokens
    seconds
"""
_SERVERS: Final = """
    chat_template chat_template_kwargs documents add_generation_prompt continue_final_message guided_json guided_regex
    guided_choice guided_grammar structured_outputs prompt_token_ids input_ids
    order only ignore allow_fallbacks data_collection require_parameters sort max_price quantizations search_prompt
    max_results
"""

ENDPOINT_WORDS: Final = frozenset(
    f"{_COMPLETIONS} {_EMBEDDINGS} {_MODERATIONS} {_IMAGES} {_AUDIO} {_FORM} {_STORED} {_USAGE} {_SERVERS}".split()
)
