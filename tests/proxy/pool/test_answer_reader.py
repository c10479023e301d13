"""One answer out of bytes, however they are cut, with h11 as the second opinion."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.pool.answer_reader import LARGEST_HEAD, AnswerReader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Reading:
    status: int
    body: bytes
    failure: str | None
    reusable: bool


def read(*pieces: bytes, method: str = "POST", end: bool = False) -> Reading:
    reader, body = AnswerReader(method), b""
    for piece in pieces:
        reader.feed(piece)
        body += reader.take()
    if end and not reader.ended:
        reader.end()
    assert reader.ended, "still waiting for more"
    return Reading(reader.status, body, reader.failure, reader.reusable)


def bytewise(data: bytes) -> list[bytes]:
    return [data[n : n + 1] for n in range(len(data))]


WHOLE = {
    "with a length": (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    "chunked": (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, b"hello", True),
    "chunked with extension": (CHUNKED + b'5;a="b"\r\nhello\r\n0\r\n\r\n', 200, b"hello", True),
    "chunked with trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX-A: b\r\nX-Empty:\r\n\r\n", 200, b"hello", True),
    "after 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", 200, b"ok", True),
    "after 103 and 102": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nok",
        200,
        b"ok",
        True,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
    "closing": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "1.0 kept alive": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    "without a reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    "an upgrade offered": (
        OK + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True,
    ),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, b"", True),
    "an empty header": (OK + b"X-Empty:\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
}  # fmt: skip


@pytest.mark.parametrize(("data", "status", "body", "reusable"), WHOLE.values(), ids=WHOLE)
def test_an_answer_is_read_in_one_piece_and_byte_by_byte(data: bytes, status: int, body: bytes, reusable: bool) -> None:
    assert read(data) == read(*bytewise(data)) == Reading(status, body, None, reusable)


REFUSED = {
    "garbage": b"hello\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "the same length twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "a negative length": OK + b"Content-Length: -2\r\n\r\nok",
    "a signed length": OK + b"Content-Length: +2\r\n\r\nok",
    "a length beyond measure": OK + b"Content-Length: 99999999999999999999999\r\n\r\nok",
    "length and chunked": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": CHUNKED + b"xyz\r\nok\r\n0\r\n\r\n",
    "a chunk size beyond measure": CHUNKED + b"fffffffffffffffff1\r\nok\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\nok\r\n0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a folded header": OK + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "a space before the colon": OK + b"Content-Length : 2\r\n\r\nok",
    "NUL in a header": OK + b"X-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a switch of protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "101 without upgrade": b"HTTP/1.1 101 Switching\r\n\r\n",
    "status 099": b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok",
    "1xx with a body": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok" + OK + b"Content-Length: 0\r\n\r\n",
    "a head too large": OK + b"X-A: " + b"a" * LARGEST_HEAD + b"\r\nContent-Length: 0\r\n\r\n",
    "too many headers": OK + b"X: y\r\n" * (LARGEST_HEAD // 5) + b"Content-Length: 0\r\n\r\n",
    "1xx without end": b"HTTP/1.1 100 Continue\r\nX-A: bcdefghijklmnop\r\n\r\n" * 3000,
    "a trailer too large": CHUNKED + b"0\r\nX-A: " + b"a" * LARGEST_HEAD + b"\r\n\r\n",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_two_readers_could_understand_differently_is_refused(data: bytes) -> None:
    assert read(data).failure == "protocol"
    pieces = bytewise(data) if len(data) < 1000 else [data[n : n + 999] for n in range(0, len(data), 999)]
    assert read(*pieces).failure == "protocol"


@pytest.mark.parametrize("start", [OK + b"X-A: ", CHUNKED + b"5;", CHUNKED + b"0\r\nX-A: "])
def test_what_never_brings_a_body_ends(start: bytes) -> None:
    reader = AnswerReader("POST")
    reader.feed(start)
    for _ in range((LARGEST_HEAD - len(start)) // 500):
        reader.feed(b"a" * 500)
    assert not reader.ended
    for _ in range(3):
        reader.feed(b"a" * 500)
    assert reader.failure == "protocol"


def test_the_answer_to_head_has_no_body_and_its_connection_no_future() -> None:
    assert read(OK + b"Content-Length: 5\r\n\r\n", method="HEAD") == Reading(200, b"", None, reusable=False)
    assert read(OK + b"Content-Length: 5\r\n\r\nhello", method="HEAD") == Reading(200, b"", None, reusable=False)


def test_an_answer_without_length_goes_on_to_the_end() -> None:
    assert read(OK + b"\r\nhel", b"lo", end=True) == Reading(200, b"hello", None, reusable=False)


@pytest.mark.parametrize(
    "data",
    [b"", b"HTT", OK, OK + b"Content-Length: 5\r\n\r\nhell", CHUNKED + b"5\r\nhello\r\n", CHUNKED + b"5\r\nhel"],
)
def test_an_end_before_the_end_is_a_reset(data: bytes) -> None:
    reading = read(data, end=True)
    assert (reading.failure, reading.reusable) == ("reset", False)


@pytest.mark.parametrize("rest", [b"H", OK + b"Content-Length: 2\r\n\r\nno", b"\0", b"0"])
@pytest.mark.parametrize("name", ["with a length", "chunked", "204", "closing", "empty"])
def test_bytes_after_the_answer_end_the_connection_and_not_the_answer(name: str, rest: bytes) -> None:
    data, status, body, _ = WHOLE[name]
    assert read(data + rest) == Reading(status, body, None, reusable=False)


def test_repeated_headers_stay_apart_and_undecodable_ones_survive() -> None:
    reader = AnswerReader("GET")
    reader.feed(OK + b"Set-Cookie: a\r\nset-cookie: b\r\nX-E: caf\xe9\r\nContent-Length: 0\r\n\r\n")
    assert reader.headers is not None
    assert reader.headers.getall("SET-COOKIE") == ["a", "b"]
    assert reader.headers["Set-Cookie"] == "a"
    assert reader.headers["x-e"].encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_an_interim_head_leaves_nothing_in_the_final_one() -> None:
    reader = AnswerReader("GET")
    reader.feed(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n")
    assert reader.headers is not None
    assert list(reader.headers) == ["Content-Length"]


def test_the_body_before_a_fault_can_still_be_taken() -> None:
    reader = AnswerReader("GET")
    reader.feed(CHUNKED + b"2\r\nok\r\nxyz\r\n")
    assert (reader.take(), reader.take(), reader.failure) == (b"ok", b"", "protocol")


def second_opinion(data: bytes) -> Reading | None:
    """What h11 reads out of the same bytes and an end; None where it refuses or is cut short."""
    peer, status, body = h11.Connection(h11.CLIENT), 0, b""
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    peer.send(h11.EndOfMessage())
    peer.receive_data(data)
    peer.receive_data(b"")
    try:
        while not isinstance(event := peer.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
    except h11.RemoteProtocolError:
        return None
    return Reading(status, body, None, reusable=False)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers as servers send them: interim heads, any framing, extensions, trailers."""
    interim = draw(st.lists(st.sampled_from([b"100 Continue", b"103 Early Hints\r\nLink: </a>"]), max_size=2))
    status = draw(st.sampled_from([b"200 OK", b"404 Not Found", b"500 Oops", b"204 No Content", b"304 Not Modified"]))
    bodies = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    body = b"".join(bodies)
    head = draw(st.sampled_from([b"", b"X-A: b\r\n", b"Connection: close\r\n", b"X-Empty:\r\n"]))
    framing = draw(st.sampled_from(["length", "chunked", "end"]))
    if status[:3] in {b"204", b"304"}:
        rest = b"\r\n"
    elif framing == "length":
        rest = b"Content-Length: %d\r\n\r\n" % len(body) + body
    elif framing == "end":
        rest = b"\r\n" + body
    else:
        extension = draw(st.sampled_from([b"", b";a", b";a=b"]))
        chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in bodies)
        trailer = draw(st.sampled_from([b"", b"X-T: u\r\n"]))
        rest = b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"
    return b"".join(b"HTTP/1.1 %s\r\n\r\n" % line for line in interim) + b"HTTP/1.1 " + status + b"\r\n" + head + rest


@given(answers(), st.lists(st.integers(0, 2000), max_size=8))
def test_any_cutting_of_a_sound_answer_reads_as_h11_reads_it(data: bytes, places: list[int]) -> None:
    whole, pieces = read(data, end=True), read(*cut(data, places), end=True)
    opinion = second_opinion(data)
    assert opinion is not None
    assert whole == pieces
    assert (whole.status, whole.body, whole.failure) == (opinion.status, opinion.body, None)


@given(
    answers(),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=2), st.integers(0, 2)), min_size=1, max_size=3),
    st.lists(st.integers(0, 2000), max_size=8),
)
def test_a_damaged_answer_never_reads_as_another(
    data: bytes, damage: list[tuple[int, bytes, int]], places: list[int]
) -> None:
    for place, inserted, removed in damage:
        at = place % (len(data) + 1)
        data = data[:at] + inserted + data[at + removed :]
    whole, pieces = read(data, end=True), read(*cut(data, places), end=True)
    assert (whole.status, whole.failure) == (pieces.status, pieces.failure)
    opinion = second_opinion(data)
    if whole.failure is None:
        assert whole.body == pieces.body
        if opinion is not None:
            assert (whole.status, whole.body) == (opinion.status, opinion.body)
