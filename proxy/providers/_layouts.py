"""Where in each dialect's answers texts are said and calls are made: the places where pseudonyms are restored.

Anthropic's thinking is left out: it is signed, nobody needs to read it, and what comes back must be what was signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from proxy.pseudonyms.restorable import Layout

NOWHERE: Final = Layout()

_SAID: Final = ("content", "refusal", "reasoning_content", "reasoning")
_IN_PARTS: Final = (
    "content/*/text",
    "content/*/refusal",
    "reasoning_details/*/text",
    "reasoning_details/*/summary",
    "audio/transcript",
)
_CALLS: Final = ("tool_calls/*/function/arguments", "tool_calls/*/custom/input", "function_call/arguments")


def _below(holders: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{holder}/{path}" for holder in holders for path in paths)


CHOICES: Final = Layout(
    spoken=("choices/*/text", *_below(["choices/*/message"], (*_SAID, *_IN_PARTS))),
    called=_below(["choices/*/message"], _CALLS),
)
# The channels of a stream: the index of a choice and the path in there.
CHOICE_CHANNELS: Final = Layout(spoken=("*/text", *_below(["*/delta"], (*_SAID, *_IN_PARTS))))

MEDIA: Final = Layout(spoken=("text", "data/*/revised_prompt"))

_ITEM_TEXTS: Final = ("content/*/text", "content/*/refusal", "summary/*/text", "audio/transcript")
_ITEM_CALLS: Final = ("arguments", "input")
_RESPONSE_TEXTS: Final = ("instructions", "output_text")


# A response, a list of items, or an item by itself.
RESPONSE: Final = Layout(
    spoken=(*_below(["output/*", "data/*"], _ITEM_TEXTS), *_ITEM_TEXTS, *_RESPONSE_TEXTS),
    called=(*_below(["output/*", "data/*"], _ITEM_CALLS), *_ITEM_CALLS),
)
RESPONSE_EVENTS: Final = Layout(
    spoken=(
        *_below(["item", "response/output/*"], _ITEM_TEXTS),
        *_below(["part"], ("text", "refusal")),
        *_below(["response"], _RESPONSE_TEXTS),
    ),
    called=_below(["item", "response/output/*"], _ITEM_CALLS),
)

MESSAGE: Final = Layout(spoken=("content/*/text",), called=("content/*/input",))
MESSAGE_EVENTS: Final = Layout(
    spoken=("message/content/*/text", "content_block/text"), called=("message/content/*/input", "content_block/input")
)
BLOCK_CHANNELS: Final = Layout(spoken=("*/text_delta/text",))

_PARTS: Final = "candidates/*/content/parts/*"
CANDIDATES: Final = Layout(
    spoken=_below([_PARTS], ("text",)), called=_below([_PARTS], ("functionCall/args", "function_call/args"))
)
PART_CHANNELS: Final = Layout(spoken=("*/text", "*/thought"))
