"""Levels and words of a policy: merged, checked, compiled when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import PolicyError
from detectors.types import Origin, Severity
from policies.layers import Library
from policies.loader import load_policy
from policies.types import Policy


def load(folder: Path, text: str) -> Policy:
    file = folder / "acme.yaml"
    file.write_text("extends: preset/standard\n" + text)
    return load_policy(file, "acme", {"PS-INJ-001"}).policy


def test_levels_and_words_become_the_policys_lexicon(tmp_path: Path) -> None:
    policy = load(
        tmp_path, "levels: {user: 1, document: 3}\nkeywords: [{id: names, words: [Falcon], allow: [a falcon]}]\n"
    )

    assert policy.lexicon.levels == {Origin.USER: 1, Origin.TOOL: 3}
    assert [(k.id, k.words, k.allow, k.severity) for k in policy.lexicon.keywords] == [
        ("names", ("Falcon",), ("a falcon",), Severity.MEDIUM)
    ]


def test_words_may_stand_in_a_file_whose_change_is_a_new_revision(tmp_path: Path) -> None:
    words = tmp_path / "names.txt"
    words.write_text("# ours\nFalcon\n\nproject bluebird\n")
    first = load(tmp_path, "keywords: [{id: names, file: names.txt}]\n")
    words.write_text("Falcon\n")

    assert first.lexicon.keywords[0].words == ("Falcon", "project bluebird")
    assert load(tmp_path, "keywords: [{id: names, file: names.txt}]\n").revision != first.revision


def test_rules_may_name_a_list(tmp_path: Path) -> None:
    text = "keywords: [{id: names, words: [x1]}]\nrules: [{id: r, when: {rule: KW-%s}, action: block}]\n"

    assert load(tmp_path, text % "names").rules[-1].action == "block"
    with pytest.raises(PolicyError, match="unknown detection rule 'KW-nams'"):
        load(tmp_path, text % "nams")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("levels: {usr: 1}", ":2: "),
        ("levels: {user: 5}", "expected 4 or less"),
        ("keywords: [{id: a}]", "either words or a file"),
        ("keywords: [{id: a, words: [x], file: a.txt}]", "either words or a file"),
        ("keywords: [{id: a, words: [x]}, {id: a, words: [y]}]", ":2: list 'a' is defined twice"),
        ("keywords: [{id: a, file: none.txt}]", ":2: none.txt cannot be read"),
        ("keywords: [{id: a, file: ../x.txt}]", "expected a text of the form"),
        ('keywords: [{id: a, words: ["\\u200b"]}]', "a word of nothing visible"),
        ("keywords: [{id: a, wrods: [x]}]", "unknown key 'wrods' (did you mean 'words'?)"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, text + "\n")

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "looked_for"),
    [
        ("", False),
        ("rules: [{id: harm, when: {category: harmful_request}, action: block}]\n", True),
        ("rules: [{id: harm, when: {rule: PS-HRM-001}, action: flag}]\n", True),
        ("judges: {when: [{category: harmful_request, confidence: [0.6, 0.9]}]}\n", True),
        ("rules: [{id: harm, when: {kind: HARMFUL_REQUEST}, action: flag}]\n", True),
        ("rules: [{id: harm, when: {}, if: 'category == \"harmful_request\"', action: flag}]\n", True),
        ("rules: [{id: other, when: {}, if: 'category == \"jailbreak\"', action: flag}]\n", False),
        # What only a candidate would look for is not looked for: it changes nothing.
        ("candidate: {policy: _next/acme.yaml, until: 2999-01-01}\n", False),
    ],
)
def test_requests_for_harm_are_looked_for_where_somebody_asks(tmp_path: Path, text: str, looked_for: bool) -> None:
    asking = "extends: preset/standard\nrules: [{id: harm, when: {category: harmful_request}, action: block}]\n"
    (tmp_path / "_next").mkdir()
    (tmp_path / "_next" / "acme.yaml").write_text(asking)
    (tmp_path / "acme.yaml").write_text("extends: preset/standard\n" + text)
    policy = load_policy(tmp_path / "acme.yaml", "acme", library=Library(tmp_path)).policy
    assert policy.lexicon.harm is looked_for
