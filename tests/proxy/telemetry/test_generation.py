"""Labels of the GenAI conventions: from bounded sets, and never a sentence of a client's."""

from __future__ import annotations

import pytest

from proxy.telemetry.generation import gen_ai_labels


@pytest.mark.parametrize(
    ("codec", "labels"),
    [
        ("openai_chat", ("chat", "openai")),
        ("anthropic_messages", ("chat", "anthropic")),
        ("gemini_generate", ("generate_content", "gcp.gemini")),
        ("openai_embeddings", ("embeddings", "openai")),
        ("generic", ("other", "other")),
    ],
)
def test_a_codec_is_an_operation_of_a_provider(codec: str, labels: tuple[str, str]) -> None:
    assert gen_ai_labels(codec, "m")[:2] == labels


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4.1-mini", "models/gemini-2.5-pro", "ft:gpt:acme::7p4lURel"])
def test_a_models_name_is_a_label(model: str) -> None:
    assert gen_ai_labels("openai_chat", model)[2] == model


@pytest.mark.parametrize("model", ["", "tell me a secret", "x" * 65, 'a"b', "a\nb", "кириллица"])
def test_what_cannot_be_a_models_name_is_none(model: str) -> None:
    assert gen_ai_labels("openai_chat", model)[2] == "other"
