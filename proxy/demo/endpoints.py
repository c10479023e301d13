"""The demo upstream's other endpoints: completions, embeddings, moderations, images and sound, all made up here."""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import wave
from base64 import b64encode
from collections.abc import Sequence
from typing import Final

import orjson
from aiohttp import web

from proxy.codec import JsonObject

_CREATED: Final = 1_767_225_600  # seconds since the epoch
_DIMENSIONS: Final = 8
_LONGEST_QUOTE: Final = 300
_PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_SUBTITLES: Final = {
    "text": "{}\n",
    "srt": "1\n00:00:00,000 --> 00:00:02,000\n{}\n",
    "vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n{}\n",
}


class DemoEndpoints:
    """Answers at once but for streams, which pause `delay` seconds before each event."""

    def __init__(self, delay: float) -> None:
        self._delay = delay

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/completions", self._complete),
            web.post("/v1/embeddings", _embed),
            web.post("/v1/moderations", _moderate),
            web.post("/v1/images/generations", _draw),
            web.post("/v1/images/edits", _redraw),
            web.post("/v1/audio/speech", _speak),
            web.post("/v1/audio/transcriptions", self._transcribe),
            web.post("/v1/audio/translations", self._transcribe),
        ]

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await _asked(request)
        prompts = _listed(body.get("prompt"))
        model = body.get("model")
        head = {"id": "cmpl-demo", "object": "text_completion", "created": _CREATED, "model": model}
        said = [f" This is what reached the demo upstream: “{_quoted(prompt)}”" for prompt in prompts]
        if not body.get("stream"):
            choices = [_choice(index, text, "stop") for index, text in enumerate(said)]
            return _json({**head, "choices": choices, "usage": _usage(prompts, said)})
        chunks = [_choice(index, f"{word} ", None) for index, text in enumerate(said) for word in text.split(" ")]
        chunks += [_choice(index, "", "stop") for index in range(len(said))]
        return await self._stream(request, [{**head, "choices": [chunk]} for chunk in chunks], done=True)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            raise web.HTTPBadRequest(reason="A file is required.")
        size = len(file.file.read())
        text = f"The demo upstream cannot hear. It was sent {file.filename}, {size} bytes"
        text += f", and told: {_quoted(form['prompt'])}." if form.get("prompt") else "."
        if str(form.get("stream")).lower() == "true":
            deltas = [{"type": "transcript.text.delta", "delta": f"{word} "} for word in text.split(" ")]
            whole = "".join(str(event["delta"]) for event in deltas)
            return await self._stream(request, [*deltas, {"type": "transcript.text.done", "text": whole}])
        kind = str(form.get("response_format", "json"))
        if kind in _SUBTITLES:
            return web.Response(text=_SUBTITLES[kind].format(text))
        segment = {"id": 0, "seek": 0, "start": 0.0, "end": 2.0, "text": text}
        verbose = {"task": "transcribe", "language": "english", "duration": 2.0, "segments": [segment]}
        return _json({"text": text, **(verbose if kind == "verbose_json" else {})})

    async def _stream(
        self, request: web.Request, events: Sequence[JsonObject], *, done: bool = False
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for event in events:
            await asyncio.sleep(self._delay)
            await response.write(b"data: " + orjson.dumps(event) + b"\n\n")
        await response.write(b"data: [DONE]\n\n" if done else b"")
        return response


async def _embed(request: web.Request) -> web.Response:
    body = await _asked(request)
    texts = _listed(body.get("input"))
    vectors = [_vector(str(text)) for text in texts]
    coded = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if coded else vector}
        for index, vector in enumerate(vectors)
    ]
    tokens = _usage(texts, [])["prompt_tokens"]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _json({"object": "list", "model": body.get("model"), "data": data, "usage": usage})


async def _moderate(request: web.Request) -> web.Response:
    body = await _asked(request)
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.00001}}
    results = [result for _ in _listed(body.get("input"))]
    return _json({"id": "modr-demo", "model": body.get("model", "demo-small"), "results": results})


async def _draw(request: web.Request) -> web.Response:
    body = await _asked(request)
    return _json(_images(body.get("n"), body.get("prompt")))


async def _redraw(request: web.Request) -> web.Response:
    if request.content_type == "application/json":
        return await _draw(request)
    form = await request.post()
    return _json(_images(1, form.get("prompt")))


async def _speak(request: web.Request) -> web.Response:
    """Answer with half a second of silence, whatever format was asked for."""
    await _asked(request)
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(8000))
    return web.Response(body=sound.getvalue(), content_type="audio/wav")


async def _asked(request: web.Request) -> JsonObject:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise web.HTTPBadRequest(reason="We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(reason="The JSON body of your request must be an object.")
    return body


def _listed(value: object) -> list[object]:
    """Return each prompt or input of a request: a list of numbers is one of them."""
    if not isinstance(value, list) or all(isinstance(item, int) for item in value):
        return [value]
    return value


def _choice(index: int, text: str, reason: str | None) -> JsonObject:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


def _images(count: object, prompt: object) -> JsonObject:
    image = {"b64_json": _PIXEL, "revised_prompt": f"One pixel for: {_quoted(prompt)}"}
    return {"created": _CREATED, "data": [image] * (count if isinstance(count, int) and 0 < count <= 10 else 1)}


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def _vector(text: str) -> list[float]:
    """Return numbers between -1 and 1 that are the same for the same text."""
    return [byte / 127.5 - 1 for byte in hashlib.blake2b(text.encode(), digest_size=_DIMENSIONS).digest()]


def _packed(vector: Sequence[float]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _usage(asked: Sequence[object], said: Sequence[str]) -> JsonObject:
    prompt, completion = (sum(len(str(text)) // 4 + 1 for text in texts) for texts in (asked, said))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _json(document: JsonObject) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
