"""A real LiteLLM proxy that asks our guard hook about what passes through it, as docs/hooks.md says."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import APIConnectionError, BadRequestError, OpenAI

from tests.sdk.conftest import Running
from tests.sdk.echo import Echo
from tests.sdk.texts import ATTACK, MASKED, ORDINARY, PERSONAL

CONFIG = """
model_list:
  - model_name: echo
    litellm_params: {{model: openai/echo, api_base: "{echo}", api_key: none}}
guardrails:
  - guardrail_name: promptshield
    litellm_params:
      guardrail: generic_guardrail_api
      mode: [pre_call, post_call]
      default_on: true
      api_base: "{root}/hooks/litellm"
      api_key: "{key}"
      unreachable_fallback: fail_closed
      streaming_transform_mode: incremental_diff
"""
PATIENCE = 80.0  # seconds until a LiteLLM proxy answers on a loaded machine


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with Echo() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def app(running: Running, echo: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    """An app in front of a LiteLLM proxy that knows nothing of a firewall."""
    config, key = tmp_path_factory.mktemp("litellm") / "config.yaml", f"sk-{secrets.token_hex(32)}"
    config.write_text(CONFIG.format(echo=echo.url, root=running.root, key=running.key))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    litellm = [str(Path(sys.executable).parent / "litellm"), "--config", str(config), "--host", "127.0.0.1"]
    with (config.parent / "log").open("w") as log:
        process = subprocess.Popen(
            [*litellm, "--port", port], stdout=log, stderr=log, env={**os.environ, "LITELLM_MASTER_KEY": key}
        )
    try:
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as client:
            _wait_for(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(client: OpenAI, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        try:
            client.models.list()
        except APIConnectionError:
            time.sleep(0.3)  # noqa: TID251 - another program's start
        else:
            return


def ask(app: OpenAI, text: str) -> str | None:
    return (
        app.chat.completions.create(model="echo", messages=[{"role": "user", "content": text}])
        .choices[0]
        .message.content
    )


def streamed(app: OpenAI, text: str) -> str:
    stream = app.chat.completions.create(model="echo", messages=[{"role": "user", "content": text}], stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@pytest.mark.timeout(120)
def test_an_ordinary_question_passes(app: OpenAI, echo: Echo) -> None:
    assert ask(app, ORDINARY) == ORDINARY
    assert echo.received[-1] == ORDINARY


def test_an_attack_is_stopped_before_the_model(app: OpenAI, echo: Echo) -> None:
    before = len(echo.received)
    with pytest.raises(BadRequestError, match=r"blocked by policy \(prompt_injection, system_prompt_leak\)"):
        ask(app, ATTACK)
    assert len(echo.received) == before


def test_personal_data_reaches_the_model_masked(app: OpenAI, echo: Echo) -> None:
    assert ask(app, PERSONAL) == MASKED
    assert echo.received[-1] == MASKED


def test_a_stream_passes_and_is_masked(app: OpenAI, echo: Echo) -> None:
    assert streamed(app, ORDINARY) == ORDINARY
    assert streamed(app, PERSONAL) == MASKED
    assert echo.received[-1] == MASKED


def test_a_stream_is_stopped_before_the_model(app: OpenAI, echo: Echo) -> None:
    before = len(echo.received)
    with pytest.raises(BadRequestError, match="blocked by policy"):
        streamed(app, ATTACK)
    assert len(echo.received) == before
