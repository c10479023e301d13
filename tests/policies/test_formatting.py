"""One form for every policy file: order, indentation and spacing; words, comments and meaning stay."""

from __future__ import annotations

from pathlib import Path

import pytest

import policies
from detectors.documents import comments_in, parse_document
from detectors.errors import PolicyError
from policies.formatting import formatted

FILE = Path("acme.yaml")
SHIPPED = sorted(
    file
    for folder in ("packs", "presets", "templates")
    for file in (Path(policies.__file__).parent / folder).glob("*.yaml")
)
ODD = """\
# yaml-language-server: $schema=../schema/policy.schema.json
# The policy of acme.

tests:   # at the end
    -  {name:   hello,user: "Hi: there",   expect: allow}   # ours
    # a long one
    - name: second
      user: |
          two lines
            and one deeper
      expect: allow
mode:    enforce


rules:
- action: mask
  when: {category: [pii,   credential], # what leaves
         direction: request}
  id: a     # the first
# about b
- {id: b, when: {kind: EMAIL}, action: flag}
extends: 'preset/standard'
# the last word
"""
NEAT = """\
# yaml-language-server: $schema=../schema/policy.schema.json
# The policy of acme.
extends: 'preset/standard'
mode: enforce

rules:
  - id: a  # the first
    when: {category: [pii,   credential], # what leaves
         direction: request}
    action: mask
  # about b
  - {id: b, when: {kind: EMAIL}, action: flag}

tests:  # at the end
  - {name: hello, user: "Hi: there", expect: allow}  # ours
  # a long one
  - name: second
    user: |
      two lines
        and one deeper
    expect: allow
# the last word
"""


def test_a_file_gets_its_order_and_keeps_its_words() -> None:
    assert formatted(ODD, FILE) == NEAT


def test_what_is_formatted_stays_as_it_is() -> None:
    assert formatted(NEAT, FILE) == NEAT


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_whatever_is_shipped_is_formatted(file: Path) -> None:
    text = file.read_text()
    assert formatted(text, file) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "mode: off # why\n",
        "rules: []\n\n\n# end",
        "extends:\n- preset/strict\n# a\n- preset/monitor",
    ],
)
def test_meaning_and_comments_survive(text: str) -> None:
    written = formatted(text, FILE)
    assert parse_document(written, FILE).content == parse_document(text, FILE).content
    assert [c.text for c in comments_in(written)] == [c.text for c in comments_in(text)]
    assert formatted(written, FILE) == written


def test_a_text_that_does_not_parse_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"acme.yaml:2"):
        formatted("mode: off\nrules: ]", FILE)


def test_what_was_commented_out_at_the_end_of_a_block_stays_in_it() -> None:
    text = "rules:\n  - {id: a, when: {category: pii}, action: mask}\n  # - {id: b}\nmode: enforce\n"
    assert formatted(text, FILE).endswith("action: mask}\n  # - {id: b}\n")
