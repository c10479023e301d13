"""What goes onto the wire, read back by h11, and what never does."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.pool.endpoint import Endpoint
from proxy.pool.request_bytes import request_bytes
from proxy.upstreams.upstream import UpstreamRequest

ENDPOINT = Endpoint.parse("http://api.example.com:8080/v1")


def ask(
    method: str = "POST", path: str = "/chat", headers: dict[str, str] | None = None, body: bytes | None = b"{}"
) -> bytes:
    return request_bytes(ENDPOINT, UpstreamRequest(method, path, headers or {}, body))


def read(data: bytes) -> tuple[h11.Request, bytes]:
    """Read one request with h11, which must find nothing after it."""
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(data)
    request, body = peer.next_event(), b""
    assert isinstance(request, h11.Request)
    while isinstance(event := peer.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert peer.trailing_data == (b"", False)
    return request, body


def test_a_request_is_one_piece_with_host_and_length() -> None:
    assert ask(headers={"X-A": "b"}) == (
        b"POST /v1/chat HTTP/1.1\r\nHost: api.example.com:8080\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_no_body_means_no_length_except_where_one_is_expected() -> None:
    assert b"Content-Length" not in ask("GET", body=None)
    assert b"Content-Length: 0\r\n" in ask("POST", body=None)
    assert b"Content-Length: 0\r\n" in ask("DELETE", body=b"")


@given(
    st.dictionaries(
        st.from_regex(r"X-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True),
        st.text(st.characters(codec="utf-8", min_codepoint=33, exclude_characters="\x7f"), max_size=30),
    ),
    st.binary(max_size=300),
)
def test_what_is_asked_is_what_another_reader_sees(headers: dict[str, str], body: bytes) -> None:
    headers = {name.lower(): value for name, value in headers.items()}
    request, seen = read(ask(headers=headers, body=body))
    assert seen == body
    got = {name.decode(): value.decode() for name, value in request.headers}
    assert got == headers | {"host": "api.example.com:8080", "content-length": str(len(body))}


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\r\nX-Evil: 1", "a\0b"])
def test_a_value_cannot_begin_another_line(bad: str) -> None:
    with pytest.raises(ValueError) as caught:
        ask(headers={"X-A": bad})
    assert "Evil" not in str(caught.value)


@pytest.mark.parametrize("bad", ["", "a b", "a:b", "a\r\nb", "a\0", "é", " a", "a\t"])
def test_a_name_is_a_token(bad: str) -> None:
    with pytest.raises(ValueError):
        ask(headers={bad: "x"})


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Expect", "Upgrade"])
def test_framing_is_nobody_elses(name: str) -> None:
    with pytest.raises(ValueError):
        ask(headers={name: "1"})


@pytest.mark.parametrize("path", ["", "chat", "/a b", "/a\r\nHost: x", "/é", "/a\0", "http://other/"])
def test_a_path_cannot_leave_its_line(path: str) -> None:
    endpoint = Endpoint.parse("http://api.example.com")
    with pytest.raises(ValueError):
        request_bytes(endpoint, UpstreamRequest("GET", path, {}, None))


@pytest.mark.parametrize("method", ["", "GET /x HTTP/1.1\r\n", "G T", "É"])
def test_a_method_is_a_token(method: str) -> None:
    with pytest.raises(ValueError):
        ask(method)


def test_bytes_that_came_undecodable_leave_as_they_came() -> None:
    assert b"X-A: caf\xe9\r\n" in ask(headers={"X-A": b"caf\xe9".decode("utf-8", "surrogateescape")})


def test_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError):
        ask(headers={"X-A": "\ud800"})
