"""LiteLLM's contract: what stands beside the texts of a call is read once."""

from __future__ import annotations

from typing import Any

from proxy.hooks.litellm import HOOK


def read(**call: Any) -> list[str]:
    """Return where the texts of a request stand that are read."""
    walk = HOOK.read(HOOK.paths[0], {"input_type": "request", "texts": [], **call}, ()).walk
    return [segment.pointer for segment in walk.segments]


def test_a_call_that_stands_in_a_message_is_read_there_whatever_the_order_of_its_keys() -> None:
    called = {"id": "c", "type": "function", "function": {"name": "save", "arguments": '{"a": 1.0}'}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [called]}]
    again = dict(reversed(called.items()))
    other = called | {"function": {"name": "drop", "arguments": "{}"}}

    pointers = read(structured_messages=messages, tool_calls=[again, other])

    assert "/messages/0/tool_calls/0/function/arguments" in pointers
    assert {pointer for pointer in pointers if pointer.startswith("/tool_calls/")} == {
        "/tool_calls/0/id",
        "/tool_calls/0/type",
        "/tool_calls/0/function/name",
        "/tool_calls/0/function/arguments",
    }


def test_what_many_calls_cost_grows_with_their_number() -> None:
    calls, messages = [1] * 300_000, [{"role": "assistant", "content": "x", "tool_calls": [0] * 300_000}]
    assert read(structured_messages=messages, tool_calls=calls) == ["/messages/0/content"]
