"""One way to write a policy file down: order, indentation and spacing are ours, words and comments the author's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, cast

from pydantic import BaseModel

from detectors.documents import Comment, comments_in, parse_document
from detectors.errors import PolicyError
from policies.expectations import TestFileDocument
from policies.rule_schema import RuleDocument
from policies.schema import PolicyDocument
from policies.testing import TEST_FILES

WIDTH: Final = 120


class Node(Protocol):
    """What this needs of a parsed node. `id` is mapping, sequence or scalar; a mapping's value is pairs of nodes."""

    id: str
    value: Any
    flow_style: bool | None
    start_mark: Any
    end_mark: Any


def formatted(text: str, file: Path) -> str:
    """Return the text in its one form; formatting that once more changes nothing.

    Raises PolicyError for a text that does not parse, or one that this cannot write down without changing it.
    """
    document = parse_document(text, file, PolicyError)
    if document.root is None:
        return text
    kind: type[BaseModel] = TestFileDocument if file.name.endswith(TEST_FILES) else PolicyDocument
    written = _Writer(text, cast("Node", document.root), _order(kind)).write()
    again = parse_document(written, file, PolicyError)
    kept = Counter(c.text for c in comments_in(written)) == Counter(c.text for c in comments_in(text))
    if again.content != document.content or not kept:
        raise PolicyError(file, None, "is written in a way that cannot be formatted without changing it")
    return written


def _order(kind: type[BaseModel]) -> dict[str, int]:
    names = [field.alias or name for name, field in kind.model_fields.items()]
    return {name: index for index, name in enumerate(names)}


class _Writer:
    """Writes one parsed text again. Lines and columns count from 0."""

    def __init__(self, text: str, root: Node, order: dict[str, int]) -> None:
        self._text, self._root, self._top = text, root, order
        self._rule = _order(RuleDocument)
        self._lines = text.split("\n")
        comments = comments_in(text)
        self._own = [c for c in comments if not self._lines[c.line][: c.column].strip()]
        self._behind = {c.line: c.text for c in comments if self._lines[c.line][: c.column].strip()}
        self._above: dict[int, list[str]] = {}  # by node: the comments before it
        self._tails: dict[int, list[Comment]] = {}  # by key: those at the end of its block
        self._last: list[str] = []
        self._attach()

    def write(self) -> str:
        entries = sorted(self._root.value, key=lambda entry: self._top.get(entry[0].value, len(self._top)))
        first = self._root.value[0][0].start_mark.line if self._root.value else len(self._lines)
        header = [c.text for c in self._own if c.line < first]
        blocks = []
        for key, value in entries:
            tail = [f"{' ' * c.column}{c.text}" for c in self._tails.get(id(key), ())]
            blocks.append("\n".join([*self._entry(key, value, 0), *tail]))
        return "\n".join([*header, *self._joined(entries, blocks), *self._last]).strip("\n") + "\n"

    def _attach(self) -> None:
        """Give each comment that has a line of its own to what follows it, or to the block that it ends."""
        nodes = sorted(_entries(self._root), key=lambda node: node.start_mark.line)
        tops = [key for key, _ in self._root.value]
        inside = [(n.start_mark.line, n.end_mark.line) for n in _flows(self._root) if self._holds_comments(n)]
        for comment in self._own:
            if not tops or comment.line < tops[0].start_mark.line:
                continue
            if any(first <= comment.line <= last for first, last in inside):
                continue
            after = next((node for node in nodes if node.start_mark.line > comment.line), None)
            before = [key for key in tops if key.start_mark.line < comment.line]
            if comment.column and (after is None or after in tops):
                self._tails.setdefault(id(before[-1]), []).append(comment)
            elif after is None:
                self._last.append(comment.text)
            else:
                self._above.setdefault(id(after), []).append(comment.text)

    def _joined(self, entries: Sequence[tuple[Node, Node]], blocks: Sequence[str]) -> Iterator[str]:
        """One blank line where the author had one or more before an entry, none elsewhere."""
        for index, ((key, _), block) in enumerate(zip(entries, blocks, strict=True)):
            if index and self._blank_before(key):
                yield ""
            yield block

    def _blank_before(self, node: Node) -> bool:
        line = node.start_mark.line - 1
        while line > 0 and self._lines[line].lstrip().startswith("#"):
            line -= 1
        return line >= 0 and not self._lines[line].strip()

    def _entry(self, key: Node, value: Node, indent: int) -> Iterator[str]:
        pad = " " * indent
        yield from (f"{pad}{text}" for text in self._above.get(id(key), ()))
        head = f"{pad}{self._raw(key)}:"
        flat = self._flat(value)
        if flat is not None and len(head) + len(flat) < WIDTH:
            yield self._with_behind(f"{head} {flat}".rstrip(), value)
        elif value.id == "scalar":
            yield from self._scalar(head, value, indent)
        elif self._holds_comments(value) and value.flow_style:
            yield from self._verbatim(head, value)
        else:
            yield head + self._behind_line(key.start_mark.line)
            yield from self._block(value, indent + 2)

    def _block(self, node: Node, indent: int) -> Iterator[str]:
        if node.id == "mapping":
            entries = node.value
            if entries and any(key.value == "action" for key, _ in entries):
                entries = sorted(entries, key=lambda entry: self._rule.get(entry[0].value, len(self._rule)))
            for key, value in entries:
                yield from self._entry(key, value, indent)
            return
        for index, item in enumerate(node.value):
            if index and self._blank_before(item):
                yield ""
            yield from (f"{' ' * indent}{text}" for text in self._above.get(id(item), ()))
            flat = self._flat(item)
            if flat is not None and indent + 2 + len(flat) <= WIDTH:
                yield self._with_behind(f"{' ' * indent}- {flat}", item)
            elif item.id == "scalar":
                yield from self._scalar(f"{' ' * indent}-", item, indent)
            elif self._holds_comments(item) and item.flow_style:
                yield from self._verbatim(f"{' ' * indent}-", item)
            else:
                lines = list(self._block(item, indent + 2))
                position = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
                lines[position] = f"{' ' * indent}- {lines[position].lstrip()}"
                yield from lines

    def _flat(self, node: Node) -> str | None:
        """Return a node on one line, None where it was no such thing or holds what cannot stand on one."""
        if node.id == "scalar":
            raw = self._raw(node)
            return raw if "\n" not in raw else None
        if not node.value:
            return "{}" if node.id == "mapping" else "[]"
        if not node.flow_style or self._holds_comments(node):
            return None
        if node.id == "mapping":
            parts = [(self._raw(key), self._flat(value)) for key, value in node.value]
            return None if any(p is None for _, p in parts) else f"{{{', '.join(f'{k}: {v}' for k, v in parts)}}}"
        items = [self._flat(item) for item in node.value]
        return None if None in items else f"[{', '.join(item for item in items if item is not None)}]"

    def _scalar(self, head: str, node: Node, indent: int) -> Iterator[str]:
        """Text over several lines: its first line behind the head, the others moved with it."""
        first, *rest = self._raw(node).rstrip("\n").split("\n")
        yield f"{head} {first}"
        depth = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
        for line in rest:
            yield f"{' ' * (indent + 2)}{line[depth:]}".rstrip()

    def _verbatim(self, head: str, node: Node) -> Iterator[str]:
        first, *rest = self._text[node.start_mark.index : node.end_mark.index].split("\n")
        yield f"{head} {first}".rstrip()
        yield from (line.rstrip() for line in rest[:-1])
        yield (rest[-1] if rest else "") + self._behind_line(node.end_mark.line)

    def _raw(self, node: Node) -> str:
        return self._text[node.start_mark.index : node.end_mark.index].rstrip(" ")

    def _with_behind(self, line: str, node: Node) -> str:
        return line + self._behind_line(self._end(node))

    def _behind_line(self, number: int) -> str:
        text = self._behind.pop(number, None)
        return f"  {text}" if text else ""

    @staticmethod
    def _end(node: Node) -> int:
        mark = node.end_mark
        # Of a block the end is the beginning of what follows.
        return int(mark.line if mark.column else mark.line - 1)

    def _holds_comments(self, node: Node) -> bool:
        first, last = node.start_mark.line, node.end_mark.line
        inside = [c.line for c in self._own if first <= c.line <= last]
        return bool(inside) or any(first <= line < last for line in self._behind)


def _entries(node: Node) -> Iterator[Node]:
    """Yield the keys and items of all blocks, each before what is in it."""
    if node.id == "mapping" and not node.flow_style:
        for key, value in node.value:
            yield key
            yield from _entries(value)
    elif node.id == "sequence" and not node.flow_style:
        for item in node.value:
            yield item
            yield from _entries(item)


def _flows(node: Node) -> Iterator[Node]:
    """Yield the outermost collections in brackets."""
    if node.id == "scalar":
        return
    if node.flow_style:
        yield node
        return
    for part in node.value:
        for child in part if node.id == "mapping" else (part,):
            yield from _flows(child)
