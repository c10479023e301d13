"""Edits land where the finding was, and a text that was JSON stays JSON or nothing is changed at all."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.types import Span
from policies.types import Edit, Pseudonym
from proxy.bodies.pointer import UneditableError, apply_edits, edit_text, escape, param, resolve, shown, unescape

KEY = st.text("ab/~01é", max_size=5)


def masked(text: str, *found: str) -> str:
    spans = [Span(text.index(part), text.index(part) + len(part)) for part in found]
    return edit_text(text, [Edit("/a", span, "[X]") for span in spans])


@given(KEY)
def test_a_key_survives_being_a_step(key: str) -> None:
    assert unescape(escape(key)) == key
    assert "/" not in escape(key)


@given(st.lists(KEY, min_size=1, max_size=4))
def test_a_pointer_leads_to_the_value_it_names(keys: list[str]) -> None:
    document: Any = "value"
    for key in reversed(keys):
        document = {key: document}
    pointer = "".join(f"/{escape(key)}" for key in keys)

    assert resolve(document, pointer) == "value"
    apply_edits(document, [Edit(pointer, Span(0, 3), "-")])
    assert resolve(document, pointer) == "-ue"


def test_list_items_are_reached_by_their_number() -> None:
    document = {"messages": [{"content": ["a", "secret"]}]}
    apply_edits(document, [Edit("/messages/0/content/1", Span(0, 6), "[X]")])

    assert document == {"messages": [{"content": ["a", "[X]"]}]}


def test_several_edits_of_one_text_keep_their_places() -> None:
    document = {"a": "one two three"}
    apply_edits(document, [Edit("/a", Span(8, 13), "3"), Edit("/a", Span(0, 3), "1"), Edit("/a", Span(4, 7), "")])

    assert document == {"a": "1  3"}


@pytest.mark.parametrize("pointer", ["", "/b", "/l/7", "/l/x", "/a/0", "/n", "/l", "/a/b/c"])
def test_a_place_without_a_text_cannot_be_edited(pointer: str) -> None:
    document = {"a": "text", "n": 5, "l": ["x"]}

    with pytest.raises(UneditableError):
        apply_edits(document, [Edit(pointer, Span(0, 1), "-")])
    assert document == {"a": "text", "n": 5, "l": ["x"]}


def test_a_pseudonym_is_not_resolved_here() -> None:
    with pytest.raises(UneditableError):
        edit_text("anna", [Edit("/a", Span(0, 4), Pseudonym("NAME"))])


def test_plain_text_is_edited_as_it_is() -> None:
    assert masked("Call 555-0100 now", "555-0100") == "Call [X] now"


@pytest.mark.parametrize(
    ("text", "found", "left"),
    [
        ('{"to": "anna@example.org"}', ["anna@example.org"], {"to": "[X]"}),
        ('{"card": 4111111111111111}', ["4111111111111111"], {"card": "[X]"}),
        ('[4111111111111111, "a 4222"]', ["4111111111111111", "4222"], ["[X]", "a [X]"]),
        ('{"a":\n\t4111111111111111}', ["4111111111111111"], {"a": "[X]"}),
        ('{"a": "\\"4111, 4222", "n": 4333}', ["4222", "4333"], {"a": '"4111, [X]', "n": "[X]"}),
        ('{"anna@example.org": 1}', ["anna@example.org"], {"[X]": 1}),
    ],
)
def test_json_inside_a_text_stays_json(text: str, found: list[str], left: object) -> None:
    assert json.loads(masked(text, *found)) == left


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": "x\\nsecret"}', "nsecret"),  # half of an escape
        ('{"a": -4111111111111111}', "4111111111111111"),
        ('{"a": "b"}', '"b"}'),
        ('{"a": true}', "rue"),
    ],
)
def test_an_edit_that_would_break_the_json_is_refused(text: str, found: str) -> None:
    with pytest.raises(UneditableError):
        masked(text, found)


@given(
    st.dictionaries(st.text('ab"\\\n', min_size=1, max_size=4), st.text('xy"\\\n\u20ac ') | st.integers(), min_size=1),
    st.data(),
)
def test_any_edit_of_json_gives_json_or_is_refused(content: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(content)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    try:
        edited = edit_text(text, [Edit("/a", Span(start, end), "[X]")])
    except UneditableError:
        return
    orjson.loads(edited)


def test_ten_thousand_edits_of_a_long_text_take_no_time() -> None:
    text = "[" + ",".join(["4111111111111111"] * 20_000) + "]"
    edits = [Edit("/a", Span(1 + 17 * i, 17 + 17 * i), "[X]") for i in range(20_000)]
    started = time.thread_time()

    assert len(json.loads(edit_text(text, edits))) == 20_000
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("pointer", "told"),
    [
        ("/messages/3/content", "/messages/3/content"),
        ("/metadata/sk-secret/name", "/metadata/*/name"),
        ("/metadata/4111111111111111", "/metadata/*"),
        ("/content/~1etc~1passwd", "/content/*"),
        ("/content/\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "/content/*"),
        ("", ""),
    ],
)
def test_a_pointer_is_told_without_the_keys_that_clients_chose(pointer: str, told: str) -> None:
    assert shown(pointer, frozenset({"messages", "content", "metadata", "name"})) == told


def test_a_place_is_named_as_providers_name_parameters() -> None:
    words = frozenset({"messages", "content", "metadata"})
    assert param("/messages/3/content", words) == "messages[3].content"
    assert param("/metadata/anna@example.org", words) == "metadata.*"
    assert param("", words) == ""
