"""Putting real values back into what a model wrote, but for places from where an address would carry them off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from proxy.bodies.json_document import is_json
from proxy.pseudonyms.pseudonyms import LONGEST, Pseudonyms
from proxy.pseudonyms.surroundings import Surroundings

_SLACK: Final = 16  # characters that a model may have put into a placeholder
_INSIDE: Final = rf"[A-Za-z0-9_\s`*'\u2019\\]{{%s,{LONGEST + _SLACK - 2}}}"
_PLACEHOLDER: Final = re.compile(rf"\[({_INSIDE % 1})\]")
_BEGUN: Final = re.compile(rf"\[{_INSIDE % 0}")
_POSSESSIVE: Final = re.compile(r"['\u2019]s[\s`*]*$", re.IGNORECASE)
# Behind a placeholder, what would make of the value a part of somebody's host or mailbox; a letter of genitive is none.
_HOST_GOES_ON: Final = re.compile(r"[.+_%][^\W_]|-\S|@|(?!s(?:[^\w.-]|$))[A-Za-z0-9]")
_AHEAD: Final = 2  # characters that this looks at
_JSON_BEGUN: Final = re.compile(r"\s{0,64}(?:[\[{]\s{0,64})?")
_JSON: Final = re.compile(r"\s{0,64}(?:\{\s{0,64}[\"}]|\[\s{0,64}[\"{\[\]0-9-])")
# What begins like an array and is over, with more behind it: the number of a source, say.
_NO_JSON: Final = re.compile(r'\s{0,64}\[[^"\[\]{}]{0,64}\]\s{0,64}\S')
_LONGEST_START: Final = 256  # characters in which this is seen
_LITERAL: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_KEY_ENDS: Final = re.compile(r"\s*:")
_LONGEST_JSON: Final = 256 * 1024  # characters held until they are a whole document


class TextRestorer:
    """Restores one text that comes in pieces of any size; at most a placeholder's length stays behind.

    Case, white space, backticks, asterisks and backslashes inside a placeholder are forgiven, and a possessive moves
    behind the value. What was not issued to this exchange stays as it is.
    """

    def __init__(self, pseudonyms: Pseudonyms, surroundings: Surroundings) -> None:
        self._pseudonyms, self._surroundings = pseudonyms, surroundings
        self._held = ""

    def push(self, text: str) -> str:
        """Return what no placeholder can still begin in."""
        self._held += text
        return "".join(self._advance(final=False))

    def finish(self) -> str:
        return "".join(self._advance(final=True))

    def _advance(self, *, final: bool) -> Iterator[str]:
        held, begins, position = self._held, 0, 0
        while (position := held.find("[", position)) >= 0:
            match = _PLACEHOLDER.match(held, position)
            value = None if match is None else self._value(match.group(1))
            if not final and _is_open(held, position, match, value):
                break
            if match is None or value is None:
                position += 1
                continue
            yield self._shown(held[begins:position])
            begins = position = match.end()
            leaks = self._surroundings.is_address or _HOST_GOES_ON.match(held, position)
            yield self._shown(match.group() if leaks or not self._pseudonyms.afford(value) else value)
        waits = len(held) if position < 0 else position
        yield self._shown(held[begins:waits])
        self._held = held[waits:]

    def _shown(self, text: str) -> str:
        self._surroundings.feed(text)
        return text

    def _value(self, inside: str) -> str | None:
        possessive = _POSSESSIVE.search(inside)
        name, end = (inside, "") if possessive is None else (inside[: possessive.start()], possessive.group())
        value = self._pseudonyms.value_of(name)
        return None if value is None else value + end


class ChannelRestorer:
    """Restores one channel: JSON is held until it is whole, because there values are written as JSON writes them.

    `surroundings` is where the text begins, and in the end where it ended: apps show the parts of an answer as one.
    `whole` holds whatever it is until its end.
    """

    def __init__(self, pseudonyms: Pseudonyms, surroundings: Surroundings, *, whole: bool = False) -> None:
        self._pseudonyms, self.surroundings, self._whole = pseudonyms, surroundings, whole
        self._text: TextRestorer | None = None
        self._is_json = False
        self._held = list[str]()
        self._size = 0

    def push(self, text: str) -> str:
        """Return what can be told already of all that came."""
        if self._text is not None:
            return self._text.push(text)
        self._held.append(text)
        starts = self._size < _LONGEST_START
        self._size += len(text)
        if starts and not self._whole:
            beginning = "".join(self._held)
            if _JSON_BEGUN.fullmatch(beginning):
                return ""
            self._is_json = _JSON.match(beginning) is not None and not _NO_JSON.match(beginning)
        if self._whole or (self._is_json and self._size <= _LONGEST_JSON):
            return ""
        return self._begin_text("".join(self._held))

    def finish(self) -> str:
        held = "".join(self._held)
        if self._text is None and is_json(held):
            return self._restored_json(held)
        begun = self._begin_text(held) if self._text is None else ""
        return begun + (self._text.finish() if self._text is not None else "")

    def _begin_text(self, held: str) -> str:
        self._text, self._held = TextRestorer(self._pseudonyms, self.surroundings), []
        return self._text.push(held)

    def _restored_json(self, text: str) -> str:
        """Return a JSON document with its strings restored, each by itself; keys and all between them stay.

        Shown as it stands, a link may reach over several of its strings: inside of one nothing comes back.
        """
        kept, position = list[str](), 0
        for literal in _LITERAL.finditer(text):
            self.surroundings.feed(text[position : literal.start()])
            said = literal.group()
            if "[" in said and not self.surroundings.is_markup and not _KEY_ENDS.match(text, literal.end()):
                plain = orjson.loads(said)
                restored = restored_text(plain, self._pseudonyms, Surroundings())
                said = said if restored == plain else orjson.dumps(restored).decode()
            self.surroundings.feed(said)
            kept += [text[position : literal.start()], said]
            position = literal.end()
        self.surroundings.feed(text[position:])
        return "".join([*kept, text[position:]])


def restored_text(text: str, pseudonyms: Pseudonyms, surroundings: Surroundings) -> str:
    """Return a whole text as a stream of it would say it, beginning where `surroundings` ended."""
    channel = ChannelRestorer(pseudonyms, surroundings)
    return channel.push(text) + channel.finish()


def restored_value(value: Any, pseudonyms: Pseudonyms) -> Any:
    """Return a JSON value with every string in it restored by itself, and every key as it was."""
    match value:
        case str():
            channel = ChannelRestorer(pseudonyms, Surroundings(), whole=True)
            return channel.push(value) + channel.finish() if "[" in value else value
        case dict():
            return {key: restored_value(child, pseudonyms) for key, child in value.items()}
        case list():
            return [restored_value(child, pseudonyms) for child in value]
        case _:
            return value


def _is_open(held: str, start: int, match: re.Match[str] | None, value: str | None) -> bool:
    """Tell whether more text may make something else of what begins at `start`."""
    if match is not None:
        return value is not None and len(held) < match.end() + _AHEAD
    begun = _BEGUN.match(held, start)
    return begun is not None and begun.end() == len(held)
