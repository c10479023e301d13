"""What the demo upstream says: a text that quotes the question, or a tool call that fits its schema. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from proxy.codec import JsonObject
from proxy.demo.schema import example_of

QUOTE = 300  # characters of the last message that the answer repeats
ARGUMENT_QUOTE = 80
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4  # role and separators
_WORD = re.compile(r"\s*\S+\s*")
_FRAGMENT = re.compile(r".{1,12}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, in the pieces in which it is streamed; a piece counts as one token.

    `finish` is `stop`, `length` or `tool_calls`. With a `tool_call` the pieces are those of its arguments.
    """

    pieces: tuple[str, ...]
    finish: str
    tool_call: ToolCall | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def answer_to(body: JsonObject) -> Answer:
    """Answer a chat request whose shape has been checked. The same request always gets the same answer."""
    last = body["messages"][-1]
    function = None if last.get("role") in ("tool", "function") else _chosen_function(body)
    if function is not None:
        return _call(function, _shortened(_last_user_text(body), ARGUMENT_QUOTE))
    pieces = tuple(_WORD.findall(_reply(body, last)))
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None and limit < len(pieces):
        return Answer(pieces[:limit], "length")
    return Answer(pieces, "stop")


def usage(body: JsonObject, answer: Answer, choices: int) -> JsonObject:
    """Count tokens about as a provider would."""
    said = [text_of(message.get("content")) for message in body["messages"]]
    tools = orjson.dumps(body["tools"]).decode() if body.get("tools") else ""
    prompt = TOKENS_PER_MESSAGE * len(said) + sum(_tokens(text) for text in (*said, tools))
    completion = max(1, len(answer.pieces)) * choices
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def text_of(content: object) -> str:
    """Return the text of a message's content: a string, or the text parts of a list, one per line."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _reply(body: JsonObject, last: JsonObject) -> str:
    opening = f"Hello from the demo upstream, standing in for {body['model']}: there is no model behind me, "
    opening += "and what you write stays on this machine. "
    if last.get("role") in ("tool", "function"):
        return f"{opening}The tool you ran told me: “{_shortened(text_of(last.get('content')), QUOTE)}”"
    quote = _shortened(_last_user_text(body), QUOTE)
    if not quote:
        return f"{opening}You have not written anything that I could repeat."
    return f"{opening}This is what reached me: “{quote}”"


def _last_user_text(body: JsonObject) -> str:
    for message in reversed(body["messages"]):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _chosen_function(body: JsonObject) -> JsonObject | None:
    """Return the function that `tool_choice` names, else the first one; None when no call is wanted."""
    choice = body.get("tool_choice")
    if choice == "none":
        return None
    named = choice.get("function") if isinstance(choice, dict) else None
    wanted = named.get("name") if isinstance(named, dict) else None
    for tool in body.get("tools") or ():
        function: JsonObject | None = tool.get("function")
        if function is not None and wanted in (None, function["name"]):
            return function
    return None


def _call(function: JsonObject, filling: str) -> Answer:
    example = example_of(function.get("parameters"), filling)
    arguments = orjson.dumps(example if isinstance(example, dict) else {}).decode()
    return Answer(tuple(_FRAGMENT.findall(arguments)), "tool_calls", ToolCall(function["name"], arguments))
