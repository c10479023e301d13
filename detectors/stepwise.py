"""Long texts in steps: one call into C keeps all other threads waiting until it returns, the event loop among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

STEP = 1 << 15  # characters: about a millisecond of matching
LONG = (
    1 << 18
)  # characters from which on steps pay: below, one call takes some 20 ms at worst, and steps thrice as long
_NEAR = 64  # characters before an edge within which what repeats in a match may have been cut
_SHORTEST_WITHIN = 4096  # characters in which `begin` of a run finds the least that it needs


def whole_runs(begin: re.Pattern[str], more: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Yield where runs start and end that may be as long as the text: `begin` finds the first part of one, `more` what
    goes on where a part ended. Both match a bounded length, so that others have their turn.
    """
    found = _next(begin, text, 0)
    while found is not None:
        start, end = found.span()
        part = more.match(text, end)
        while part is not None and part.end() > end:
            end = part.end()
            part = more.match(text, end)
        yield start, end
        found = _next(begin, text, end)


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield what `pattern.finditer` does, of a pattern whose matches are never empty.

    In a long text, one that shows only after 4,096 characters that it is a match may be passed over.
    """
    position = 0
    while len(text) > LONG and len(text) - position > STEP + _SHORTEST_WITHIN:
        stop = position + STEP
        edge = stop + _SHORTEST_WITHIN
        for found in pattern.finditer(text, position, edge):
            if found.start() >= stop:
                break
            # Near the edge it may go on, or be none.
            whole = found if found.end() < edge - _NEAR else pattern.match(text, found.start())
            if whole is None:
                stop = position = found.start() + 1
                break
            yield whole
            position = whole.end()
        position = max(position, stop)
    yield from pattern.finditer(text, position)


def _next(begin: re.Pattern[str], text: str, position: int) -> re.Match[str] | None:
    """Return what `begin.search` does, step by step."""
    while len(text) - position > STEP + _SHORTEST_WITHIN:
        edge = position + STEP + _SHORTEST_WITHIN
        found = begin.search(text, position, edge)
        if found is None or found.start() >= position + STEP:
            position += STEP
        elif found.end() < edge:
            return found
        else:  # it may go on, or be none, beyond the edge
            whole = begin.match(text, found.start())
            if whole is not None:
                return whole
            position = found.start() + 1
    return begin.search(text, position)


def every(pattern: re.Pattern[str], text: str) -> list[str]:
    """Return all that `pattern.findall` does, of a pattern without groups."""
    return pattern.findall(text) if len(text) <= LONG else [match.group() for match in matches(pattern, text)]


def replaced(pattern: re.Pattern[str], say: str | Callable[[re.Match[str]], str], text: str) -> str:
    """Return what `pattern.sub` does, of a pattern for `matches`; `say` holds no backslash."""
    if len(text) <= LONG:
        return pattern.sub(say, text)
    pieces: list[str] = []
    position = 0
    for match in matches(pattern, text):
        start, end = match.span()
        pieces += (text[position:start], say if isinstance(say, str) else say(match))
        position = end
    return "".join([*pieces, text[position:]])
