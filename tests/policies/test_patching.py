"""An item is added to a list and nothing else of the file changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.documents import parse_document
from detectors.errors import PolicyError
from policies.patching import flow_item, with_item

FILE = Path("acme.yaml")
ITEM = {"name": "fp", "user": 'say "hi": {x} # no\nend', "expect": "allow"}
LINE = '{name: fp, user: "say \\"hi\\": {x} # no\\nend", expect: allow}'


def test_an_item_stands_on_one_line() -> None:
    assert flow_item(ITEM) == LINE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"tests:\n  - {LINE}\n"),
        ("mode: off", f"mode: off\ntests:\n  - {LINE}\n"),
        ("tests:\n", f"tests:\n  - {LINE}\n"),
        ("tests: # none yet\n\nmode: off\n", f"tests: # none yet\n  - {LINE}\n\nmode: off\n"),
        ("mode: off\ntests:", f"mode: off\ntests:\n  - {LINE}"),
        ("tests: []\nmode: off\n", f"tests: [{LINE}]\nmode: off\n"),
        ("tests: [{a: b}] # all\n", f"tests: [{{a: b}}, {LINE}] # all\n"),
        ("tests: [\n  {a: b},\n]\n", f"tests: [\n  {{a: b}}, {LINE}]\n"),
        ("tests:\n  - {a: b} # one\nmode: off\n", f"tests:\n  - {{a: b}} # one\n  - {LINE}\nmode: off\n"),
        (
            "tests:\n- a: |\n    x\n\n# about mode\nmode: off\n",
            f"tests:\n- a: |\n    x\n- {LINE}\n\n# about mode\nmode: off\n",
        ),
        ("tests:\n  - a: b\n    c: d", f"tests:\n  - a: b\n    c: d\n  - {LINE}\n"),
    ],
)
def test_it_comes_last_and_the_rest_stays(text: str, expected: str) -> None:
    added = with_item(text, FILE, "tests", ITEM)
    assert added == expected
    assert parse_document(added, FILE).content["tests"][-1] == ITEM


def test_a_text_that_does_not_parse_is_refused() -> None:
    with pytest.raises(PolicyError):
        with_item("tests: [", FILE, "tests", ITEM)


@pytest.mark.parametrize("text", ["tests: null\n", "tests: ~", "tests: {}\n", "tests: seven\n"])
def test_what_is_no_list_is_refused_with_the_line_to_add(text: str) -> None:
    with pytest.raises(PolicyError, match=r"add \{name:"):
        with_item(text, FILE, "tests", ITEM)
