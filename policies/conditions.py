"""Conditions that policies put in words of their own (`if:`): the only importer of cel, which it keeps in bounds.

The language is the Common Expression Language (github.com/google/cel-spec). It has no cost limit of its own here, so
what is accepted is bounded before it is compiled, and tried on the worst findings before it is used.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from operator import itemgetter
from types import ModuleType
from typing import Any, Final

from detectors.documents import nearest
from detectors.types import Category, Direction, Origin, Place, Severity
from policies.situation import WORDS

# The package imports its command line and a terminal toolkit: 8 MB of each process, a tenth of a second of a start.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402

LONGEST: Final = 1000  # characters
DEEPEST: Final = 12  # brackets within brackets
MOST_LOOPS: Final = 2  # all, exists and the like: each over the tags of a finding or a list that stands in the text
MOST_ITEMS: Final = 64
PROBE_SECONDS: Final = 0.002
_LOOPS: Final = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")
_STRINGS: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
_TEXT: Final = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_LITERAL: Final = rf"{_TEXT}|\btrue\b|\bfalse\b|(?<![\w.])-?\d[\w.]*"
_LITERALS: Final = re.compile(_LITERAL)
# A literal or nothing, a word, an operator, and a literal or nothing: `'x' == kind`, `severity >= 2`, `app in ['a']`.
_COMPARED: Final = re.compile(
    rf"(?:(?P<before>{_LITERAL})\s*(?:==|!=|<=?|>=?)\s*)?(?<![\w.\"'])\b(?P<name>[A-Za-z_]\w*)\b(?!\s*[.(\[])"
    rf"(?:\s*(?P<operator>==|!=|<=?|>=?|\bin\b)\s*(?P<after>{_LITERAL}|\[[^\[\]]*\]))?"
)
_HINTS: Final = {
    "severity": f" ({', '.join(f'{severity.name.lower()} {int(severity)}' for severity in Severity)})",
    "weekday": " (0 is Monday)",
}
# What these words can be at all. Of authors only: `document` is an alias that files know and findings do not.
_CLOSED: Final = {
    name: tuple(map(str, known))
    for name, known in {"category": Category, "origin": Origin, "direction": Direction, "place": Place}.items()
}
_FAMILIES: Final = frozenset({"openai", "anthropic", "gemini", "hook"})  # of dialects, none of which is called so
# `matches` would bring a second engine for patterns, whose price nobody here knows; conversions fail on what is odd.
_FUNCTIONS: Final = frozenset({"size", "contains", "startsWith", "endsWith"})
_FAILURES: Final = (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError)
_COMPARISONS: Final = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in"})
_OPERATORS: Final = _COMPARISONS | {"!_", "-_", "_&&_", "_||_", "_+_", "_-_", "_*_", "_/_", "_%_", "_?_:_", "_[_]"}
_WITHIN_LOOPS: Final = "@not_strictly_false"
_WORST: Final = {
    **WORDS,
    "tags": [f"tag-{number}" * 8 for number in range(MOST_ITEMS)],
    "model": "m" * 200,
    "route": "r" * 200,
    "app": "a" * 64,
    "language": "",
    "network": "",
    "key": 0,
    "hour": 0,
    "confidence": 0.0,
    "score": 1e6,
    "cost": 1e9,
    "risk": 100.0,
}
_EMPTIEST: Final = {name: type(value)() for name, value in WORDS.items()}


@dataclass(frozen=True, slots=True)
class CelCondition:
    """A compiled condition. Equal to another of the same words."""

    source: str
    names: frozenset[str]
    _program: cel.Program

    def holds(self, values: dict[str, Any]) -> bool:
        """Tell whether it holds. One that cannot be evaluated holds: no mistake of its author lets anything go."""
        try:
            return self._program.execute(values) is not False
        except _FAILURES:
            return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CelCondition) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)


def compile_condition(source: str) -> CelCondition:
    """Compile `source`. Raises ValueError for what is no CEL, reads unknown words, or could cost time."""
    _refuse_large(source)
    try:
        program = cel.compile(source)
    except ValueError as exc:
        raise ValueError(_shortened(str(exc))) from None
    bound = set(re.findall(r"\(\s*([A-Za-z_]\w*)\s*,", _STRINGS.sub('""', source)))
    names = frozenset(program.variables()) - (bound - WORDS.keys())
    for name in sorted(names - WORDS.keys()):
        raise ValueError(f"unknown word '{name}'{nearest(name, sorted(WORDS))}")
    for name in sorted(set(program.functions()) - _FUNCTIONS - _OPERATORS - {_WITHIN_LOOPS}):
        raise ValueError(f"'{name}' cannot be used here (only {', '.join(sorted(_FUNCTIONS))} and operators)")
    _refuse_other_kinds(source, names - bound)
    _try_out(program, names)
    return CelCondition(source, names, program)


def _refuse_large(source: str) -> None:
    if len(source) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    bare = _STRINGS.sub('""', source)
    depth = deepest = 0
    for character in bare:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST}")
    if len(_LOOPS.findall(bare)) > MOST_LOOPS:
        raise ValueError(f"more than {MOST_LOOPS} of all, exists, exists_one, map and filter")
    if bare.count(",") > MOST_ITEMS:
        raise ValueError(f"more than {MOST_ITEMS} items")


def _refuse_other_kinds(source: str, names: Collection[str]) -> None:
    """Refuse comparisons of a word with what it never is: the language takes them for false, without a word."""
    # What texts say is no part of the condition; their quotation marks are.
    masked = _STRINGS.sub(lambda text: text[0][0] + "_" * (len(text[0]) - 2) + text[0][-1], source)
    for found in _COMPARED.finditer(masked):
        name, side = found["name"], "before" if found["before"] else "after"
        if name not in names or found[side] is None:
            continue
        own, start, listed = _kind_of(WORDS[name]), found.start(side), found[side].startswith("[")
        within = listed and found["operator"] == "in"
        literals = _LITERALS.finditer(found[side]) if within else [re.match(".*", found[side])]
        for literal in literals if within or found["operator"] != "in" else ():
            said = source[start + literal.start() : start + literal.end()] if literal else ""
            if own != _kind_of_literal(said):
                hint = _HINTS.get(name, f"; write {said} in {name}" if own == "a list" else "")
                raise ValueError(f"'{name}' is {own} and never {_kind_of_literal(said)}, as {said} is{hint}")
            _refuse_unknown(name, said)


def _refuse_unknown(name: str, said: str) -> None:
    """Refuse a text that a word of few values never is: it would never hold, without a word."""
    text, known = said[1:-1], _CLOSED.get(name, ())
    if name == "origin" and text == "document":
        raise ValueError("'origin' is never 'document' here: write 'tool'")
    if known and text and "\\" not in text and text not in known:
        hint = nearest(text, known) or f" ({', '.join(known)})"
        raise ValueError(f"'{name}' is never {said}{hint}")
    if name == "route" and text.startswith("/"):
        raise ValueError(f"'route' begins with its method, such as {said[0]}POST {said[1:]}")
    if name == "dialect" and text in _FAMILIES:
        raise ValueError(f"'dialect' is what the log has, such as openai_chat: write dialect.startsWith({said})")


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a number"


def _kind_of_literal(literal: str) -> str:
    if literal[0] in "\"'":
        return "a text"
    return "true or false" if literal in {"true", "false"} else "a list" if literal[0] == "[" else "a number"


def _try_out(program: cel.Program, names: frozenset[str]) -> None:
    """Evaluate on an ordinary, the worst and the emptiest finding: what fails then would fail in traffic."""
    for values in (WORDS, _WORST, _EMPTIEST):
        read = {name: values[name] for name in names}
        try:
            took, result = min((_timed(program, read) for _ in range(3)), key=itemgetter(0))
        except _FAILURES as exc:
            raise ValueError(_shortened(str(exc))) from None
        if not isinstance(result, bool):
            raise ValueError(f"must be true or false, and is {type(result).__name__}")  # noqa: TRY004 - like the others
        if took > PROBE_SECONDS:
            raise ValueError(f"takes longer than {PROBE_SECONDS * 1000:.0f} ms on the worst finding")


def _timed(program: cel.Program, values: dict[str, Any]) -> tuple[float, Any]:
    """Evaluate, and return how long this thread computed: others on the machine do not count."""
    started = time.thread_time()
    result = program.execute(values)
    return time.thread_time() - started, result


def _shortened(problem: str) -> str:
    """The first line of what the library says, without the source that it repeats, the names of its grammar, and
    conversions that cannot be used here.
    """
    line = problem.splitlines()[0] if problem else "no condition"
    if line.startswith(("No such overload", "Unsupported operation")):
        return "it calculates or compares what does not go together (no whole numbers with fractions: 100.0, not 100)"
    line = re.sub(r"^Failed to parse expression .*?: ERROR: <input>:", "", line)
    line = re.sub(r",? ?expecting [{'].*", "", line)
    line = line.replace("mismatched input '<EOF>'", "it ends too early").replace("'<EOF>'", "its end")
    return (line + ("; == compares" if re.search(r"token recognition error at: '=[^=]", line) else ""))[:200]
