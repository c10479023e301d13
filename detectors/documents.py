"""Reading the YAML that people write: strict, bounded, every error with file, line, key and the nearest spelling."""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from yaml import CSafeLoader, MappingNode, MarkedYAMLError, Node, SequenceNode, YAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.reader import ReaderError

from detectors.complaints import in_plain_words, taken_for_numbers
from detectors.errors import ConfigurationError, Problem

MAX_SIZE = 256 * 1024
MAX_DEPTH = 32
JsonObject = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)
Loc = Sequence[str | int]


class _Loader(CSafeLoader):
    """YAML 1.2's core schema: `no` is a word, `012` and a date are text, and only `true` and `false` are booleans."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way: a loader class holds its resolvers


for _tag, _form, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"-?(?:0|[1-9][0-9]{0,17})", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})$"), [*_first, ""])


# What the parser of YAML says of the mistakes that people make most, in their words.
_MISWRITTEN: Final = {
    "did not find expected '-' indicator": "expected another item, indented like those before it",
    "did not find expected key": "expected another key, indented like those before it",
    "found a tab character that violates indentation": "a tab may not indent: use spaces",
    "mapping values are not allowed in this context": "no key is expected here: check the indentation, or quote a text "
    "that has a colon and a space in it",
}
_NOTHING_BEGINS: Final = "found character that cannot start any token"
_KEY: Final = "[key]"  # as the last step of a place: the key itself
_SHORT: Final = frozenset({"too_short", "missing_argument"})


def _is_of_the_model(step: object) -> bool:
    """Tell a step that no document has: which of several models was tried."""
    return isinstance(step, str) and ("[" in step or "(" in step)


def _follows(item: JsonObject, items: Sequence[JsonObject]) -> bool:
    """Tell an error that is there only because of another: a list is too short without its bad items."""
    loc = item["loc"]
    return item["type"] in _SHORT and any(len(o["loc"]) > len(loc) and o["loc"][: len(loc)] == loc for o in items)


class Comment(NamedTuple):
    """A comment with its `#`, and where it stands (from 0)."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed YAML mapping and where each of its keys stands."""

    file: Path
    content: JsonObject
    root: Node | None
    error: type[ConfigurationError]

    def line(self, loc: Loc, *, of_key: bool = False) -> int | None:
        """Return the 1-based line of the value at `loc` (or of its key), or of the deepest part that exists."""
        return self.place(loc, of_key=of_key)[0]

    def place(self, loc: Loc, *, of_key: bool = False) -> tuple[int | None, int | None]:
        """Return line and column, both 1-based, as `line` does; a document without content has none."""
        node, mark = self.root, None
        for step in loc:
            found = _child(node, step)
            if found is None:
                break
            key, node = found
            mark = (key if of_key and isinstance(step, str) else node).start_mark
        if mark is None and self.root is not None:
            mark = self.root.start_mark
        return (None, None) if mark is None else (mark.line + 1, mark.column + 1)

    def complain(self, loc: Loc, problem: str, *, of_key: bool = True) -> ConfigurationError:
        line, column = self.place(loc, of_key=of_key)
        return self.error(self.file, line, problem, column=column)

    def validate(self, model: type[Model]) -> Model:
        """Build `model` from the content. Raises the document's own error, one line for each problem found."""
        try:
            found = model.model_validate(self.content)
            items = taken_for_numbers(model, self.content)
        except ValidationError as exc:
            items = [dict(item) for item in exc.errors(include_input=False)]
        else:
            if not items:
                return found
        problems = [self._describe(model, item) for item in items if not _follows(item, items)]
        first, *more = sorted(problems, key=lambda problem: problem.line or 0)
        raise self.error(self.file, first.line, first.text, column=first.column, more=more) from None

    def _describe(self, model: type[BaseModel], item: JsonObject) -> Problem:
        loc = tuple(step for step in item["loc"])
        key = str(loc[-1]) if loc else ""
        if item["type"] == "extra_forbidden":
            hint = nearest(key, _field_names(model, loc[:-1]))
            return self._problem(loc, f"unknown key '{key}'{hint}", of_key=True)
        if item["type"] == "missing" and isinstance(loc[-1], str):
            return self._problem(loc[:-1], f"missing key '{key}'")
        value = _dig(self.content, loc)
        hint = ""
        if isinstance(value, str) and "expected" in item.get("ctx", {}):
            expected = str(item["ctx"]["expected"]).replace(" or ", ",").split(",")
            hint = nearest(value.lower(), [word.strip(" '") for word in expected])
        message = in_plain_words(item)
        of_key = loc[-1:] == (_KEY,)  # what is wrong is a key of a mapping, not what stands under it
        loc = loc[:-1] if of_key else loc
        named = ".".join(str(step) for step in loc if not _is_of_the_model(step)) or "document"
        return self._problem(loc, f"{named}: {message}{hint}", of_key=of_key)

    def _problem(self, loc: Loc, text: str, *, of_key: bool = False) -> Problem:
        line, column = self.place(loc, of_key=of_key)
        return Problem(line, text, column)


def read_document(file: Path, error: type[ConfigurationError] = ConfigurationError) -> Document:
    """Read one YAML mapping. Raises `error` for anything else: unreadable, over 256 KiB, aliases, tags, equal keys."""
    try:
        raw = file.read_bytes()
    except OSError as exc:
        raise error(file, None, f"cannot be read: {exc.strerror}") from exc
    if len(raw) > MAX_SIZE:
        raise error(file, None, f"larger than {MAX_SIZE // 1024} KiB")
    try:
        return parse_document(raw.decode("utf-8-sig"), file, error)
    except UnicodeDecodeError as exc:
        raise error(file, None, "not UTF-8 text") from exc


def parse_document(text: str, file: Path, error: type[ConfigurationError] = ConfigurationError) -> Document:
    """Parse YAML that is already in memory; `file` only names it in errors. Raises `error`."""
    try:
        _refuse_tricks(text, file, error)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is not None:
            _refuse_bad_keys(root, file, error)
        content = {} if root is None else loader.construct_document(root)
    except ReaderError as exc:
        before = text.encode()[: exc.position]
        raise error(file, before.count(b"\n") + 1, f"character U+{int(exc.character):04X} is not allowed") from exc
    except UnicodeEncodeError as exc:
        raise error(file, text.count("\n", 0, exc.start) + 1, "half a surrogate pair is not allowed") from exc
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
        raise error(file, line, _miswritten(text, exc), column=column) from exc
    except (YAMLError, ValueError, RecursionError) as exc:
        raise error(file, None, f"not YAML: {type(exc).__name__}") from exc
    if not isinstance(content, dict):
        raise error(file, 1, "expected a mapping of keys to values")
    return Document(file, content, root, error)


def _miswritten(text: str, exc: MarkedYAMLError) -> str:
    problem, mark = str(exc.problem or exc.context), exc.problem_mark
    if problem == _NOTHING_BEGINS and mark is not None and mark.index < len(text):
        begins = text[mark.index]
        return "a tab may not indent: use spaces" if begins == "\t" else f"quote a text that begins with {begins}"
    return _MISWRITTEN.get(problem, problem)


def comments_in(text: str) -> list[Comment]:
    """Return the comments of a text that parses, in their order: what stands between two tokens."""
    loader, found, end = _Loader(text), list[Comment](), 0
    while (token := loader.get_token()) is not None:
        found += _between(text, end, token.start_mark.index)
        end = max(end, token.end_mark.index)
    return [*found, *_between(text, end, len(text))]


def _between(text: str, start: int, end: int) -> Iterator[Comment]:
    for match in re.finditer(r"#[^\r\n]*", text[start:end]):
        at = start + match.start()
        line_start = text.rfind("\n", 0, at) + 1
        yield Comment(text.count("\n", 0, at), at - line_start, match.group().rstrip())


def nearest(word: str, known: Sequence[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest known word, or an empty string."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _refuse_tricks(text: str, file: Path, error: type[ConfigurationError]) -> None:
    """Refuse what could hurt before anything is built of it: deep nesting overruns the C stack of the composer,
    aliases blow a small file up to gigabytes, and tags call constructors.
    """
    depth, loader = 0, _Loader(text)
    while (event := loader.get_event()) is not None:
        line = None if event.start_mark is None else event.start_mark.line + 1
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise error(file, line, f"nested deeper than {MAX_DEPTH}")
        for mark, trick in (("anchor", "aliases"), ("tag", "tags")):
            if getattr(event, mark, None) is not None:
                raise error(file, line, f"{trick} are not allowed (quote a word that starts with *, & or !)")


def _refuse_bad_keys(node: Node, file: Path, error: type[ConfigurationError]) -> None:
    """Of two equal keys one would silently win."""
    keys: set[str] = set()
    for key, child in _children(node):
        if key is not None:
            line = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:str":
                raise error(file, line, "a key must be a word (quote numbers, true, false and null)")
            if key.value in keys:
                raise error(file, line, f"key '{key.value}' is given twice")
            keys.add(key.value)
        _refuse_bad_keys(child, file, error)


def _children(node: Node) -> Iterator[tuple[Node | None, Node]]:
    if isinstance(node, MappingNode):
        yield from node.value
    elif isinstance(node, SequenceNode):
        yield from ((None, child) for child in node.value)


def _child(node: Node | None, step: str | int) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        return next(((k, v) for k, v in node.value if k.value == str(step)), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _dig(content: object, loc: Loc) -> object:
    for step in loc:
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and isinstance(step, int) and step < len(content):
            content = content[step]
    return content


def _field_names(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that may stand where `loc` points, so that a hint names one of them."""
    models = {model}
    for step in loc:
        if isinstance(step, str):
            fields = [m.model_fields[step] for m in models if step in m.model_fields]
            models = {inner for field in fields for inner in _models_in(field.annotation)} or models
    return sorted({field.alias or name for m in models for name, field in m.model_fields.items()})


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)
