"""Request bodies of the benchmark, every one new: short, 8 KB, and a conversation of 20 turns with one new message."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import orjson

_WORDS = (
    "please explain how the water cycle moves heat around the planet and why coastal towns have milder winters than "
    "places far from any sea while you keep the answer short enough for a child who likes maps and old ships"
).split()


def text(size: int, number: int) -> str:
    """Return ordinary words, about `size` characters, different for every `number`."""
    words = itertools.cycle(_WORDS[number % len(_WORDS) :] + _WORDS[: number % len(_WORDS)])
    said, length = [f"Question {number}:"], 12
    while length < size:
        word = next(words)
        said.append(word)
        length += len(word) + 1
    return " ".join(said) + "?"


def bodies(kind: str, count: int, first: int) -> Iterator[bytes]:
    history = [{"role": "user" if n % 2 == 0 else "assistant", "content": text(1500, n)} for n in range(19)]
    for number in range(first, first + count):
        match kind:
            case "short":
                messages = [{"role": "user", "content": text(200, number)}]
            case "8 KB":
                messages = [{"role": "user", "content": text(8192, number)}]
            case _:
                messages = [*history, {"role": "user", "content": text(1500, number)}]
        yield orjson.dumps({"model": "bench", "messages": messages})


KINDS = ("short", "8 KB", "20 turns")
