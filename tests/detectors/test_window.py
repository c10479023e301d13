"""However a stream is cut, the same text is released, and never a part of what is to be replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.build import build_chain
from detectors.rules import load_signatures
from detectors.signature_detector import SignatureDetector
from detectors.signature_scan import SignatureScan
from detectors.types import Category, Direction, InspectionContext, Kind, Origin, Place, Segment, Span
from detectors.views import ViewBuilder
from detectors.window import LONGEST_UNBROKEN, LONGEST_WHOLE, REACH, Window

# Stands for a detector: a phrase over several words, a token, and one with an open end.
SECRET = re.compile(r"the code is \d+|sk-[A-Za-z0-9]{8,}|-----BEGIN KEY-----[A-Za-z0-9\n]*(?:-----END KEY-----)?")
KEY_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n"
Chunks = Sequence[str]


def _released(chunks: Chunks, *, whole: bool = False, eager: bool = True) -> str:
    window, released = Window(whole=whole), []
    for chunk in chunks:
        window.push(chunk)
        if window.due or (eager and not whole):
            released.append(window.release(_found(window.text), final=False))
    released.append(window.release(_found(window.text), final=True))
    return "".join(released)


def _found(text: str) -> list[tuple[Span, str]]:
    return [(Span(*match.span()), "[X]") for match in SECRET.finditer(text)]


SECRETS = [
    "the code is 1234",
    "sk-" + "Ab1" * 5,
    "sk-" + "Ab1" * 400,
    "-----BEGIN KEY-----\n" + ("A" * 60 + "\n") * 20 + "-----END KEY-----",
]
PIECES = st.one_of(
    st.sampled_from([*SECRETS, "\n", " ", "x" * 300, "word " * 70, "the code is ", "sk-", "-----BEGIN KEY-----"]),
    st.text("ab. -\n", max_size=20),
)


@st.composite
def chunked(draw: st.DrawFn) -> Chunks:
    text = draw(st.lists(PIECES, max_size=12).map("".join))
    cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=30))})
    return [text[a:b] for a, b in pairwise(cuts)]


@given(chunked(), st.booleans(), st.booleans())
def test_any_chunking_releases_the_same_text(chunks: Chunks, whole: bool, eager: bool) -> None:
    assert _released(chunks, whole=whole, eager=eager) == SECRET.sub("[X]", "".join(chunks))


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("size", [1, 3, 50, 255, 256, 257])
def test_a_secret_split_anywhere_is_never_released(secret: str, size: int) -> None:
    text = f"{'Some words before. ' * 40}{secret}{' and some words behind.' * 40}"

    for shift in range(0, min(size, 40), 7):
        chunks = [text[:shift], *(text[i : i + size] for i in range(shift, len(text), size))]
        assert _released(chunks) == text.replace(secret, "[X]")


def _united(spans: Iterable[Span]) -> list[Span]:
    """As the policy's edits are: overlapping spans are one."""
    united: list[Span] = []
    for span in sorted(spans):
        if united and united[-1].overlaps(span):
            united[-1] = united[-1].union(span)
        else:
            united.append(span)
    return united


def segment(text: str) -> Segment:
    return Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "/0", text)


@pytest.mark.parametrize("step", [13, 100])
async def test_no_part_of_a_shipped_credential_is_released_however_it_is_split(step: int, builder: ViewBuilder) -> None:
    rules = load_signatures()
    signatures, glance = rules.of([Category.CREDENTIAL]), build_chain(rules).glance
    assert glance is not None
    detector = SignatureDetector("credentials", SignatureScan(signatures), frozenset(Category), rules.revision)

    async def replacements(text: str) -> list[tuple[Span, str]]:
        (hits,) = await detector.inspect([builder.build(segment(text)).views], InspectionContext())
        return [(span, "[X]") for span in _united(hit.span for hit in hits if hit.span is not None)]

    long_key = f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nComment: {'a few words ' * 60}\n\n{KEY_LINE * 40}"
    for secret in [long_key, *(signature.examples.match[0] for signature in signatures[::3])]:
        text = f"{'Some words before it. ' * 14}\n{secret}\n{'Then some more words. ' * 14}"
        window, released = Window(), ""
        for start in range(0, len(text), step):
            window.push(text[start : start + step])
            seen = await glance.at(segment(window.newest), InspectionContext()) if window.due else None
            if seen is not None and seen.plain and seen.settled is not None and not window.to_be_judged:
                released += window.let_go(seen.settled)
            elif seen is not None:
                released += window.release(await replacements(window.text), settled=seen.settled)
        released += window.release(await replacements(window.text), final=True)
        at_once = Window()
        at_once.push(text)
        assert released == at_once.release(await replacements(text), final=True)
        assert secret not in released


def test_the_rest_of_a_finding_is_no_beginning_of_another() -> None:
    text = f"{SECRETS[2]}-----BEGIN KEY-----the code is 1234{SECRETS[2]}"

    assert _released([text], eager=False) == SECRET.sub("[X]", text)


def test_a_finding_that_goes_on_and_on_is_looked_at_again_only_when_it_has_grown() -> None:
    window, looks = Window(), 0
    for _ in range(2000):
        window.push("a few words ")
        if window.due:
            window.release([(Span(0, len(window.text)), "[X]")], final=False)
            looks += 1

    assert looks < 40


def test_text_is_released_as_soon_as_it_lies_behind_the_reach() -> None:
    window = Window()
    window.push("word " * 100)

    assert len(window.release([], final=False)) == 500 - REACH  # where a word ends
    assert window.held == REACH


def test_nothing_of_a_token_is_released_before_its_end() -> None:
    window = Window()
    window.push("see " + "x" * 5000)

    assert window.release([], final=False) == "see "


def test_a_whole_window_is_never_due_before_the_end() -> None:
    window = Window(whole=True)
    window.push("word " * 500)

    assert not window.due
    assert window.release([], final=True) == "word " * 500


def test_released_text_stays_in_front_as_context() -> None:
    window = Window(reach=8)
    window.push("one two three four five six")
    released = window.release([], final=False)

    assert window.base + window.text.index("six") == len("one two three four five ")
    assert window.text.endswith("four five six")
    assert released == "one two three four "[: len(released)]


def test_what_was_replaced_is_not_replaced_again_from_its_context() -> None:
    window = Window(reach=8)
    window.push("a secret, then more and more words")
    first = window.release([(Span(2, 8), "[X]")], final=False)
    again = window.text.find("secret")
    rest = window.release([(Span(again, again + 6), "[X]")] if again >= 0 else [], final=True)

    assert first + rest == "a [X], then more and more words"


def test_overlapping_replacements_hold_back_the_first_of_them() -> None:
    window = Window(reach=10)
    window.push("0123456789 123456789 123456789")

    assert window.release([(Span(5, 18), "[A]"), (Span(12, 25), "[B]")], final=False) == "01234"


@pytest.mark.parametrize(("whole", "most"), [(False, LONGEST_UNBROKEN), (True, LONGEST_WHOLE)])
def test_a_window_tells_when_it_holds_more_than_it_may(whole: bool, most: int) -> None:
    window = Window(whole=whole)
    window.push("x" * most)
    assert not window.overgrown

    window.push("x")

    assert window.overgrown


def test_a_token_that_goes_on_and_on_is_looked_at_again_only_when_it_has_grown() -> None:
    window, looks = Window(), 0
    for _ in range(20_000):
        window.push("xyz")
        if window.due:
            window.release([], final=False)
            looks += 1

    assert looks < 40


def test_words_that_end_in_something_long_have_it_looked_at_again_only_when_it_has_grown() -> None:
    window, looks = Window(), 0
    for line in ["-----BEGIN KEY-----\n", *["aB3d\n"] * 12_000]:
        window.push(line)
        if window.due:
            window.release([], final=False, settled=0)  # as a glance says of the beginning of a key
            looks += 1

    assert looks < 150


def test_a_long_stream_is_held_in_little_memory() -> None:
    window = Window()
    for _ in range(5000):
        window.push("some more words of a long answer ")
        if window.due:
            window.release([], final=False)

    assert len(window.text) <= 4 * REACH


def test_a_stream_of_letters_takes_linear_time(linear: Callable[..., bool]) -> None:
    assert linear(lambda text: _released(list(text), eager=False), "words and word-like-things, ", size=60_000)


def test_what_is_found_is_judged_until_it_leaves_because_the_words_that_name_it_may_be_gone() -> None:
    window = Window()
    window.push("pin: 1234 ")
    window.release([(Span(5, 9), "[PIN]")], settled=8)

    assert (window.newest, window.to_be_judged) == (" 1234 ", True)
    assert window.release([(Span(5, 9), "[PIN]")], final=True) == "[PIN] "
    assert not window.to_be_judged
