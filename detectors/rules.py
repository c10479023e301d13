"""Signatures: the schema of one detection rule, and loading a folder of them into a rule set."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

import detectors.decoders
from detectors.beginnings import beginnings_of
from detectors.bytewise import is_bytewise
from detectors.decoding import Decoder
from detectors.discovery import discover
from detectors.documents import Document, nearest, read_document
from detectors.errors import SignatureError
from detectors.matcher import Matcher, check_pattern
from detectors.names import OriginName, SeverityName
from detectors.normalise import fold
from detectors.pattern import Pattern
from detectors.surroundings import SURROUNDINGS
from detectors.types import Category, Origin, Span, View
from detectors.validators import VALIDATORS

BUILT_IN: Final = Path(__file__).parent / "signatures"
# Compiled patterns belong to the environment that runs them: as trusted, and gone with it.
STORE: Final = Path(sys.prefix) / "var" / "promptshield" / "patterns"
MASKED: Final = frozenset({Category.CREDENTIAL, Category.PII})  # cut out of running text, which waits for their end
AS_IS, FOLDED = "as_is", "folded"
DECODERS: Final = tuple(decoder.name for decoder in discover(detectors.decoders, "DECODER", Decoder))


class Status(StrEnum):
    EXPERIMENTAL = "experimental"
    TEST = "test"
    STABLE = "stable"
    DEPRECATED = "deprecated"


class Examples(BaseModel):
    """What a signature must and must not find. `todo_match` lists known misses, kept visible."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    match: tuple[str, ...] = Field(min_length=2)
    no_match: tuple[str, ...] = Field(min_length=2)
    todo_match: tuple[str, ...] = ()


class Signature(BaseModel):
    """One detection rule. `pattern` is RE2 syntax, matched on the readings that `views` names.

    `views` holds `folded` (default; what is matched is lower case, single-spaced, without accents) or `as_is`, and may
    name decoders to look only behind those; naming none means behind every one. `gate` is a cheaper pattern that occurs
    wherever `pattern` does: where it does not, that is not looked for. `origins` empty means every origin; a
    signature for `user` also reads `unknown`. If the pattern has a group, the first one is what was found.
    `validate` names a check of that text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"^(?:PS|OP)-[A-Z]{2,5}-\d{3}$")
    title: str = Field(min_length=4, max_length=100)
    description: str = Field(min_length=10)
    status: Status
    category: Category
    kind: str = Field(pattern=r"^[A-Z][A-Z0-9_]{2,40}$")
    severity: SeverityName
    confidence: float = Field(ge=0.05, le=1)
    level: int = Field(ge=1, le=4)
    origins: tuple[OriginName, ...] = ()
    views: tuple[str, ...] = (FOLDED,)
    pattern: str = Field(min_length=3, max_length=4000)
    gate: str = Field(default="", max_length=4000)
    validator: str | None = Field(default=None, alias="validate")
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    examples: Examples

    @field_validator("validator")
    @classmethod
    def _known_validator(cls, name: str | None) -> str | None:
        if name is not None and name not in VALIDATORS:
            raise ValueError(f"unknown check '{name}'{nearest(name, list(VALIDATORS))}")
        return name

    @field_validator("views")
    @classmethod
    def _known_views(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = (AS_IS, FOLDED, *DECODERS)
        for name in names:
            if name not in known:
                raise ValueError(f"unknown view '{name}'{nearest(name, known)}")
        return names

    @model_validator(mode="after")
    def _one_reading(self) -> Signature:
        if (AS_IS in self.views) == (FOLDED in self.views):
            raise ValueError(f"views must name exactly one of '{AS_IS}' and '{FOLDED}'")
        return self

    @property
    def folded(self) -> bool:
        return FOLDED in self.views

    @cached_property
    def decoders(self) -> frozenset[str]:
        """The decoders this signature looks behind; empty means every one."""
        return frozenset(self.views) - {AS_IS, FOLDED}

    def reads_origin(self, origin: Origin) -> bool:
        return not self.origins or origin in self.origins or (origin is Origin.UNKNOWN and Origin.USER in self.origins)

    def reads_view(self, view: View) -> bool:
        if not self.decoders:
            return True
        return all(t in self.decoders for t in view.transforms if t not in _READINGS)

    def accepts(self, text: str, span: Span) -> bool:
        """Tell whether what was found at `span` passes the check, by itself and where it stands."""
        if self.validator is None:
            return True
        if not VALIDATORS[self.validator](text[span.start : span.end]):
            return False
        surrounding = SURROUNDINGS.get(self.validator)
        return surrounding is None or surrounding(text, span)


_READINGS: Final = frozenset({"folded", "cleaned", "skeleton", "joined"})


@dataclass(frozen=True)
class RuleSet:
    """The signatures in force, by id. `revision` changes when any of them does."""

    signatures: tuple[Signature, ...]

    @cached_property
    def revision(self) -> str:
        digest = hashlib.sha256()
        for signature in self.signatures:
            digest.update(signature.model_dump_json().encode())
        return f"sha256:{digest.hexdigest()[:12]}"

    def of(self, categories: Iterable[Category]) -> tuple[Signature, ...]:
        wanted = frozenset(categories)
        return tuple(s for s in self.signatures if s.category in wanted and s.status is not Status.DEPRECATED)


def load_signatures(folder: Path = BUILT_IN) -> RuleSet:
    """Load every `<category>/<title-slug>.yaml` below `folder`. Raises SignatureError, also for no file at all."""
    signatures: list[Signature] = []
    seen: dict[str, Path] = {}
    for file in sorted(folder.rglob("*.yaml")):
        document = read_document(file, SignatureError)
        signature = document.validate(Signature)
        if not signature.id.startswith("PS-"):
            raise document.complain(("id",), "ids of shipped signatures begin with PS-")
        if signature.id in seen:
            raise document.complain(("id",), f"id '{signature.id}' is taken by {seen[signature.id].name}")
        if signature.category != file.parent.name:
            raise document.complain(
                ("category",), f"category '{signature.category}' stands in folder '{file.parent.name}'"
            )
        if folder != BUILT_IN:  # ours are held to it by a test, and each start would take half a second more
            refuse_bad_pattern(signature, document)
        seen[signature.id] = file
        signatures.append(signature)
    if not signatures:
        raise SignatureError(folder, None, "holds no signatures")
    return RuleSet(tuple(sorted(signatures, key=lambda s: s.id)))


def expression_of(signature: Signature) -> Pattern:
    """Return the pattern as the matcher takes it: for folded text its literals are folded in the same way."""
    if signature.folded:
        return _folded_pattern(signature.pattern, signature.gate)
    return Pattern(signature.pattern, gate=signature.gate)


@lru_cache(maxsize=4096)  # asked for again when it is checked, matched and counted
def _folded_pattern(written: str, gate: str) -> Pattern:
    expression, gate = _folded_literals(written), _folded_literals(gate)
    return Pattern(expression, caseless=True, bytewise=is_bytewise(gate or expression), gate=gate)


def _folded_literals(written: str) -> str:
    return written if written.isascii() else "".join(c if c.isascii() else _folded_literal(c) for c in written)


def _folded_literal(character: str) -> str:
    folded = fold(character)
    return re.escape(folded) if len(folded) == 1 else character  # a dash in brackets must not become a range


def refuse_bad_pattern(signature: Signature, document: Document) -> None:
    """Raise SignatureError for a pattern that is not of the RE2 subset, or that a stream could not wait for."""
    pattern = expression_of(signature)
    try:
        check_pattern(pattern)
        if signature.category in MASKED:
            beginnings_of(pattern.expression)  # streams wait for what may become one
    except ValueError as exc:
        raise document.complain(("pattern",), f"pattern: {exc}") from exc


def build_matcher(signatures: Sequence[Signature], *, keep: bool = True) -> Matcher:
    """Compile signatures. With `keep` what was compiled before is loaded, and what is new is kept."""
    return Matcher([expression_of(signature) for signature in signatures], store=STORE if keep else None)
