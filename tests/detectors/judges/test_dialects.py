"""The two dialects: what is asked, what is read, and what it cost."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from detectors.judges.dialects import SPEECHES, estimate, failure_of, read_answer
from detectors.judges.prompt import prompt_for
from detectors.judges.types import CallResult, Dialect, Form, JudgeSpec, TransportError
from tests.detectors.judges.conftest import QUESTION

OPENAI = JudgeSpec("kimi", Dialect.OPENAI, "https://a.example/v1", "m/k2", price_in=0.6, price_out=2.5)
GEMINI = replace(OPENAI, dialect=Dialect.GEMINI, model="gemini 1/5")


def chat(**more: object) -> bytes:
    return orjson.dumps({"choices": [{"message": {"content": "hello"}}], **more})


def test_tokens_are_priced_and_a_price_that_is_told_is_believed() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    assert read_answer(OPENAI, chat(usage=usage)).cost == 850  # 1000 x 0.6 + 100 x 2.5 millionths
    assert read_answer(OPENAI, b"\n   \n" + chat(usage={**usage, "cost": 0.0002})).cost == 200


@pytest.mark.parametrize("cost", [-1, True, "free", 1e12, None])
def test_no_answer_makes_its_call_free_or_ruinous(cost: object) -> None:
    charged = read_answer(OPENAI, chat(usage={"prompt_tokens": 1000, "cost": cost})).cost
    assert 0 < charged <= 1_000_000


def test_gemini_is_asked_and_read_in_its_own_words() -> None:
    speech, prompt = SPEECHES[Dialect.GEMINI], prompt_for(QUESTION)
    assert speech.path(GEMINI) == "/models/gemini%201%2F5:generateContent"
    body = orjson.loads(speech.request(replace(GEMINI, form=Form.SCHEMA), prompt))
    assert body["systemInstruction"]["parts"][0]["text"] == prompt.system
    assert body["generationConfig"]["responseSchema"]["required"] == ["check", "category", "confidence", "reason"]
    parts = [{"text": "thinking", "thought": True}, {"text": "he"}, {"text": "llo"}]
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 100}
    answer = read_answer(GEMINI, orjson.dumps({"candidates": [{"content": {"parts": parts}}], "usageMetadata": usage}))
    assert (answer.text, answer.cost) == ("hello", 850)


@pytest.mark.parametrize(
    ("form", "kind"), [(Form.OBJECT, "json_object"), (Form.SCHEMA, "json_schema"), (Form.NONE, "")]
)
def test_json_is_asked_for_as_the_judge_knows_it(form: Form, kind: str) -> None:
    body = orjson.loads(SPEECHES[Dialect.OPENAI].request(replace(OPENAI, form=form), prompt_for(QUESTION)))
    assert body.get("response_format", {"type": ""})["type"] == kind


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b"null", b"7", b"{}", b'{"choices": []}', b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": null}}]}', b'{"choices": [{"message": {"content": ["a"]}}]}',
        b'{"choices": {"0": 1}}', b"\xff\xfe",
    ],
)  # fmt: skip
def test_other_shapes_are_failures(body: bytes) -> None:
    with pytest.raises(TransportError) as failure:
        read_answer(OPENAI, body)
    assert failure.value.result is CallResult.PROTOCOL


def test_a_gemini_prompt_that_its_own_filter_stops_is_a_failure() -> None:
    with pytest.raises(TransportError):
        read_answer(GEMINI, orjson.dumps({"promptFeedback": {"blockReason": "SAFETY"}}))


@pytest.mark.parametrize(
    ("status", "result"),
    [(302, "redirect"), (400, "refused"), (402, "refused"), (408, "server"), (429, "rate_limited"), (503, "server")],
)
def test_what_a_status_means(status: int, result: str) -> None:
    assert failure_of(status) == result
    with pytest.raises(TransportError) as failure:
        read_answer(OPENAI, orjson.dumps({"error": {"code": status, "message": "x"}}))
    assert failure.value.result == result


def test_what_is_set_aside_is_at_least_what_it_costs() -> None:
    prompt = prompt_for(QUESTION)
    tokens = (len(prompt.system) + len(prompt.user)) / 3
    assert estimate(OPENAI, prompt) > tokens * 0.6 + 100 * 2.5
