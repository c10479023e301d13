"""Where in a text something may be beginning that a pattern would find if more came: what a stream has to hold back.

Of each pattern another is made that also matches wherever the text ends on the way through it: every character `x` of
it becomes `x` or the end of the text. A counted repeat becomes an uncounted one where it is long, which holds back a
little more and keeps the automaton small.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

from detectors.matcher import EndMatcher
from detectors.pattern import Pattern

# The only reader of patterns there is.
ops: Final[Any] = import_module("re._constants")
_parser: Final[Any] = import_module("re._parser")
_LONG: Final = 20  # repeats from which on nobody counts
_END: Final = r"\z"
_BRACED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{1,8})\}")  # RE2's notation, which the reader does not know
_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
_PLACES: Final = {
    ops.AT_BEGINNING: "^", ops.AT_BEGINNING_STRING: r"\A", ops.AT_BOUNDARY: r"\b", ops.AT_NON_BOUNDARY: r"\B",
    ops.AT_END: "$", ops.AT_END_STRING: r"\z",
}  # fmt: skip
_CLASSES: Final = {
    ops.CATEGORY_DIGIT: r"\d", ops.CATEGORY_NOT_DIGIT: r"\D", ops.CATEGORY_SPACE: r"\s", ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w", ops.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


class Beginnings:
    """The beginnings of a list of patterns. Raises ValueError for one that nobody can take apart."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._matcher = EndMatcher([Pattern(beginnings_of(p.expression), caseless=p.caseless) for p in patterns])

    def earliest(self, text: str) -> int:
        """Return where the first thing begins that may go on behind the end of `text`; its length if nothing does."""
        return self._matcher.start(text)


@cache  # asked when signatures are loaded, and when the automaton is built
def beginnings_of(expression: str) -> str:
    """Return a pattern for all that `expression` matches, and for all that may become a match behind the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sets that another release may read otherwise
        try:
            parsed = _parser.parse(_BRACED.sub(lambda m: f"\\U{int(m[1], 16):08x}", expression).replace(_END, r"\Z"))
            return _flagged(parsed.state.flags, 0, _sequence(parsed))
        except (re.error, KeyError) as exc:
            raise ValueError(f"how it begins cannot be told: {exc}") from exc


def _sequence(nodes: Iterable[Any]) -> str:
    return "".join(_node(op, value) for op, value in nodes)


def _node(op: Any, value: Any) -> str:
    if op is ops.AT:
        return f"(?:{_PLACES[value]}|{_END})"
    if op is ops.BRANCH:
        return f"(?:{'|'.join(map(_sequence, value[1]))})"
    if op is ops.SUBPATTERN:
        _, added, removed, inner = value
        return _flagged(added, removed, _sequence(inner))
    if op in {ops.MAX_REPEAT, ops.MIN_REPEAT}:
        least, most, inner = value
        return f"(?:{_sequence(inner)}){_times(least, most)}"
    return f"(?:{_character(op, value)}|{_END})"


def _character(op: Any, value: Any) -> str:
    if op is ops.LITERAL:
        return _escaped(value)
    if op is ops.NOT_LITERAL:
        return f"[^{_escaped(value)}]"
    if op is ops.ANY:
        return "."
    members: Sequence[tuple[Any, Any]] = {ops.IN: value}[op]  # or it is nothing that RE2 knows
    return f"[{''.join(_member(*member) for member in members)}]"


def _member(op: Any, value: Any) -> str:
    if op is ops.NEGATE:
        return "^"
    if op is ops.RANGE:
        return f"{_escaped(value[0])}-{_escaped(value[1])}"
    return _CLASSES[value] if op is ops.CATEGORY else _escaped(value)


def _times(least: int, most: Any) -> str:
    if most is ops.MAXREPEAT or most > _LONG:
        return "+" if least else "*"
    return f"{{{least},{most}}}"


def _flagged(added: int, removed: int, inner: str) -> str:
    on, off = _letters(added), _letters(removed)
    return f"(?{on}{'-' if off else ''}{off}:{inner})"


def _letters(flags: int) -> str:
    return "".join(letter for flag, letter in _FLAGS.items() if flags & flag)


def _escaped(code: int) -> str:
    return chr(code) if chr(code).isalnum() and code < 128 else f"\\x{{{code:X}}}"
