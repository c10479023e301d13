from __future__ import annotations

import time

import pytest

from detectors.errors import EdgeError
from proxy.app import load_readers
from proxy.key_limits import has_expired, hold_to_models, hold_to_scopes, may_use, unknown_scope
from storage.types import Identity


def key(
    scopes: tuple[str, ...] | None = None, models: tuple[str, ...] | None = None, ends: float | None = None
) -> Identity:
    return Identity(1, "acme", 2, "shop", 3, ends, scopes, models)


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (None, True),
        (("openai",), True),
        (("anthropic", "open*"), True),
        (("anthropic",), False),
        (("POST /v1/chat/*",), True),
        (("GET /v1/chat/*",), False),
        (("POST /v1/embeddings",), False),
        (("POST",), False),
        (("*",), True),
        (("openai_chat",), True),
        (("openai_azure*",), False),
    ],
)
def test_a_key_is_held_to_its_scopes(scopes: tuple[str, ...] | None, *, allowed: bool) -> None:
    def use() -> None:
        hold_to_scopes(key(scopes), ("openai", "openai_chat"), "POST", "/v1/chat/completions")

    if allowed:
        use()
        return
    with pytest.raises(EdgeError) as caught:
        use()
    assert (caught.value.status, caught.value.code) == (403, "key_scope")


@pytest.mark.parametrize(
    ("scope", "problem"),
    [
        ("openai", ""),
        ("open*", ""),
        ("gemini_embed", ""),
        ("hook_llm_guard", ""),
        ("POST /v1/chat/*", ""),
        ("* *", ""),
        ("openay", "no request has the scope 'openay' (did you mean 'openai'?)"),
        ("post /v1/chat", "no request has the scope 'post /v1/chat': a dialect (anthropic, gemini, openai), or"),
        ("", "no request has the scope ''"),
    ],
)
def test_a_scope_that_covers_nothing_is_refused(scope: str, problem: str) -> None:
    codecs, hooks = load_readers()
    told = unknown_scope(["openai", scope], codecs, hooks)
    assert told.startswith(problem)
    assert bool(told) is bool(problem)


def test_a_key_is_held_to_its_models() -> None:
    limited = key(models=("gpt-*", "demo-small"))
    assert [may_use(limited, model) for model in ("gpt-5", "demo-small", "claude-x", "")] == [True, True, False, False]
    assert may_use(key(), "anything")
    with pytest.raises(EdgeError) as caught:
        hold_to_models(limited, "claude-x")
    assert (caught.value.status, caught.value.code, caught.value.param) == (403, "model_not_allowed", "model")


def test_a_key_that_has_ended_is_told() -> None:
    assert has_expired(key(ends=time.time() - 1))
    assert not has_expired(key(ends=time.time() + 60))
    assert not has_expired(key())
