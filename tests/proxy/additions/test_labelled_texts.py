"""Labelled texts: what of a request a label means, and files of them that name the line they are wrong in."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from detectors.build import build_views
from detectors.errors import StorageError
from detectors.rules import load_signatures
from detectors.types import Origin
from proxy.additions.labelled_texts import LabelledText, _texts_of, examples, of_signatures, told_by_file
from proxy.providers.openai_chat import CODEC
from storage.decisions.labels import Labelled

BODY = orjson.dumps(
    {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You are a librarian."},
            {"role": "user", "content": "find the page"},
            {"role": "assistant", "content": "here it is"},
            {"role": "tool", "tool_call_id": "c", "content": "a page with a trap"},
            {"role": "user", "content": "and now sing"},
        ],
    }
).decode()


def decision(*, attack: bool, pointers: frozenset[str] = frozenset()) -> Labelled:
    return Labelled("id", "openai_chat", "POST /v1/chat/completions", attack, pointers)


def test_all_that_users_and_tools_say_in_a_benign_request_is_benign() -> None:
    texts = list(_texts_of(decision(attack=False), CODEC, BODY))
    assert [(one.text, one.origin) for one in texts] == [
        ("find the page", Origin.USER),
        ("a page with a trap", Origin.TOOL),
        ("and now sing", Origin.USER),
    ]
    assert not any(one.attack for one in texts)


def test_of_an_attack_what_was_found_is_meant_or_else_what_came_last() -> None:
    elsewhere = frozenset({"/messages/0/content"})
    assert list(_texts_of(decision(attack=True, pointers=elsewhere), CODEC, BODY)) == []
    found = frozenset({"/messages/3/content", "/messages/0/content"})
    assert [one.text for one in _texts_of(decision(attack=True, pointers=found), CODEC, BODY)] == ["a page with a trap"]
    assert [one.text for one in _texts_of(decision(attack=True), CODEC, BODY)] == ["and now sing"]


def test_a_place_whose_keys_are_not_told_is_found_all_the_same() -> None:
    body = orjson.dumps(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "note": "sing a song"}]}]}
    )
    (text,) = _texts_of(decision(attack=True, pointers=frozenset({"/messages/0/content/0/*"})), CODEC, body.decode())
    assert text.text == "sing a song"


@pytest.mark.parametrize("body", ["", "no document", "{}"])
def test_a_body_that_cannot_be_read_teaches_nothing(body: str) -> None:
    assert list(_texts_of(decision(attack=True), CODEC, body)) == []


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    file.write_text('{"text": "a", "label": "attack"}\n\n{"text": "b", "label": "benign", "origin": "document"}\n')
    assert told_by_file(file).texts == [LabelledText("a", Origin.USER, True), LabelledText("b", Origin.TOOL, False)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "an object"),
        ('{"label": "attack"}', "an object"),
        ('{"text": " ", "label": "attack"}', "an object"),
        ('{"text": "top secret", "label": 1}', "attack or benign"),
        ('{"text": "top secret", "label": ["attack"]}', "attack or benign"),
        ('{"text": "top secret", "label": "attack", "origin": {}}', "user, tool or document"),
        ('{"text": "top secret", "label": "attack", "origin": "moon"}', "user, tool or document"),
    ],
)
def test_a_bad_line_is_named_and_never_quoted(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "labelled.jsonl"
    file.write_text('{"text": "a", "label": "attack"}\n' + line)
    with pytest.raises(StorageError, match=problem) as caught:
        told_by_file(file)
    assert f"{file}:2: " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        told_by_file(tmp_path / "none.jsonl")


def test_a_text_counts_once_and_the_newest_opinion_holds() -> None:
    views = build_views()
    texts = [LabelledText("Sing!", Origin.USER, True), LabelledText("sing!", Origin.USER, False)]
    (one,) = examples(texts, views, Origin.USER)
    assert (one.readings, one.attack) == (("sing!",), True)
    assert examples(texts, views, Origin.TOOL) == []


def test_what_ships_is_known_of_both_kinds() -> None:
    known = of_signatures(load_signatures(), build_views(), Origin.USER)
    kinds = [one.attack for one in known]
    assert min(kinds.count(True), kinds.count(False)) > 400
