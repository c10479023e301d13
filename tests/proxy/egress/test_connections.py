"""What a client says on a connection that our proxy handed over, as the data plane reads it."""

from __future__ import annotations

import pytest
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage

from proxy.egress.connections import HandedOver
from proxy.egress.settings import KNOWN_HOSTS, EgressHost

ROOT = EgressHost(base_url="https://llm.example")
SAID = (("x-promptshield-key", "sk-ps-theirs"), ("x-promptshield-egress", "api.openai.com token"))


class _Connection:
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def parsed(*lines: str) -> RawRequestMessage:
    parser = HttpRequestParser(_Connection(), None, 2**16)  # type: ignore[arg-type]
    ((message, _),), _, _ = parser.feed_data("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    return message


@pytest.mark.parametrize(
    ("host", "path", "placed"),
    [
        (KNOWN_HOSTS["api.openai.com"], "/v1/chat/completions", "/openai/v1/chat/completions"),
        (KNOWN_HOSTS["api.openai.com"], "/v1/models?limit=2", "/openai/v1/models?limit=2"),
        (KNOWN_HOSTS["api.openai.com"], "/hooks/portkey", "/openai/hooks/portkey"),
        (KNOWN_HOSTS["api.openai.com"], "/egress/identity", "/openai/egress/identity"),
        (KNOWN_HOSTS["api.openai.com"], "/v1x/models", "/openai/v1x/models"),
        (KNOWN_HOSTS["openrouter.ai"], "/api/v1/chat/completions", "/openai/v1/chat/completions"),
        (KNOWN_HOSTS["openrouter.ai"], "/anthropic/v1/messages", "/openai/anthropic/v1/messages"),
        (KNOWN_HOSTS["api.anthropic.com"], "/v1/messages", "/anthropic/v1/messages"),
        (KNOWN_HOSTS["generativelanguage.googleapis.com"], "/v1beta/models", "/gemini/v1beta/models"),
        (ROOT, "/chat/completions", "/openai/v1/chat/completions"),
        (ROOT, "/v1/chat/completions", "/openai/v1/chat/completions"),
        (ROOT, "https://llm.example/v1/models", "/openaihttps://llm.example/v1/models"),  # the edge knows no such path
    ],
)
def test_every_path_of_a_host_lies_below_its_dialects_mount(host: EgressHost, path: str, placed: str) -> None:
    message = HandedOver(host, SAID).placed(parsed(f"GET {path} HTTP/1.1", "Host: llm.example"))
    assert message.path == placed


def test_headers_of_ours_are_our_proxys_to_write() -> None:
    lines = ("X-PromptShield-Key: sk-ps-other", "x-promptshield-egress: evil guess", "x-promptshield-session: 7")
    came = parsed("POST /v1/x HTTP/1.1", "Host: api.openai.com", "Authorization: Bearer a", *lines)
    message = HandedOver(KNOWN_HOSTS["api.openai.com"], SAID).placed(came)
    kept = [("Host", "api.openai.com"), ("Authorization", "Bearer a")]
    assert list(message.headers.items()) == [*kept, *SAID]
    assert list(message.raw_headers) == [(name.encode(), value.encode()) for name, value in (*kept, *SAID)]
    assert (message.method, message.version, message.should_close) == (came.method, came.version, came.should_close)
