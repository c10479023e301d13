"""Portkey's contract: what it would send on is what is read."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.errors import EdgeError
from proxy.app import load_readers
from proxy.hook import Asked
from proxy.hooks.portkey import HOOK

CODECS, _ = load_readers()


def read(event: str, **sides: Any) -> Asked:
    return HOOK.read("/webhook", {"eventType": event, "requestType": "chatComplete", **sides}, CODECS)


@pytest.mark.parametrize("body", [[{"role": "user", "content": "hello"}], '{"messages": []}', "hello", 7, True])
def test_a_body_that_is_no_object_is_refused_whatever_the_text_beside_it(body: Any) -> None:
    for event, side in (("beforeRequestHook", "request"), ("afterRequestHook", "response")):
        with pytest.raises(EdgeError) as refused:
            read(event, **{side: {"json": body, "text": ""}})
        assert (refused.value.status, refused.value.param) == (400, f"{side}.json")


@pytest.mark.parametrize("body", [None, {}])
def test_where_there_is_no_body_the_text_is_read_and_not_taken_back(body: Any) -> None:
    asked = read("afterRequestHook", response={"json": body, "text": "hello"})
    assert [segment.text for segment in asked.walk.segments] == ["hello"]
    assert asked.editable == ()
