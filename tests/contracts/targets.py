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
    "anthropic_count_tokens": Target("POST", "/v1/messages/count_tokens"),
    "anthropic_messages": Target("POST", "/v1/messages"),
    "openai_chat": Target("POST", "/v1/chat/completions"),
    "openai_azure_chat": Target("POST", "/deployments/gpt-4o/chat/completions", "api-version=2024-10-21", "openai"),
    "openai_completions": Target("POST", "/v1/completions"),
    "openai_embeddings": Target("POST", "/v1/embeddings"),
    "openai_image_edits": Target("POST", "/v1/images/edits"),
    "openai_images": Target("POST", "/v1/images/generations"),
    "openai_moderations": Target("POST", "/v1/moderations"),
    "openai_speech": Target("POST", "/v1/audio/speech"),
    "openai_response_compact": Target("POST", "/v1/responses/compact"),
    "openai_response_input_tokens": Target("POST", "/v1/responses/input_tokens"),
    "openai_responses": Target("POST", "/v1/responses"),
    "openai_transcriptions": Target("POST", "/v1/audio/transcriptions"),
    "openai_translations": Target("POST", "/v1/audio/translations"),
}
