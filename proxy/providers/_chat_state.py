"""What a chat completions request leans on that lives at the provider, and what an answer says was made there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from proxy.codec import JsonObject, Reference
from proxy.providers._responses_state import references_in

# What a part is made of; everything else in one, arguments of calls above all, is somebody's data.
_HELD: Final = ("file", "image_file", "image_url", "input_audio", "input_file", "input_image", "audio", "video")
_IDS: Final = ("file_id", "file_ids")


def references_of(body: JsonObject) -> Iterator[Reference]:
    """Yield files that parts are, spoken answers that messages stand for, and what tools of the provider's search."""
    for index, message in enumerate(_list(body.get("messages"))):
        if isinstance(message, dict):
            below = f"/messages/{index}"
            yield from _parts(message.get("content"), f"{below}/content")
            audio = message.get("audio")
            if isinstance(audio, dict) and isinstance(audio.get("id"), str) and audio["id"]:
                yield Reference("item", audio["id"], f"{below}/audio/id")
    prediction = body.get("prediction")
    if isinstance(prediction, dict):
        yield from _parts(prediction.get("content"), "/prediction/content")
    for index, tool in enumerate(_list(body.get("tools"))):
        if isinstance(tool, dict) and tool.get("type") not in ("function", "custom"):
            own = {key: value for key, value in tool.items() if key not in ("function", "custom")}
            yield from references_in(own, f"/tools/{index}")


def creations_of(answer: JsonObject) -> Iterator[Reference]:
    """Yield spoken answers, which a later request may name instead of saying them again."""
    for index, choice in enumerate(_list(answer.get("choices"))):
        for kind in ("message", "delta"):
            said = choice.get(kind) if isinstance(choice, dict) else None
            audio = said.get("audio") if isinstance(said, dict) else None
            if isinstance(audio, dict) and isinstance(audio.get("id"), str) and audio["id"]:
                yield Reference("item", audio["id"], f"/choices/{index}/{kind}/audio/id")


def _parts(content: Any, pointer: str) -> Iterator[Reference]:
    for index, part in enumerate(_list(content)):
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        held = {key: value for key, value in part.items() if key in _HELD}
        if kind in _HELD:
            held |= {key: value for key, value in part.items() if key in _IDS}
        if held:
            yield from references_in({"type": kind or "", **held}, f"{pointer}/{index}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
