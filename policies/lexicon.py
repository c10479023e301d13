"""What a policy adds to what is looked for: levels by origin, and lists of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, model_validator

from detectors.documents import MAX_SIZE, Document
from detectors.errors import PolicyError
from detectors.lexicon import KeywordList, Lexicon
from detectors.models.harm_model import HARM, KIND
from detectors.names import OriginName, SeverityName
from detectors.normalise import fold
from detectors.types import Category, Origin, Severity
from policies.schema_words import Slug, Strict
from policies.types import Policy

_MOST_WORDS: Final = 10_000  # of one policy: compiling them takes a second or two
_LONGEST: Final = 200
_HARM: Final = frozenset({HARM, KIND, str(Category.HARMFUL_REQUEST)})
Level = Annotated[int, Field(ge=1, le=4)]
Levels = dict[OriginName, Level]
Words = tuple[Annotated[str, Field(min_length=1, max_length=_LONGEST)], ...]


class KeywordsDocument(Strict):
    """Words under one id, here or in a file beside the policy, one a line; not counted within an `allow` phrase."""

    id: Slug
    words: Words = ()
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}\.txt$")] | None = None
    allow: Words = ()
    severity: SeverityName = Severity.MEDIUM

    @model_validator(mode="after")
    def _some_words(self) -> KeywordsDocument:
        if bool(self.words) == (self.file is not None):
            raise ValueError("a list has either words or a file of them")
        return self


Written = tuple[Document, Levels, Sequence[KeywordsDocument]]  # what one layer says of it


def lexicon_of(layers: Sequence[Written]) -> tuple[Lexicon, tuple[Path, ...]]:
    """Merge what the layers say, parents first, and compile it; with the files that were read. Raises PolicyError.

    Levels: the child's wins, origin by origin. A list replaces a parent's of the same id.
    """
    levels: dict[Origin, int] = {}
    lists: dict[str, KeywordList] = {}
    files: list[Path] = []
    for document, own_levels, own_lists in layers:
        levels |= own_levels
        ids = [item.id for item in own_lists]
        for index, item in enumerate(own_lists):
            if item.id in ids[:index]:
                raise document.complain(("keywords", index, "id"), f"list '{item.id}' is defined twice")
            words = item.words
            if item.file is not None:
                files.append(document.file.parent / item.file)
                words = _read(document, index, files[-1])
            for word in (*words, *item.allow):
                if not fold(word).strip():
                    raise document.complain(("keywords", index), f"list '{item.id}' holds a word of nothing visible")
            lists[item.id] = KeywordList(item.id, tuple(words), tuple(item.allow), item.severity)
    if sum(len(item.words) + len(item.allow) for item in lists.values()) > _MOST_WORDS:
        raise layers[-1][0].complain(("keywords",), f"more than {_MOST_WORDS} words in all")
    lexicon = Lexicon(levels, tuple(lists.values()))
    if lists:
        _ = lexicon.matcher  # compiled here and now, not by the first request
    return lexicon, tuple(files)


def asks_for_harm(policy: Policy) -> bool:
    """Tell whether a rule or a judges' condition names requests for harm: else nobody looks for them."""
    named: set[str] = set()
    for rule in policy.rules:
        named |= {*rule.match.category, *rule.match.rule, *rule.match.kind}
        if rule.condition is not None:
            named |= {word for word in _HARM if word in rule.condition.source}
    for match in policy.judges.when if policy.judges else ():
        named |= match.category
    return not named.isdisjoint(_HARM)


def _read(document: Document, index: int, file: Path) -> tuple[str, ...]:
    """Return the lines of a word file that are neither empty nor begin with `#`."""

    def refuse(problem: str) -> PolicyError:
        document_error = document.complain(("keywords", index, "file"), f"{file.name} {problem}", of_key=False)
        return PolicyError(document_error.file, document_error.line, document_error.problem)

    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_SIZE + 1)
    except OSError as exc:
        raise refuse(f"cannot be read: {exc.strerror}") from exc
    if len(raw) > MAX_SIZE:
        raise refuse(f"is larger than {MAX_SIZE // 1024} KiB")
    try:
        lines = tuple(_lines(raw.decode("utf-8-sig")))
    except UnicodeDecodeError as exc:
        raise refuse("is not UTF-8 text") from exc
    if not lines:
        raise refuse("holds no words")
    if any(len(line) > _LONGEST for line in lines):
        raise refuse(f"has a line of more than {_LONGEST} characters")
    return lines


def _lines(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith("#"))
