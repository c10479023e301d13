"""How a response ends that may not go on: the object that says so, and the events that lead to it in a stream."""

from __future__ import annotations

from collections.abc import Iterator

from policies.types import BlockAs
from proxy.codec import JsonObject, Refusal
from proxy.providers._openai_shapes import told_of
from proxy.providers._responses_shapes import counts_of, facts_of


def blocked_response(refusal: Refusal, block_as: BlockAs, answer: JsonObject, message: str = "") -> JsonObject:
    """Return a response object with the facts of `answer` and none of its text, that says it was blocked.

    `message` is the id of the message that holds the refusal, its own if it has none.
    """
    body: JsonObject = {
        "id": f"resp_{refusal.decision_id}",
        "object": "response",
        "created_at": 0,
        "model": "",
        **facts_of(answer),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": counts_of(answer.get("usage")),
    }
    if block_as is BlockAs.REFUSAL:
        return body | {"output": [_message(message or f"msg_{refusal.decision_id}", _part(refusal))]}
    return body | {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}


def error_event(body: JsonObject) -> JsonObject:
    """Return the API's error event for an error body.

    The fields of the event are what the API documents; the SDK raises only for an `error` object, which the API sends
    as well, so both say the same.
    """
    error = body["error"]
    return {"type": "error", "code": error["code"], "message": error["message"], "param": error["param"], **body}


def refusal_events(refusal: Refusal, envelope: JsonObject, place: JsonObject, *, begun: bool) -> Iterator[JsonObject]:
    """Yield the events that say the refusal as the last part of a message and end the stream.

    `place` says where: the item's id, its output index, the part's content index. `begun`: the message is open already.
    """
    item_id, index = place["item_id"], place["output_index"]
    part = _part(refusal)
    done = blocked_response(refusal, BlockAs.REFUSAL, envelope, item_id)
    if not begun:
        opened = _message(item_id) | {"status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": index, "item": opened}
    yield {"type": "response.content_part.added", **place, "part": part | {"refusal": ""}}
    yield {"type": "response.refusal.delta", **place, "delta": part["refusal"]}
    yield {"type": "response.refusal.done", **place, "refusal": part["refusal"]}
    yield {"type": "response.content_part.done", **place, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": done["output"][0]}
    yield {"type": "response.completed", "response": done}


def _part(refusal: Refusal) -> JsonObject:
    return {"type": "refusal", "refusal": told_of(refusal).sentence}


def _message(item_id: str, *content: JsonObject) -> JsonObject:
    return {"id": item_id, "type": "message", "role": "assistant", "status": "completed", "content": list(content)}
