"""What is scanned is what is sent: numbers to the digit, one reading of every body, and a clear no to the rest."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.bodies.json_document import (
    MAX_DEPTH,
    MOST_CONTAINERS,
    JsonError,
    NumberToken,
    dump,
    is_json,
    parse,
    parse_generously,
    read_string,
    repeats_a_key,
)
from tests.fuzz.grammar import Grammar
from tests.fuzz.readers import alike

ODD_BODIES = 5_000
NUMBER = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
FRAME = st.sampled_from(['{"a":%s}', "[%s]", '{"a": %s }', "[1,%s]", "%s", " %s\n", "[\r\n%s\t]", '{"a":[[%s],"x"]}'])
SCALAR = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
DOCUMENT = st.recursive(
    SCALAR | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\0é😀"), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "repeats"),
    [
        (b'{"a": 1, "b": {"a": ":"}, "c": [{"a": ":\\":"}, {"a": 2}]}', False),
        (b'\xef\xbb\xbf{"a:b": 1.50, "c": "x:y"}', False),
        (b"[]", False),
        (b'{"a": 1, "a": 1}', True),
        (b'{"a": 1, "\\u0061": 2}', True),
        (b'{"x": [{"a": {"b": 1}, "c": 2, "a": 3}]}', True),
    ],
)
def test_keys_that_others_may_read_otherwise_are_told(raw: bytes, repeats: bool) -> None:
    assert repeats_a_key(raw, parse(raw)) is repeats


@pytest.mark.parametrize("raw", ['"a"', '"\\u00e9\\n"', '"[{ -0 1.10 }]"', '""', '"a" '])
def test_a_string_reads_as_in_a_whole_document(raw: str) -> None:
    assert read_string(raw) == parse(raw.encode())


@pytest.mark.parametrize("raw", ["", "1", "null", '["a"]', '"a","b"', '"a":"b"', '"a', '"\n"', '"\\ud800"'])
def test_what_is_more_or_less_than_a_string_is_none(raw: str) -> None:
    assert read_string(raw) is None


@given(NUMBER, FRAME)
def test_a_number_leaves_as_it_was_written(number: str, frame: str) -> None:
    written = (frame % number).encode()

    assert dump(parse(written)) == b"".join(written.split())


@pytest.mark.parametrize(
    "number",
    ["1.10", "-0", "-0.0", "1.0", "0.00001", "1e5", "1E-7", "0.30000000000000004", "18446744073709551616", "-1"]
    + [digits * "9" for digits in (15, 16, 17, 18, 19, 20, 300)],
)
def test_the_numbers_that_floats_and_integers_would_change_are_kept(number: str) -> None:
    assert dump(parse(b'{"n": %s}' % number.encode())) == b'{"n":%s}' % number.encode()


@pytest.mark.parametrize("number", ["1e999", "-1E400", "9" * 5000])
def test_a_number_beyond_every_float_is_refused_rather_than_changed(number: str) -> None:
    with pytest.raises(JsonError):
        parse(b'{"n": %s}' % number.encode())


def test_long_integers_become_tokens_and_short_ones_stay_integers() -> None:
    assert parse(b"[1234567890123456789, 12]") == [NumberToken("1234567890123456789"), 12]


@given(DOCUMENT)
def test_a_document_reads_the_same_after_it_was_sent(document: object) -> None:
    written = json.dumps(document).encode()

    assert json.loads(dump(parse(written))) == document


@pytest.mark.parametrize("tail", [b"", b', "n": 1e5'])
def test_of_duplicate_keys_the_last_is_the_one_reading_that_is_scanned_and_sent(tail: bytes) -> None:
    raw = b'{"content": "attack", "content": "hello", "\\u0063ontent": "last"%s}' % tail

    assert parse(raw)["content"] == "last"
    assert b"attack" not in dump(parse(raw))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize(
    ("depth", "fine"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (2000, False), (200_000, False)]
)
def test_a_document_may_be_so_deep_and_no_deeper(opening: bytes, depth: int, fine: bool) -> None:
    closing = b"]" if opening == b"[" else b"}"
    raw = opening * depth + (b"1.10" if fine else b"") + closing * depth

    if fine:
        assert dump(parse(raw)) == raw
    else:
        with pytest.raises(JsonError):
            parse(raw)


def test_arrays_and_objects_are_bounded_in_number() -> None:
    assert len(parse(b"[" + b"[]," * (MOST_CONTAINERS - 2) + b"[]]")) == MOST_CONTAINERS - 1
    with pytest.raises(JsonError):
        parse(b"[" + b"{}," * MOST_CONTAINERS + b"[]]")


def test_brackets_inside_texts_are_no_arrays() -> None:
    text = '[{ \\ "' * MOST_CONTAINERS

    assert parse(dump({text: text})) == {text: text}


def test_many_flat_brackets_are_not_depth() -> None:
    assert len(parse(b"[" + b",".join([b"[]"] * 500) + b"]")) == 500


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"[1,]", b"{}{}", b"{} x", b"[NaN]", b"[Infinity]", b"[-Infinity]", b"// c\n{}", b"{'a': 1}",
        b"[01]", b"[+1]", b"[1.]", b"[.5]", b'"\x00"', b'"\n"', b"\xff", b'"\xc0\xaf"', b'"\xed\xa0\x80"',
        b'{"a": "\\ud800"}', b'{"\\udc00": 1}', '{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-32-be"),
        b"\xef\xbb\xbf\xef\xbb\xbf{}", b'{"a": 1} \x00',
    ],
)  # fmt: skip
def test_what_is_not_one_utf_8_json_document_is_refused_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(JsonError) as caught:
        parse(raw)

    assert "ud800" not in str(caught.value)


def test_an_error_says_where_the_body_is_broken() -> None:
    with pytest.raises(JsonError, match="line 2, column"):
        parse(b'{"a": 1,\n "b" 2}')


def test_a_byte_order_mark_at_the_start_is_dropped() -> None:
    assert dump(parse(b'\xef\xbb\xbf{"a": "\xef\xbb\xbf"}')) == b'{"a":"\xef\xbb\xbf"}'


def test_an_escaped_nul_is_a_character_like_any_other() -> None:
    assert dump(parse(b'{"a": "x\\u0000y"}')) == b'{"a":"x\\u0000y"}'


def test_what_no_parser_made_is_not_sent() -> None:
    with pytest.raises(TypeError):
        dump({"a": object()})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"a": 1}', True),
        (" [1]", True),
        ("[", False),
        ("1234567890", False),
        ('"x"', False),
        ("", False),
        ("{}x", False),
    ],
)
def test_only_objects_and_arrays_count_as_json_inside_a_text(text: str, answer: bool) -> None:
    assert is_json(text) is answer


def test_parsing_is_linear_in_the_length() -> None:
    def seconds(size: int) -> float:
        raw = json.dumps({"m": ["1.5 [1, 2e 3, -0.00 12345678.9 "] * (size // 32)}).encode()
        started = time.thread_time()
        parse(raw)
        return time.thread_time() - started

    short, long = (min(seconds(size) for _ in range(5)) for size in (100_000, 1_000_000))
    assert long < 25 * max(short, 0.0005)


@pytest.mark.slow
def test_thousands_of_odd_bodies_are_read_alike_by_all_readers_once_they_are_forwarded() -> None:
    grammar = Grammar(seed=7, key="")
    sent, forwarded = list[bytes](), list[bytes]()
    for _ in range(ODD_BODIES):
        body = grammar.document() if len(sent) % 2 else grammar.mutated(grammar.document())
        try:
            forwarded.append(dump(parse(body)))
            sent.append(body)
        except JsonError:
            sent.append(b"{}")

    assert [body for body in forwarded if not alike(body)] == []
    assert len(forwarded) > ODD_BODIES // 3
    assert sum(not alike(body) for body in sent) > 50  # as they were sent, the same readers differ over them


@pytest.mark.parametrize(
    ("body", "same"),
    [
        (b'{"a":1,"b":[1.5,"x",null,true]}', True),
        (b'{"a":12345678901234567890123}', True),
        (b'{"a":1,"a":2}', False),
        (b'{"x":{"a":1,"\\u0061":2}}', False),
    ],
)
def test_the_readers_tell_what_can_be_read_in_two_ways(body: bytes, same: bool) -> None:
    assert alike(body) is same


def test_a_generous_reading_takes_what_ours_refuses_and_never_fails() -> None:
    assert parse_generously('{"a": NaN, "b": "\\ud800"}')["b"] == "\ud800"
    assert parse_generously("[" * 100_000) is None
    assert parse_generously("no document") is None
