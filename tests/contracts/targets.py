"""A request line for each codec, for tests that need to say where a body goes."""

from __future__ import annotations

from typing import Final

from proxy.codec import Target

TARGETS: Final = {
    "openai_chat": Target("POST", "/v1/chat/completions"),
}
