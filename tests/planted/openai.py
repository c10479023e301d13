"""Requests of the OpenAI dialect with a text in every place where one can hide."""

from __future__ import annotations

from typing import Any, Final

from tests.planted.surface import Surface

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "what a schema says",
    "properties": {"city": {"type": "string", "description": "what a property says", "enum": ["first choice"],
                            "default": "a default value"}},
}  # fmt: skip

CHAT: Final = Surface(
    "openai_chat",
    "/v1/chat/completions",
    {
        "model": "scripted",
        "messages": [
            {"role": "system", "content": "what the system says", "name": "system name"},
            {"role": "developer", "content": [{"type": "text", "text": "what the developer says"}]},
            {"role": "user", "content": "when the train leaves", "name": "user name"},
            {"role": "user", "content": [
                {"type": "text", "text": "a part of text"},
                {"type": "image_url", "image_url": {"url": "https://example.com/?q=an image query"}},
                {"type": "file", "file": {"filename": "a file name", "file_data": "data:text/plain,some file text"}},
                {"type": "unheard_of", "novelty": "an unknown part"},
            ]},
            {"role": "assistant", "content": "what was answered", "refusal": "what was refused",
             "reasoning_content": "what was thought", "reasoning": "more that was thought",
             "reasoning_details": [{"type": "reasoning.text", "text": "details of thinking"}],
             "tool_calls": [
                 {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"q\":\"an argument\"}"}},
                 {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "a custom input"}}],
             "function_call": {"name": "old", "arguments": "{\"q\":\"an old argument\"}"}},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "a refused part"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "what a tool told"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a tool's part"}]},
            {"role": "function", "name": "old", "content": "what a function told"},
            {"role": "stranger", "content": "what nobody knows"},
        ],
        "prediction": {"type": "content", "content": [{"type": "text", "text": "a predicted part"}]},
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "what a tool does", "parameters": _SCHEMA}},
            {"type": "custom", "custom": {"name": "run", "description": "what it runs",
                                          "format": {"type": "grammar", "grammar": {"syntax": "lark",
                                                                                    "definition": "start: a grammar"}}}},
        ],
        "functions": [{"name": "old", "description": "an old function", "parameters": _SCHEMA}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "description": "a format of answers",
                                                                   "schema": _SCHEMA}},
        "metadata": {"ticket": "what metadata says"},
        "user": "an end user", "safety_identifier": "a safety identifier", "prompt_cache_key": "a cache key",
        "stop": ["a stop word"],
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "a nice city"}}},
        "chat_template": "a chat template", "documents": [{"title": "a document title", "text": "a document text"}],
        "guided_regex": "a guided regex", "chat_template_kwargs": {"thinking": "a template argument"},
        "plugins": [{"id": "web", "search_prompt": "a search prompt"}],
        "provider": {"order": ["a named provider"]},
        "prompt": "a bare prompt",
        "unheard_of": {"deep": [["an unknown field"]]},
    },
)  # fmt: skip

COMPLETIONS: Final = Surface(
    "openai_completions",
    "/v1/completions",
    {"model": "scripted", "prompt": ["a first prompt", "a second prompt"], "suffix": "what comes after",
     "stop": ["a stop word"], "user": "an end user", "unheard_of": "an unknown field"},
)  # fmt: skip
EMBEDDINGS: Final = Surface(
    "openai_embeddings",
    "/v1/embeddings",
    {"model": "scripted", "input": ["a first text", "a second text"], "user": "an end user",
     "unheard_of": "an unknown field"},
)  # fmt: skip
MODERATIONS: Final = Surface(
    "openai_moderations",
    "/v1/moderations",
    {"model": "scripted", "input": [{"type": "text", "text": "a text to moderate"},
                                    {"type": "image_url", "image_url": {"url": "https://example.com/?q=an image query"}}],
     "unheard_of": "an unknown field"},
)  # fmt: skip
IMAGES: Final = Surface(
    "openai_images",
    "/v1/images/generations",
    {"model": "scripted", "prompt": "what to draw", "user": "an end user", "unheard_of": "an unknown field"},
)
SPEECH: Final = Surface(
    "openai_speech",
    "/v1/audio/speech",
    {"model": "scripted", "input": "what to say", "instructions": "how to say it", "voice": "alloy",
     "unheard_of": "an unknown field"},
)  # fmt: skip

_OUTPUTS: Final[list[dict[str, Any]]] = [
    {"type": "function_call_output", "call_id": "call_1", "output": "what a function told"},
    {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "a told part"}]},
    {"type": "custom_tool_call_output", "call_id": "call_3", "output": "what a custom tool told"},
    {"type": "mcp_call", "id": "mcp_1", "name": "ask", "server_label": "docs", "arguments": "{\"q\":\"an mcp argument\"}",
     "output": "what an mcp server told", "error": "what went wrong there"},
    {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "docs",
     "tools": [{"name": "ask", "description": "what an mcp tool does", "input_schema": _SCHEMA,
                "annotations": {"hint": "what an annotation says"}}]},
    {"type": "shell_call_output", "call_id": "call_4", "output": [{"stdout": "what a shell printed",
                                                                  "stderr": "what it complained"}]},
    {"type": "local_shell_call_output", "id": "ls_1", "output": "what a local shell printed"},
    {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["what was searched"],
     "results": [{"text": "what was found", "filename": "a found file", "attributes": {"note": "an attribute"}}]},
    {"type": "code_interpreter_call", "id": "ci_1", "code": "what was run", "container_id": "cntr_1",
     "outputs": [{"type": "logs", "logs": "what was logged"}]},
    {"type": "apply_patch_call_output", "call_id": "call_5", "status": "completed", "output": "what a patch told"},
]  # fmt: skip
RESPONSES: Final = Surface(
    "openai_responses",
    "/v1/responses",
    {
        "model": "scripted",
        "store": False,
        "instructions": "what the developer wants",
        "input": [
            {"role": "user", "content": "when the train leaves"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "a part of input"},
                {"type": "input_image", "image_url": "https://example.com/?q=an image query"},
                {"type": "input_file", "filename": "a file name", "file_data": "data:text/plain,some file text"}]},
            {"role": "system", "content": "what the system says"},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "what was answered",
                 "annotations": [{"type": "url_citation", "title": "a cited title", "url": "https://e.com/?a=b c"}]},
                {"type": "refusal", "refusal": "what was refused"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a summary of thoughts"}],
             "content": [{"type": "reasoning_text", "text": "the thoughts themselves"}]},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{\"q\":\"an argument\"}"},
            {"type": "custom_tool_call", "call_id": "call_3", "name": "run", "input": "a custom input"},
            {"type": "shell_call", "call_id": "call_4", "action": {"commands": ["echo a command"]}},
            {"type": "local_shell_call", "id": "ls_1", "call_id": "call_6",
             "action": {"type": "exec", "command": ["echo a local command"], "env": {"A": "an environment value"}}},
            {"type": "computer_call", "id": "cu_1", "call_id": "call_7", "action": {"type": "type", "text": "typed text here"}},
            {"type": "apply_patch_call", "call_id": "call_5", "operation": {"type": "update_file", "path": "a.py",
                                                                            "diff": "a changed line"}},
            {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "what was searched for"}},
            *_OUTPUTS,
            {"type": "unheard_of", "novelty": "an unknown item"},
        ],
        "tools": [
            {"type": "function", "name": "look", "description": "what a tool does", "parameters": _SCHEMA},
            {"type": "custom", "name": "run", "description": "what it runs",
             "format": {"type": "grammar", "syntax": "lark", "definition": "start: a grammar"}},
            {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example.com/?q=an mcp address",
             "server_description": "what a server offers", "headers": {"X-Note": "a header value"},
             "authorization": "a bearer token"},
        ],
        "text": {"format": {"type": "json_schema", "name": "answer", "description": "a format of answers",
                            "schema": _SCHEMA}},
        "metadata": {"ticket": "what metadata says"}, "user": "an end user", "safety_identifier": "a safety identifier",
        "prompt_cache_key": "a cache key",
        "unheard_of": {"deep": ["an unknown field"]},
    },
)  # fmt: skip

CONVERSATION: Final = Surface(
    "openai_conversations",
    "/v1/conversations/conv_1/items",
    {
        "items": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a part of input"}]},
            {"role": "assistant", "content": "what was answered"},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{\"q\":\"an argument\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "what a function told"},
            {"type": "unheard_of", "novelty": "an unknown item"},
        ],
        "metadata": {"ticket": "what metadata says"},
        "unheard_of": {"deep": ["an unknown field"]},
    },
)  # fmt: skip
UPLOADS: Final = Surface(
    "openai_uploads",
    "/v1/uploads",
    {"filename": "a file name", "purpose": "batch", "bytes": 7, "mime_type": "text/plain; of a kind",
     "unheard_of": {"deep": ["an unknown field"]}},
)  # fmt: skip
BATCHES: Final = Surface(
    "openai_batches",
    "/v1/batches",
    {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h",
     "metadata": {"ticket": "what metadata says"}, "unheard_of": {"deep": ["an unknown field"]}},
)  # fmt: skip

_LESS: Final = {
    key: value for key, value in RESPONSES.body.items() if key not in {"store", "metadata", "safety_identifier"}
}
INPUT_TOKENS: Final = Surface("openai_response_input_tokens", "/v1/responses/input_tokens", _LESS)
COMPACT: Final = Surface("openai_response_compact", "/v1/responses/compact", _LESS)
