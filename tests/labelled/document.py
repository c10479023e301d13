"""docs/entities.md: every kind of credential and personal data that is found: `python -m tests.labelled.document`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from detectors.rules import Signature, load_signatures
from detectors.types import Category

FILE: Final = Path(__file__).parents[2] / "docs" / "entities.md"
_INTRODUCTION: Final = """# Credentials and personal data

What is found by form, and how a match is made sure of. Written by `python -m tests.labelled.document` out of
`detectors/signatures/`; a test holds it against them. A policy names a kind with `kind:`, one signature with `rule:`.

- A number without a form of its own is only found where its name stands before it: `BSN: 123456782`, `"bsn": 123...`,
  `my BSN is ...`, in the languages of its country and in English. The name is not masked, the value is.
- "checked by" is what a match must pass beside its pattern: check digits (`luhn`, `iban`, those of states), the plan of a
  country (`phone`), a checksum (`github_token`, `npm_token`, `wallet`), or randomness (`random`, `generated`, `password`), which
  leaves out samples and places to put a secret (`your-api-key`, `sk-...`, `****`).
- Names of people and postal addresses are found by what stands around them (`My name is`, `Sehr geehrte Frau`, `Patient:`, the form
  of a street). A name in the middle of a sentence is not.
- Where several say the same place, the longest names it, and of equal ones the most certain.

How well that works, beside other tools: [accuracy-entities.md](accuracy-entities.md).
"""
_TITLES: Final = {Category.CREDENTIAL: "Credentials", Category.PII: "Personal data"}


def document() -> str:
    return "\n".join([_INTRODUCTION, *(line for category in _TITLES for line in _section(category))])


def _section(category: Category) -> Iterator[str]:
    signatures = sorted(load_signatures().of([category]), key=lambda s: (s.kind, s.id))
    kinds = {signature.kind for signature in signatures}
    yield f"## {_TITLES[category]}: {len(kinds)} kinds, {len(signatures)} signatures\n"
    yield "| kind | found | checked by | severity |\n|---|---|---|---|"
    for kind, group in groupby(signatures, key=lambda s: s.kind):
        yield _row(kind, list(group))
    yield ""


def _row(kind: str, signatures: list[Signature]) -> str:
    found = "; ".join(f"{s.title} ({s.id})" for s in signatures)
    checks = ", ".join(f"`{check}`" for check in dict.fromkeys(s.validator for s in signatures if s.validator))
    return f"| `{kind}` | {found} | {checks or 'its form'} | {max(s.severity for s in signatures).name.lower()} |"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
