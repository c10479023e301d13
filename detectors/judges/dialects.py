"""How the APIs of judges are spoken: OpenAI's chat completions, which most others speak too, and Gemini's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson

from detectors.judges.prompt import Prompt
from detectors.judges.reading import CATEGORIES
from detectors.judges.types import CallResult, Dialect, Form, JudgeSpec, TransportError

JsonObject = dict[str, Any]
MOST_OUT: Final = 200  # tokens of an answer
_DEAREST: Final = 1_000_000  # millionths of a dollar: no single call costs more, whatever it says
_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "check": {"type": "string"},
        "category": {"type": "string", "enum": list(CATEGORIES)},
        "confidence": {"type": "number"},
        "reason": {"type": "string"},
    },
    "required": ["check", "category", "confidence", "reason"],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of an answer, and what the call cost in millionths of a US dollar."""

    text: str
    cost: int


class Speech(Protocol):
    def path(self, spec: JudgeSpec) -> str: ...
    def request(self, spec: JudgeSpec, prompt: Prompt) -> bytes: ...
    def answer(self, spec: JudgeSpec, document: JsonObject) -> Answer:
        """Raises TransportError for a document that holds an error, KeyError and the like for any other shape."""


class _OpenAi:
    def path(self, spec: JudgeSpec) -> str:
        return "/chat/completions"

    def request(self, spec: JudgeSpec, prompt: Prompt) -> bytes:
        body: JsonObject = {
            "model": spec.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            "temperature": 0,
            "max_tokens": MOST_OUT,
            "stream": False,
        }
        if spec.form is Form.OBJECT:
            body["response_format"] = {"type": "json_object"}
        elif spec.form is Form.SCHEMA:
            schema = {"name": "verdict", "strict": True, "schema": {**_SCHEMA, "additionalProperties": False}}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return orjson.dumps(body)

    def answer(self, spec: JudgeSpec, document: JsonObject) -> Answer:
        choice = document["choices"][0]
        _refuse_error(choice)
        text, usage = choice["message"]["content"], document.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        told = usage.get("cost")  # OpenRouter says it in dollars
        if isinstance(told, int | float) and not isinstance(told, bool) and told >= 0:
            return Answer(text, min(round(told * 1e6), _DEAREST))
        return Answer(text, _cost(spec, usage.get("prompt_tokens"), usage.get("completion_tokens"), text))


class _Gemini:
    def path(self, spec: JudgeSpec) -> str:
        return f"/models/{quote(spec.model, safe='')}:generateContent"

    def request(self, spec: JudgeSpec, prompt: Prompt) -> bytes:
        config: JsonObject = {"temperature": 0, "maxOutputTokens": MOST_OUT, "candidateCount": 1}
        if spec.form is not Form.NONE:
            config["responseMimeType"] = "application/json"
        if spec.form is Form.SCHEMA:
            config["responseSchema"] = _SCHEMA
        body = {
            "systemInstruction": {"parts": [{"text": prompt.system}]},
            "contents": [{"role": "user", "parts": [{"text": prompt.user}]}],
            "generationConfig": config,
        }
        return orjson.dumps(body)

    def answer(self, spec: JudgeSpec, document: JsonObject) -> Answer:
        parts = document["candidates"][0]["content"]["parts"]
        text = "".join(part["text"] for part in parts if not part.get("thought"))
        usage = document.get("usageMetadata")
        usage = usage if isinstance(usage, dict) else {}
        return Answer(text, _cost(spec, usage.get("promptTokenCount"), usage.get("candidatesTokenCount"), text))


SPEECHES: Final[Mapping[Dialect, Speech]] = MappingProxyType({Dialect.OPENAI: _OpenAi(), Dialect.GEMINI: _Gemini()})


def read_answer(spec: JudgeSpec, body: bytes) -> Answer:
    """Return the text of a body that came with status 200. Raises TransportError: errors stand in such bodies too."""
    try:
        document = orjson.loads(body)  # spaces in front of it keep OpenRouter's connections alive
        _refuse_error(document)
        answer = SPEECHES[spec.dialect].answer(spec, document)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise TransportError(CallResult.PROTOCOL) from None
    if not isinstance(answer.text, str):
        raise TransportError(CallResult.PROTOCOL)
    return answer


def failure_of(status: int) -> CallResult:
    """Return what a status other than 2xx means."""
    if 300 <= status < 400:
        return CallResult.REDIRECT
    if status == 429:
        return CallResult.RATE_LIMITED
    return CallResult.SERVER if status >= 500 or status == 408 else CallResult.REFUSED


def estimate(spec: JudgeSpec, prompt: Prompt) -> int:
    """Return what a call will cost at most, roughly, before anybody is asked (millionths of a US dollar)."""
    size = len(prompt.system.encode()) + len(prompt.user.encode("utf-8", "replace"))
    return _price(spec, size / 3, MOST_OUT)  # bytes: in Chinese, three of them are a letter and about a token


def _refuse_error(document: Any) -> None:
    error = document.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        raise TransportError(failure_of(code) if isinstance(code, int) and code >= 300 else CallResult.SERVER)


def _cost(spec: JudgeSpec, tokens_in: object, tokens_out: object, text: str) -> int:
    """By the tokens that the answer names; where it names none, as if every token were two characters."""
    counted = [
        tokens if isinstance(tokens, int) and 0 <= tokens <= 10_000_000 else None for tokens in (tokens_in, tokens_out)
    ]
    tokens_in = counted[0] if counted[0] is not None else 2_000
    tokens_out = counted[1] if counted[1] is not None else len(text) / 2
    return min(_price(spec, tokens_in, tokens_out), _DEAREST)


def _price(spec: JudgeSpec, tokens_in: float, tokens_out: float) -> int:
    return round(tokens_in * spec.price_in + tokens_out * spec.price_out)
