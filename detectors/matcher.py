"""Many patterns, one pass, linear time: the only importer of hyperscan and re2.

Hyperscan answers *which* patterns occur; where they occur is found again by RE2 on the few that did, because
start-of-match tracking makes the database an order larger and every scan slower.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import starmap
from pathlib import Path
from typing import Literal, Protocol

import re2

from detectors.pattern import Pattern, PatternSyntaxError
from detectors.pattern_store import keep_stored, read_stored, stored_name
from detectors.types import Span
from detectors.utf8 import in_characters, without_surrogates

try:
    import hyperscan
except ImportError:  # no wheel for this platform: RE2 finds the same, slower
    _HAS_HYPERSCAN = False
else:
    _HAS_HYPERSCAN = True

EngineName = Literal["hyperscan", "re2"]


class _Engine(Protocol):
    def matching(self, data: bytes) -> list[int]: ...


class _HyperscanEngine:
    """A database, with a scratch space for each thread that scans with it: two scans must never share one."""

    def __init__(self, database: hyperscan.Database) -> None:
        self._database, self._of_thread = database, threading.local()

    def matching(self, data: bytes) -> list[int]:
        found: list[int] = []

        def keep(index: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            found.append(index)

        try:
            scratch = self._of_thread.scratch
        except AttributeError:
            scratch = self._of_thread.scratch = hyperscan.Scratch(self._database)
        self._database.scan(data, match_event_handler=keep, scratch=scratch)
        found.sort()
        return found


class _Re2Engine:
    """One search for each pattern. RE2's Set would be faster, but where its automaton outgrows its memory it says
    that nothing matched, and a scan that fails must never read as a scan that found nothing.
    """

    def __init__(self, patterns: Sequence[re2._Regexp]) -> None:
        self._patterns = patterns

    def matching(self, data: bytes) -> list[int]:
        text = data.decode()
        return [index for index, pattern in enumerate(self._patterns) if pattern.search(text) is not None]


class Matcher:
    """A compiled list of patterns. Raises PatternSyntaxError when built from one that is not linear-time safe.

    With a `store`, what Hyperscan compiled is kept there: compiling takes seconds, loading milliseconds.
    """

    def __init__(
        self, patterns: Sequence[Pattern], engine: EngineName = "hyperscan", store: Path | None = None
    ) -> None:
        self._patterns = tuple(patterns)
        self._gated = frozenset(index for index, pattern in enumerate(patterns) if pattern.gate)
        self._compiled: dict[int, re2._Regexp] = {}
        self._engine: _Engine | None = None
        file = _stored_file(patterns, store) if engine == "hyperscan" and _HAS_HYPERSCAN and patterns else None
        database = None if file is None else _load(file)
        if database is None:  # what is kept was held against RE2's syntax before it was compiled
            self._compiled = {index: _compile(index, pattern) for index, pattern in enumerate(patterns)}
            database = _database(patterns, file) if engine == "hyperscan" else None
        if database is not None:
            self._engine = _HyperscanEngine(database)
        elif patterns:
            self._engine = _Re2Engine([self._compiled[index] for index in range(len(patterns))])

    def matching(self, text: str) -> list[int]:
        """Return the indexes of the patterns that occur in `text`, ascending."""
        if self._engine is None or not text:
            return []
        try:
            return self._matching(self._engine, text.encode())
        except UnicodeEncodeError:
            return self._matching(self._engine, without_surrogates(text).encode())

    def occurs_in(self, data: bytes) -> bool:
        """Tell whether any pattern occurs in `data`, which must be valid UTF-8."""
        return self._engine is not None and bool(self._matching(self._engine, data))

    def spans(self, index: int, text: str) -> Iterator[Span]:
        """Yield where pattern `index` occurs, left to right, without overlap."""
        pattern = self._exact(index)
        group = 1 if pattern.groups else 0
        data = without_surrogates(text).encode()
        places = (match.span(group) for match in pattern.finditer(data))
        # A group may take no part, or be empty.
        found = ((start, end) for start, end in places if 0 <= start < end)
        yield from starmap(Span, found) if len(data) == len(text) else in_characters(data, found)

    def _matching(self, engine: _Engine, data: bytes) -> list[int]:
        found = engine.matching(data)
        if self._gated.isdisjoint(found):
            return found
        return [index for index in found if index not in self._gated or self._exact(index).search(data) is not None]

    def _exact(self, index: int) -> re2._Regexp:
        pattern = self._compiled.get(index)
        if pattern is None:  # of hundreds, most never occur
            pattern = self._compiled[index] = _compile(index, self._patterns[index])
        return pattern


class LiteralEngine:
    """Literals of which every place's end is told, overlapping ones too; the rest of it is `literals.py`."""

    def __init__(self, literals: Sequence[bytes]) -> None:
        self._literals = literals
        self._of_thread = threading.local()
        self._database: hyperscan.Database | None = None
        if not literals or not _HAS_HYPERSCAN:
            return
        try:
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self._database.compile(
                expressions=[re.escape(literal) for literal in literals],
                ids=list(range(len(literals))),
                elements=len(literals),
                flags=[0] * len(literals),
            )
        except hyperscan.ArchitectureError:  # a CPU without the vector instructions it needs
            self._database = None

    def places(self, data: bytes, most: int) -> tuple[list[tuple[int, int]], set[int]]:
        """Return (index, end) of `most` places, by their ends, and which literals occur behind those."""
        found: list[tuple[int, int]] = []
        further: set[int] = set()
        if self._database is None:
            found = sorted(self._searched(data), key=lambda place: (place[1], place[0]))
            return found[:most], {index for index, _ in found[most:]}

        def keep(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            if len(found) < most:
                found.append((index, end))
            else:
                further.add(index)

        try:
            scratch = self._of_thread.scratch
        except AttributeError:
            scratch = self._of_thread.scratch = hyperscan.Scratch(self._database)
        self._database.scan(data, match_event_handler=keep, scratch=scratch)
        return found, further

    def _searched(self, data: bytes) -> Iterator[tuple[int, int]]:
        """The same without Hyperscan: slower, for each literal is looked for by itself."""
        for index, wanted in enumerate(self._literals):
            start = data.find(wanted)
            while start >= 0:
                yield index, start + len(wanted)
                start = data.find(wanted, start + 1)


class EndMatcher:
    """Patterns that matter where they reach the end of a text."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        united = "|".join(_re2_expression(pattern) for pattern in patterns)
        options = _quiet()
        options.never_capture = True  # hundreds of groups that nobody asks for are megabytes of its automaton
        self._pattern = re2.compile(rf"(?:{united})\z", options) if patterns else None
        self.start("-")  # what it is read backwards with is made at the first use: before any fork, for all workers

    def start(self, text: str) -> int:
        """Return where the first match begins that ends where `text` does; the length of `text` if there is none."""
        if self._pattern is None:
            return len(text)
        plain = text.isascii()
        data = text.encode() if plain else without_surrogates(text).encode()
        match = self._pattern.search(data)  # of bytes: mapping the places in a str costs twice the search
        if match is None:
            return len(text)
        start: int = match.start()
        return start if plain else len(data[:start].decode())


def check_pattern(pattern: Pattern) -> None:
    """Raise PatternSyntaxError for what RE2 refuses. Cheap: Hyperscan's own word comes when all are compiled."""
    _compile(0, pattern)
    if pattern.gate:
        _compile(0, Pattern(pattern.gate, pattern.caseless))


def _stored_file(patterns: Sequence[Pattern], store: Path | None) -> Path | None:
    if store is None:
        return None
    marks = (f"{p.caseless}{p.bytewise}\0{p.looked_for}" for p in patterns)
    return store / stored_name(version("hyperscan"), marks)


def _database(patterns: Sequence[Pattern], file: Path | None) -> hyperscan.Database | None:
    """Compile the patterns, and keep the result in the file; None where Hyperscan cannot run."""
    if not _HAS_HYPERSCAN or not patterns:
        return None
    try:
        database = _compile_all(patterns)
    except hyperscan.ArchitectureError:  # a CPU without the vector instructions it needs
        return None
    except hyperscan.error as exc:
        raise PatternSyntaxError(_guilty(patterns), f"hyperscan refuses it: {exc}") from exc
    if file is not None:
        keep_stored(file, hyperscan.dumpb(database))
    return database


def _compile_all(patterns: Sequence[Pattern]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    base = hyperscan.HS_FLAG_SINGLEMATCH
    database.compile(
        expressions=[p.looked_for.encode() for p in patterns],
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=[
            base
            | (hyperscan.HS_FLAG_CASELESS if p.caseless else 0)
            | (0 if p.bytewise else hyperscan.HS_FLAG_UTF8)  # characters of several bytes cost states, and time
            for p in patterns
        ],
    )
    return database


def _load(file: Path) -> hyperscan.Database | None:
    content = read_stored(file)
    if content is None:
        return None
    try:
        database = hyperscan.loadb(content, hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error:  # of another engine: compiled afresh
        return None
    return database


def _guilty(patterns: Sequence[Pattern]) -> int:
    """One bad pattern fails the whole compile; find it by compiling each alone."""
    for index, pattern in enumerate(patterns):
        try:
            _compile_all([pattern])
        except hyperscan.error:
            return index
    return 0


def _compile(index: int, pattern: Pattern) -> re2._Regexp:
    try:
        return re2.compile(_re2_expression(pattern), _quiet())
    except re2.error as exc:
        said = exc.args[0] if exc.args else ""
        why = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise PatternSyntaxError(index, f"not in the RE2 subset: {why}") from exc


def _re2_expression(pattern: Pattern) -> str:
    return f"(?i:{pattern.expression})" if pattern.caseless else pattern.expression


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20  # bounded repeats grow the automaton; RE2 stays linear and refuses beyond this
    return options
