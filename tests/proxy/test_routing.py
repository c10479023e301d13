"""Who reads a request, and in whose words it is refused: mount, then route, then header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from proxy.codec import Codec, Target
from proxy.routing import choose_codec, error_codec


@dataclass(frozen=True, slots=True)
class Reader:
    """As much of a codec as routing looks at."""

    name: str
    dialect: str
    paths: tuple[str, ...]

    def claims(self, method: str, path: str) -> bool:
        return method == "POST" and path in self.paths


CHAT = cast("Codec", Reader("chat", "openai", ("/v1/chat/completions", "/v1/shared", "/v1/files")))
MESSAGES = cast("Codec", Reader("messages", "anthropic", ("/v1/messages", "/v1/shared")))
GENERATE = cast("Codec", Reader("generate", "gemini", ("/v1beta/models/m:generateContent",)))
ALL = (CHAT, MESSAGES, GENERATE)


@pytest.mark.parametrize(
    ("target", "headers", "name"),
    [
        (Target("POST", "/v1/chat/completions"), {}, "chat"),
        (Target("POST", "/v1/chat/completions"), {"anthropic-version": "2023-06-01"}, "chat"),
        (Target("POST", "/v1/messages"), {}, "messages"),
        (Target("POST", "/v1/shared"), {}, "chat"),
        (Target("POST", "/v1/shared"), {"anthropic-version": "2023-06-01"}, "messages"),
        (Target("POST", "/v1/shared", mount="anthropic"), {}, "messages"),
        (Target("POST", "/v1/shared", mount="openai"), {"anthropic-version": "2023-06-01"}, "chat"),
        (Target("POST", "/v1beta/models/m:generateContent"), {}, "generate"),
        (Target("POST", "/v1/messages", mount="openai"), {}, None),
        (Target("POST", "/v1/messages", mount="gemini"), {"anthropic-version": "2023-06-01"}, None),
        (Target("GET", "/v1/messages"), {}, None),
        (Target("POST", "/v1/files"), {}, "chat"),
        (Target("POST", "/v1/files"), {"anthropic-version": "2023-06-01"}, None),
        (Target("POST", "/v1/files", mount="openai"), {"anthropic-version": "2023-06-01"}, "chat"),
        (Target("GET", "/v1/files/file_1/content"), {"x-goog-api-key": "k"}, None),
        (Target("POST", "/v1/elsewhere"), {}, None),
    ],
)
def test_the_mount_wins_then_the_route_then_the_header(target: Target, headers: dict[str, str], name: str) -> None:
    chosen = choose_codec(ALL, target, headers)
    assert (chosen.name if chosen else None) == name


@pytest.mark.parametrize(
    ("target", "headers", "dialect"),
    [
        (Target("POST", "/nowhere"), {}, "openai"),
        (Target("POST", "/nowhere"), {"anthropic-version": "2023-06-01"}, "anthropic"),
        (Target("POST", "/nowhere"), {"x-goog-api-key": "k"}, "gemini"),
        (Target("POST", "/nowhere"), {"x-goog-api-client": "genai"}, "gemini"),
        (Target("POST", "/nowhere", "alt=sse&key=k"), {}, "gemini"),
        (Target("POST", "/nowhere", "monkey=k"), {}, "openai"),
        (Target("POST", "/v1beta/nowhere"), {}, "gemini"),
        (Target("POST", "/nowhere", mount="openai"), {"x-goog-api-key": "k"}, "openai"),
    ],
)
def test_an_error_is_said_in_the_words_of_who_asked(target: Target, headers: dict[str, str], dialect: str) -> None:
    assert error_codec(ALL, target, headers).dialect == dialect
