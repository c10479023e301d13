"""Requests of the Anthropic dialect with a text in every place where one can hide."""

from __future__ import annotations

from typing import Any, Final

from tests.planted.surface import Surface

_BODY: Final[dict[str, Any]] = {
    "model": "scripted",
    "max_tokens": 64,
    "system": [{"type": "text", "text": "what the system says"}],
    "messages": [
        {"role": "user", "content": "when the train leaves"},
        {"role": "assistant", "content": "what was answered"},
        {"role": "user", "content": [
            {"type": "text", "text": "a part of text"},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/?q=an image query"}},
            {"type": "document", "title": "a document title", "context": "a document context",
             "source": {"type": "text", "media_type": "text/plain", "data": "a document text"}},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a content source"}]}},
            {"type": "search_result", "source": "where it was found", "title": "a found title",
             "content": [{"type": "text", "text": "a found text"}]},
            {"type": "unheard_of", "novelty": "an unknown block"}]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "an answered part",
             "citations": [{"type": "char_location", "cited_text": "a cited text", "document_title": "a cited document"}]},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"q": "a tool's argument", "deep": ["a deep argument"]}},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "a server query"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1",
             "content": [{"type": "web_search_result", "title": "a web title", "url": "https://e.com/?a=b c"}]},
            {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_2",
             "content": {"type": "code_execution_result", "stdout": "what code printed", "stderr": "what it complained",
                         "return_code": 0}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "what a tool told"},
            {"type": "tool_result", "tool_use_id": "toolu_2",
             "content": [{"type": "text", "text": "a told part"},
                         {"type": "search_result", "source": "another source", "title": "another title",
                          "content": [{"type": "text", "text": "another text"}]}]}]},
        {"role": "assistant", "content": "a prefilled answer"},
    ],
    "tools": [{"name": "look", "description": "what a tool does",
               "input_schema": {"type": "object", "description": "what a schema says",
                                "properties": {"q": {"type": "string", "description": "what a property says",
                                                     "enum": ["first choice"]}}},
               "input_examples": [{"q": "an example input"}]}],
    "mcp_servers": [{"type": "url", "name": "docs", "url": "https://mcp.example.com/?q=an mcp address",
                     "authorization_token": "a bearer token"}],
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "description": "a format of answers"}}},
    "metadata": {"user_id": "an end user"},
    "stop_sequences": ["a stop word"],
    "unheard_of": {"deep": ["an unknown field"]},
}  # fmt: skip

MESSAGES: Final = Surface("anthropic_messages", "/v1/messages", _BODY)
_LEAST: Final[dict[str, Any]] = {"model": "scripted", "max_tokens": 64}
BATCHES: Final = Surface(
    "anthropic_batches",
    "/v1/messages/batches",
    {"requests": [
        {"custom_id": "1", "params": {**_LEAST, "system": "what the system says",
                                      "messages": [{"role": "user", "content": "when the train leaves"}]}},
        {"custom_id": "a custom id", "unheard_of": "an unknown field",
         "params": {**_LEAST, "unheard_of": "a deep unknown field",
                    "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1",
                                                               "content": "what a tool told"}]}]}}],
     "unheard_of": ["another unknown field"]},
)  # fmt: skip
COUNT_TOKENS: Final = Surface(
    "anthropic_count_tokens",
    "/v1/messages/count_tokens",
    {key: value for key, value in _BODY.items() if key not in {"max_tokens", "metadata", "stop_sequences"}},
)
