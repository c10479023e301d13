"""Where in an answer a text stands that is said to somebody, and where the arguments of a tool call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple


@dataclass(frozen=True, slots=True)
class Use:
    """What a text is for: said to somebody where `tool` is None, else the arguments of that tool's call.

    A call whose tool is not known has the empty name, which no policy can list.
    """

    tool: str | None = None


SPOKEN: Final = Use()


class Restorable(NamedTuple):
    """A value and the object that holds it."""

    holder: dict[str, Any]
    key: str
    use: Use


class Layout:
    """Places by path, `*` for any step. The step behind the last slash of a call is the member with its arguments;
    its tool's name stands beside it.
    """

    def __init__(self, spoken: tuple[str, ...] = (), called: tuple[str, ...] = ()) -> None:
        self._spoken = tuple(tuple(path.split("/")) for path in spoken)
        self._called = tuple(tuple(path.split("/")) for path in called)

    def places(self, document: Any) -> Iterator[Restorable]:
        """Yield the places that a document has, texts in the order in which they are read."""
        for path in self._spoken:
            for holder in _holders(document, path):
                if isinstance(holder[path[-1]], str):
                    yield Restorable(holder, path[-1], SPOKEN)
        for path in self._called:
            for holder in _holders(document, path):
                name = holder.get("name")
                yield Restorable(holder, path[-1], Use(name if isinstance(name, str) else ""))

    def speaks(self, channel: str) -> bool:
        """Tell whether a channel of a stream is one of the texts."""
        steps = channel.split("/")
        return any(
            len(path) == len(steps) and all(want in {"*", step} for want, step in zip(path, steps, strict=True))
            for path in self._spoken
        )


def _holders(document: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    nodes = [document]
    for step in path[:-1]:
        nodes = [child for node in nodes for child in _children(node, step)]
    for node in nodes:
        if isinstance(node, dict) and path[-1] in node:
            yield node


def _children(node: Any, step: str) -> Iterator[Any]:
    if isinstance(node, list) and step == "*":
        yield from node
    elif isinstance(node, dict) and step in node:
        yield node[step]
