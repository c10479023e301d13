"""The events of a Responses stream: which of them carry running text, on which channel, and which channels end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from proxy.bodies.pointer import escape
from proxy.codec import JsonObject, Piece
from proxy.providers._openai_media import is_binary
from proxy.providers._openai_shapes import is_fact

LAST: Final = frozenset({"response.completed", "response.incomplete"})
FAILED: Final = frozenset({"response.failed", "error"})
_MOST_PLACES: Final = 100_000
_INDEXES: Final = ("output_index", "content_index", "summary_index", "command_index")
_PLACE: Final = ("type", "item_id", *_INDEXES)


@dataclass(frozen=True, slots=True)
class _Stem:
    """What comes before `.delta` in a type: the path of its text in an item, the index inside, the field there."""

    path: str
    index: str
    field: str
    whole: bool = False


_CODE: Final = True  # arguments and code are held whole: half a call is no call
_STEMS: Final = {
    "response.output_text": _Stem("content", "content_index", "text"),
    "response.refusal": _Stem("content", "content_index", "refusal"),
    "response.reasoning_text": _Stem("content", "content_index", "text"),
    "response.reasoning_summary_text": _Stem("summary", "summary_index", "text"),
    "response.function_call_arguments": _Stem("", "", "arguments", _CODE),
    "response.mcp_call_arguments": _Stem("", "", "arguments", _CODE),
    "response.mcp_call.arguments": _Stem("", "", "arguments", _CODE),  # as the type was once called
    "response.custom_tool_call_input": _Stem("", "", "input", _CODE),
    "response.code_interpreter_call_code": _Stem("", "", "code", _CODE),
    "response.apply_patch_call_operation_diff": _Stem("operation", "", "diff", _CODE),
    "response.shell_call_command": _Stem("action/commands", "command_index", "command", _CODE),
    "response.shell_call_output_content": _Stem("output", "command_index", "delta"),
    "response.audio.transcript": _Stem("audio", "", "transcript"),
}
# What a part or an item that is just added may already hold of the text that its deltas go on with.
_OPENINGS: Final = {
    "output_text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "reasoning_text": ("response.reasoning_text", "text"),
    "summary_text": ("response.reasoning_summary_text", "text"),
    "function_call": ("response.function_call_arguments", "arguments"),
    "mcp_call": ("response.mcp_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
    "code_interpreter_call": ("response.code_interpreter_call_code", "code"),
    "command": ("response.shell_call_command", "command"),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A text taken out of an event, with the event (without text) that can carry more of its channel.

    `field` is the member of `delta` that holds the text, empty where `delta` is the text itself.
    """

    piece: Piece
    carrier: JsonObject
    field: str = ""


def kind_of(document: JsonObject) -> str:
    """Return an event's type, empty if it has none that is as plain as a type."""
    kind = document.get("type")
    return kind if isinstance(kind, str) and is_fact(kind) else ""


def take_deltas(document: JsonObject) -> Iterator[Taken]:
    """Take the running text out of an event, leaving empty strings. Types nobody knows have channels of their own."""
    kind, delta = kind_of(document), document.get("delta")
    stem = kind.removesuffix(".delta")
    if isinstance(delta, str) and delta and not (kind == "response.audio.delta" and is_binary(delta)):
        document["delta"] = ""
        yield _taken(stem, document, delta)
    elif isinstance(delta, dict):
        for field, text in delta.items():
            if isinstance(text, str) and text and field:
                delta[field] = ""
                yield _taken(stem, document, text, field)


def take_openings(document: JsonObject) -> Iterator[Taken]:
    """Take out of an event that opens an item or a part the text that it begins with; deltas may go on with it."""
    kind = kind_of(document)
    if not kind.endswith(".added"):
        return
    command = kind == "response.shell_call_command.added"
    holder: Any = document if command else document.get("item", document.get("part"))
    if not isinstance(holder, dict):
        return
    opens = "command" if command else holder.get("type")
    stem, field = _OPENINGS.get(opens, ("", "")) if isinstance(opens, str) else ("", "")
    text = holder.get(field)
    if stem and isinstance(text, str) and text:
        holder[field] = ""
        place: JsonObject = {key: document[key] for key in _PLACE if key in document}
        place["type"] = f"{stem}.delta"
        if "item" in document:
            place["item_id"] = holder.get("id")
        yield _taken(stem, place, text)


def ends_with(document: JsonObject) -> tuple[str, ...]:
    """Return the prefixes of the channels that are complete with an event."""
    kind = kind_of(document)
    if kind in LAST or kind in FAILED or document.get("error"):
        return ("",)
    if kind == "response.output_item.done":
        return (item_place(document),)
    if kind == "response.content_part.done":
        return (_place("response.output_text", document),)
    if kind == "response.reasoning_summary_part.done":
        return (_place("response.reasoning_summary_text", document),)
    return (_place(kind.removesuffix(".done"), document),) if kind.endswith(".done") else ()


def is_bare(document: JsonObject) -> bool:
    """Tell a delta event that has nothing left but its place."""
    if "delta" not in document or document.get("logprobs"):
        return False
    delta = document["delta"]
    emptied = not any(delta.values()) if isinstance(delta, dict) else delta == ""
    places = document.keys() - {"delta", "logprobs"}
    return emptied and all(key in _PLACE and _fits(document, key) for key in places)


def channel_of(stem: str, document: JsonObject) -> str:
    """Return the channel of the text that an event of this type is about."""
    known = _STEMS.get(stem)
    return _place(stem, document) + (known.field if known else "delta")


def copy_place(document: JsonObject, member: str) -> str:
    """Return where a member of an event stands that repeats texts, in the words of the response object."""
    if member == "response":
        return ""
    if member == "item":
        return item_place(document)
    if member == "part":
        return "".join(ends_with(document)[:1])
    return channel_of(kind_of(document).removesuffix(".done"), document)


def output_index(document: JsonObject) -> int:
    """Return which item an event is about, -1 if it does not say."""
    index = document.get("output_index")
    return index if type(index) is int and 0 <= index < _MOST_PLACES else -1


def _taken(stem: str, document: JsonObject, text: str, field: str = "") -> Taken:
    known = _STEMS.get(stem)
    carrier: JsonObject = {key: document[key] for key in _PLACE if key in document and _fits(document, key)}
    if stem == "response.output_text":
        carrier["logprobs"] = []
    channel = _place(stem, document) + escape(field) if field else channel_of(stem, document)
    return Taken(Piece(channel, text, whole=known is not None and known.whole), carrier, field)


def _fits(document: JsonObject, key: str) -> bool:
    value = document[key]
    return type(value) is int if key in _INDEXES else isinstance(value, str) and is_fact(value)


def _place(stem: str, document: JsonObject) -> str:
    """Return where the text of a type stands, in the words of the response object where it will stand in the end."""
    known = _STEMS.get(stem)
    if known is None:
        indexes = (str(_index(document, name)) for name in _INDEXES[1:] if name in document)
        return "/".join((item_place(document) + escape(stem), *indexes, ""))
    inside = str(_index(document, known.index)) if known.index else ""
    return item_place(document) + "".join(f"{step}/" for step in (known.path, inside) if step)


def item_place(document: JsonObject) -> str:
    """Return the place of the item that an event is about; its id stands in where an upstream counts none."""
    index, item_id = output_index(document), document.get("item_id")
    named = isinstance(item_id, str) and item_id != "" and is_fact(item_id)
    return f"output/{escape(str(item_id)) if index < 0 and named else max(index, 0)}/"


def _index(document: JsonObject, name: str) -> int:
    index = document.get(name)
    return index if type(index) is int and 0 <= index < _MOST_PLACES else 0
