"""A request line for each codec, for tests that need to say where a body goes."""

from __future__ import annotations

from typing import Final

from policies.routes import OpenRoute
from proxy.codec import Target

ROUTE: Final = OpenRoute("/v1/rerank", frozenset({"POST"}), "openai")
TARGETS: Final = {
    "generic": Target("POST", ROUTE.path),
    "gemini_count_tokens": Target("POST", "/v1beta/models/gemini-2.5-flash:countTokens"),
    "gemini_embed": Target("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents"),
    "gemini_generate": Target("POST", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", "alt=sse"),
    "anthropic_batch_results": Target("GET", "/v1/messages/batches/msgbatch_1/results"),
    "anthropic_batches": Target("POST", "/v1/messages/batches"),
    "anthropic_count_tokens": Target("POST", "/v1/messages/count_tokens"),
    "anthropic_messages": Target("POST", "/v1/messages"),
    "openai_chat": Target("POST", "/v1/chat/completions"),
    "openai_azure_chat": Target("POST", "/deployments/gpt-4o/chat/completions", "api-version=2024-10-21", "openai"),
    "openai_batches": Target("POST", "/v1/batches"),
    "openai_completions": Target("POST", "/v1/completions"),
    "openai_conversation_by_id": Target("GET", "/v1/conversations/conv_1/items", "limit=20&order=asc&after=msg_1"),
    "openai_conversations": Target("POST", "/v1/conversations/conv_1/items"),
    "openai_embeddings": Target("POST", "/v1/embeddings"),
    "openai_file_content": Target("GET", "/v1/files/file-1/content"),
    "openai_files": Target("POST", "/v1/files"),
    "openai_image_edits": Target("POST", "/v1/images/edits"),
    "openai_images": Target("POST", "/v1/images/generations"),
    "openai_moderations": Target("POST", "/v1/moderations"),
    "openai_speech": Target("POST", "/v1/audio/speech"),
    "openai_response_by_id": Target("GET", "/v1/responses/resp_1", "stream=true"),
    "openai_response_compact": Target("POST", "/v1/responses/compact"),
    "openai_response_input_tokens": Target("POST", "/v1/responses/input_tokens"),
    "openai_responses": Target("POST", "/v1/responses"),
    "openai_transcriptions": Target("POST", "/v1/audio/transcriptions"),
    "openai_translations": Target("POST", "/v1/audio/translations"),
    "openai_upload_parts": Target("POST", "/v1/uploads/upload_1/parts"),
    "openai_uploads": Target("POST", "/v1/uploads"),
}
# What else those codecs read that read more than one request.
FURTHER: Final = {
    "anthropic_batches": (
        Target("GET", "/v1/messages/batches/msgbatch_1"),
        Target("DELETE", "/v1/messages/batches/msgbatch_1"),
        Target("POST", "/v1/messages/batches/msgbatch_1/cancel"),
    ),
    "openai_batches": (
        Target("GET", "/v1/batches/batch_1"),
        Target("POST", "/v1/batches/batch_1/cancel"),
    ),
    "openai_conversation_by_id": (
        Target("GET", "/v1/conversations/conv_1"),
        Target("DELETE", "/v1/conversations/conv_1"),
        Target("GET", "/v1/conversations/conv_1/items/msg_1"),
        Target("DELETE", "/v1/conversations/conv_1/items/msg_1"),
    ),
    "openai_conversations": (
        Target("POST", "/v1/conversations"),
        Target("POST", "/v1/conversations/conv_1"),
    ),
    "openai_files": (
        Target("GET", "/v1/files/file-1"),
        Target("DELETE", "/v1/files/file-1"),
    ),
    "openai_response_by_id": (
        Target("DELETE", "/v1/responses/resp_1"),
        Target("POST", "/v1/responses/resp_1/cancel"),
        Target("GET", "/v1/responses/resp_1/input_items"),
    ),
    "openai_uploads": (
        Target("POST", "/v1/uploads/upload_1/complete"),
        Target("POST", "/v1/uploads/upload_1/cancel"),
    ),
}
