"""agentgateway's contract: all of a body is read, and comes back."""

from __future__ import annotations

from proxy.hooks.agentgateway import HOOK


def test_what_stands_beside_the_messages_is_read_and_comes_back() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "say it in verse"}}]
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "tools": tools}

    asked = HOOK.read("/request", {"body": body}, ())

    assert {"hello", "say it in verse"} <= {segment.text for segment in asked.walk.segments}
    assert asked.document == body
    assert asked.model == "m"
