"""Requests of the Gemini dialect with a text in every place where one can hide, in both spellings of names."""

from __future__ import annotations

from typing import Any, Final

from tests.planted.surface import Surface

_SCHEMA: Final[dict[str, Any]] = {"type": "OBJECT", "description": "what a schema says",
                                  "properties": {"q": {"type": "STRING", "description": "what a property says"}}}  # fmt: skip

_BODY: Final[dict[str, Any]] = {
    "contents": [
        {"role": "user", "parts": [
            {"text": "when the train leaves"},
            {"fileData": {"fileUri": "https://example.com/?q=a file address", "displayName": "a displayed name"}},
            {"novelty": "an unknown part"}]},
        {"role": "model", "parts": [
            {"text": "what was answered"},
            {"text": "what was thought", "thought": True},
            {"functionCall": {"name": "look", "args": {"q": "an argument", "deep": ["a deep argument"]}}},
            {"executableCode": {"language": "PYTHON", "code": "print a line"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "what code printed"}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "look", "response": {"result": "what a function told"}}},
            {"function_response": {"name": "look", "response": {"result": "what another told"}}}]},
    ],
    "systemInstruction": {"parts": [{"text": "what the system says"}]},
    "tools": [{"functionDeclarations": [{"name": "look", "description": "what a tool does", "parameters": _SCHEMA,
                                         "response": {"type": "OBJECT", "description": "what it returns"}}]}],
    "generationConfig": {"stopSequences": ["a stop word"], "responseSchema": _SCHEMA},
    "labels": {"ticket": "what labels say"},
    "unheard_of": {"deep": ["an unknown field"]},
}  # fmt: skip

GENERATE: Final = Surface("gemini_generate", "/v1beta/models/scripted:generateContent", _BODY)
COUNT_TOKENS: Final = Surface(
    "gemini_count_tokens",
    "/v1beta/models/scripted:countTokens",
    {"generateContentRequest": {"model": "models/scripted", **_BODY}},
)
EMBED: Final = Surface(
    "gemini_embed",
    "/v1beta/models/scripted:embedContent",
    {"content": {"parts": [{"text": "what to embed"}]}, "title": "a given title", "unheard_of": "an unknown field"},
)
