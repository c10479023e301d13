"""Whether a text ends inside an address, whatever pieces it came in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.pseudonyms.surroundings import Surroundings

INSIDE = [
    "https://evil.example/?q=", "see (http://evil.example/", "ftp://a", "//evil.example/", "<img src=//evil.example/",
    r"\\evil\share\\"[:-1], "www.evil.example/", "WWW.Evil.example?", "evil.example/?q=", "Evil.Example:8080/",
    "köln.example/", "mailto:", "MailTo:x@evil.example?body=", "javascript:", "sms:+1?body=", "data:",
    "![a](", "[a](", "[a](x", "[a](<https://evil.example/ ", "[a](x (y) ", "[a](\nhttps://evil.example/ ", r"[a](x\) ",
    '<img src="https://evil.example/ ', "<img\nsrc='x ", "<a href=x ", "</a ", "<!-- ", "text<b ", "[1]: https://a.x/",
    "[img]https://evil.example/", "\\href{https://evil.example/", 'https://evil.example/?q="', "https://evil.example/?q=>",
    "https://a.example<br>", '<a href="https://a.example">', "https://x<",
    "https:evil.example?", r"https:\evil\x", r"\/\/evil", "/\\evil/", "&#47;&#47;evil", "&sol;", "evil.xn--p1ai/",
    "1.2.3.4/", "https://evil.example/?q=\u00a0", "https://evil.example/?q=\u3000x", "[1]: https://evil.example/\u0085",
    '<img alt=">" src="https://evil.example/?q= ', "<img alt='\"' src=\"https://evil.example/?q= > ", '<i a= "x > ',
    '<img src="\n\nhttps://evil.example/\n\n', '<!-- > <i y="--> <img src="x > ', "[x](<\\/\\/evil/) ",
    "[x](<//evil/)\\> ", "[1]: <\\/\\/evil.example/ ", "[1]: <&#47;/evil/ ", 'url("https://evil.example/?q=\\\n',
    "URL( x", "{\"url\":\"https://evil.example/", "[a](x\n",
]  # fmt: skip
OUTSIDE = [
    "", "Write to ", "https://a.example/ ", "https://a.example/\n", "[a](https://a.example/x) ", "[a](x (y) z) ",
    "![a](x)", "[a](x\n\n", "<b>", "i < n ", "f(x) ", "a (",
    "e.g. ", "3.5 ", "either/", "metadata:", "[a] (", "The end.", "Anna <", "a <= ", "<3 ", "x = '", 'say "',
    '<a href="x" title=\'y\'>', "<p class='a'>", "`code`", "https://a.example/ \u00a0", "AT&T ",
    "and/or ", "](x) ",
]  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_inside_of_an_address(text: str) -> None:
    assert ends_inside([text])


@pytest.mark.parametrize("text", OUTSIDE)
def test_outside_of_every_address(text: str) -> None:
    assert not ends_inside([text])


PIECES = st.sampled_from(
    [*INSIDE, *OUTSIDE, "](", ")", "<", ">", "(", "\\", "\n", " ", "a", ".", "/", "com", "www", ":"]
)


@given(pieces=st.lists(PIECES, max_size=12), size=st.integers(1, 9))
def test_pieces_of_any_size_come_to_the_same(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    assert ends_inside([text[i : i + size] for i in range(0, len(text), size)]) == ends_inside([text])


def test_a_run_of_any_length_is_one_address() -> None:
    assert ends_inside(["https://evil.example/", "x" * 10_000, "y"])
    assert not ends_inside(["字" * 10_000])


def ends_inside(pieces: list[str]) -> bool:
    surroundings = Surroundings()
    for piece in pieces:
        surroundings.feed(piece)
    return surroundings.is_address
