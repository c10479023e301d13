from __future__ import annotations

import html

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from proxy.control.console.visible import exact, hidden_characters, visible


def test_what_hides_or_turns_lines_around_has_a_name() -> None:
    assert visible("a\x1b[31mb\x00\x7f") == "a\u241b[31mb\u2400\u2421"
    assert visible("a\u202eb\u200bc\U000e0041") == "a\u2039U+202E\u203ab\u2039U+200B\u203ac\u2039U+E0041\u203a"
    assert visible("one\r\ntwo\tthree") == "one\ntwo\tthree"


def test_ordinary_text_of_any_language_stays() -> None:
    for text in ("Grüße", "日本語", "ελληνικά", "a \u2013 b", "\U0001f600"):
        assert visible(text) == text


def test_markup_of_ours_and_numbers_stay() -> None:
    assert visible(Markup("<b>\u200b</b>")) == "<b>\u200b</b>"
    assert visible(3) == 3
    assert visible(None) == ""


def test_a_policy_tells_where_something_hides_in_it() -> None:
    assert hidden_characters("a\nb\u202e\u200b\u200b\n") == ((2, "U+200B"), (2, "U+202E"))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn"))))
def test_a_field_sends_back_what_it_was_given(text: str) -> None:
    written = exact(text)
    assert html.unescape(written) == text  # Python drops references to control characters, which browsers keep
    assert "<" not in written
    assert '"' not in written
