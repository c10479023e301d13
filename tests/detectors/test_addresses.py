"""Addresses in shown text: found in every spelling that a browser follows, and known to be fetched or only linked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.addresses import AROUND, addresses_in, labels_shown, may_hold_addresses
from tests.detectors.conftest import Linear

URL = "https://evil.example/p?q=1"


@pytest.mark.parametrize(
    "text",
    [
        f"![x]({URL})",
        f"![x]( <{URL}> 'title')",
        f"![a [nested] name]({URL})",
        f"![{'long ' * AROUND}]({URL})",
        f"[![x]({URL})](https://other.example)",
        f'<img src="{URL}">',
        f"<IMG alt='a > b' SRC = {URL} />",
        f'<img srcset="a.png 1x, {URL} 2x">',
        f'<iframe width=1 src="{URL}">',
        f'<link rel=stylesheet href="{URL}">',
        f'<meta http-equiv=refresh content="0;url={URL}">',
        f"<p style=\"background: url('{URL}')\">",
        f'<style>@import "{URL}";</style>',
        f'<video poster="{URL}">',
        f"![[{URL}]]",
        f".. image:: {URL}",
    ],
)
def test_what_showing_a_text_fetches(text: str) -> None:
    assert (URL, True) in [(address.text, address.fetched) for address in addresses_in(text)]


@pytest.mark.parametrize(
    "text",
    [
        f"[x]({URL})",
        f"<{URL}>",
        f"See {URL}.",
        f"({URL})",
        f'<a class="b" href="{URL}">x</a>',
        f"`{URL}`",
        f"a<b {URL}",
    ],
)
def test_what_somebody_has_to_click(text: str) -> None:
    assert [(address.text, address.fetched) for address in addresses_in(text)] == [(URL, False)]


def test_a_definition_has_its_label_and_an_image_names_it() -> None:
    (address,) = addresses_in(f"![Chart][Fig 1]\n\n[fig 1]: {URL} 'title'")
    assert (address.label, address.text) == ("fig 1", URL)
    assert labels_shown("![Chart][Fig 1] ![logo] ![x](y) [link][other]") == {"fig 1", "logo"}


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://Evil.EXAMPLE/a", "evil.example"),
        ("https://good.example@evil.example/", "evil.example"),
        ("https://good.example:x@evil.example:8443/", "evil.example"),
        ("https://evil.example\\@good.example/", "evil.example"),
        ("https:\\\\evil.example\\a", "evil.example"),
        ("https:evil.example/a", "evil.example"),
        ("https\\://evil.example/a", "evil.example"),
        ("https:\\/\\/evil.example\\/a", "evil.example"),
        ("https://evil.example#@good.example", "evil.example"),
        ("https://evil.example?good.example/", "evil.example"),
        ("https://good.example%2eevil.example/", "good.example.evil.example"),
        ("https://\uff45vil\u3002example./", "evil.example"),
        ("http://[::1]:80/a", "[::1]"),
    ],
)
def test_the_host_is_the_one_that_a_browser_asks(text: str, host: str) -> None:
    assert [address.host for address in addresses_in(text)] == [host]


def test_a_scheme_may_be_left_out_where_an_address_must_stand() -> None:
    assert [a.host for a in addresses_in('<img src="//evil.example/a">, ![x](//evil.example/b)')] == [
        "evil.example"
    ] * 2
    assert list(addresses_in("x = 1 //comment, and 4 // 2 is 2")) == []


@pytest.mark.parametrize("text", ["https://a.example/x_(y)", "http://a.example/?a=1,2;b"])
def test_an_address_ends_where_it_does_for_a_reader(text: str) -> None:
    assert [a.text for a in addresses_in(f"(see {text}), [b]({text}) and {text}!")] == [text] * 3


def test_breaks_inside_of_quotes_are_no_end() -> None:
    (address,) = addresses_in('<img src="https://evil.example/?q=a b\n\tc">')
    assert address.text == "https://evil.example/?q=a bc"


@given(st.text(alphabet="![](<>)\"'= :/\\hHtTpPsSa.\n", max_size=80))
def test_every_address_is_where_it_says(text: str) -> None:
    addresses = list(addresses_in(text))
    assert all(0 <= a.span.start < a.span.end <= len(text) for a in addresses)
    assert all(b.span.start >= a.span.end for a, b in pairwise(addresses))
    assert not addresses or may_hold_addresses(text)


@pytest.mark.parametrize(
    "unit", ["<http://a ", "![", '<img src="http://a ', "[a]: http://", "](", "http://(a", "a=http:"]
)
def test_the_work_grows_with_the_text_alone(unit: str, linear: Linear) -> None:
    assert linear(lambda text: list(addresses_in(text)), unit, 50_000)
