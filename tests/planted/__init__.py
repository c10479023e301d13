"""Every surface by the name of its codec."""

from __future__ import annotations

from typing import Final

from tests.planted import anthropic, gemini, generic, openai
from tests.planted.surface import Surface

SURFACES: Final = {
    value.codec: value
    for room in (openai, anthropic, gemini, generic)
    for value in vars(room).values()
    if isinstance(value, Surface)
}
