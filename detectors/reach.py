"""How far a pattern may reach, so that a stream never lets go of the beginning of what it will have to mask."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from re import _constants as ops  # type: ignore[attr-defined]  # the only reader of patterns there is
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from detectors.window import REACH, UNBROKEN

_RE2_ESCAPE: Final = re.compile(r"\\x\{([0-9A-Fa-f]{1,8})\}")
_CLASSES: Final = {
    ops.CATEGORY_DIGIT: frozenset("0123456789"),
    ops.CATEGORY_WORD: frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"),
}
_TOKEN: Final = frozenset(UNBROKEN)
_NOT_READ: Final = "re cannot read it, so nobody can tell how far it reaches"


def problem_of(pattern: str, opening: str | None) -> str | None:
    """Return why a stream could let go of a part of what `pattern` finds; None if it never does.

    What is found (the first group, or all) has REACH characters at most, or only those that tokens are made of, or
    begins with `opening`, after which the pattern matches however much has come.
    """
    try:
        found = _found(_parse(pattern))
        opened = None if opening is None else _parse(opening)
    except (re.error, OverflowError):
        return _NOT_READ
    if opened is not None:
        far = opened.getwidth()[1]
        return None if far <= REACH else f"its opening may have {_shown(far)} characters, {REACH} is the most"
    far = found.getwidth()[1]
    if far <= REACH or all(characters <= _TOKEN for characters in _characters(found)):
        return None
    return f"it may find {_shown(far)} characters, with some among them that end a token: give it an `opening`"


def _parse(pattern: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sets that another release may read otherwise
        return _parser.parse(_RE2_ESCAPE.sub(lambda m: f"\\U{int(m[1], 16):08x}", pattern).replace(r"\z", r"\Z"))


def _found(parsed: Any) -> Any:
    """Return the first group, else all of it."""
    for op, value in parsed:
        if op is ops.SUBPATTERN and value[0] == 1:
            return value[3]
        for below in _below(op, value):
            group = _found(below)
            if group is not below:
                return group
    return parsed


def _below(op: Any, value: Any) -> Sequence[Any]:
    if op is ops.BRANCH:
        return value[1]  # type: ignore[no-any-return]
    if op is ops.SUBPATTERN:
        return (value[3],)
    return (value[2],) if op in {ops.MAX_REPEAT, ops.MIN_REPEAT} else ()


def _characters(parsed: Any) -> Iterator[frozenset[str]]:
    """Yield the sets of characters of which a match is made; a set with a line feed stands for all that is else."""
    for op, value in parsed:
        if op is ops.LITERAL:
            yield frozenset(chr(value))
        elif op is ops.IN:
            yield frozenset().union(*(_members(item, of) for item, of in value))
        elif op in {ops.ANY, ops.NOT_LITERAL}:
            yield frozenset("\n")
        for below in _below(op, value):
            yield from _characters(below)


def _members(op: Any, value: Any) -> frozenset[str]:
    if op is ops.LITERAL:
        return frozenset(chr(value))
    if op is ops.RANGE:
        low, high = value
        return frozenset(map(chr, range(low, min(high, low + 0x1000) + 1)))
    return _CLASSES.get(value, frozenset("\n"))  # a negated set, or a class such as \s


def _shown(far: int) -> str:
    return "any number of" if far > 1 << 20 else str(far)
