"""Forms: one strict reading, and a writing that cannot be broken out of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import EdgeError
from proxy.providers._openai_multipart import MOST_PARTS, Part, read_form, write_form

FORM = "multipart/form-data; boundary=xyz"
FIELD = b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
END = b"--xyz--\r\n"


def field(*headers: bytes, data: bytes = b"v") -> bytes:
    return b"--xyz\r\n" + b"\r\n".join(headers) + b"\r\n\r\n" + data + b"\r\n" + END


def test_fields_and_files_are_read_byte_for_byte() -> None:
    file = (
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a b.wav"\r\nContent-Type: Audio/WAV\r\n\r\n'
    )
    parts = read_form(FIELD + file + b"\r\n\x00--xy\r\n" + b"\r\n" + END, FORM)

    assert parts == [Part("model", b"whisper-1"), Part("file", b"\r\n\x00--xy\r\n", "a b.wav", "audio/wav")]


NAMES = st.text("ab._-[]", min_size=1, max_size=8)
FILENAMES = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), max_size=12)


@settings(max_examples=50)
@given(parts=st.lists(st.builds(Part, NAMES, st.binary(max_size=40), FILENAMES), max_size=4))
def test_what_is_written_is_read_again(parts: list[Part]) -> None:
    raw, content_type = write_form(parts)
    again = read_form(raw, content_type)

    assert [(p.name, p.data, p.filename) for p in again] == [(p.name, p.data, p.filename) for p in parts]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        FIELD,
        FIELD + b"--xyz--junk",
        FIELD + END + FIELD,
        b"preamble\r\n" + FIELD + END,
        FIELD.replace(b"\r\n", b"\n") + END,
        b"--xyzz\r\n" + FIELD + END,
        b"--xyz\r\n\r\nno headers\r\n" + END,
        b"--xyz\r\nContent-Disposition: form-data; name=model" + END,
        field(b"Content-Type: text/plain"),
        field(b"Content-Disposition: form-data"),
        field(b'Content-Disposition: attachment; name="a"'),
        field(b'Content-Disposition: form-data; name="a"; name="b"'),
        field(b'Content-Disposition: form-data; name="a b"'),
        field(b'Content-Disposition: form-data; name="a"; filename="x"y"'),
        field(b"Content-Disposition: form-data; name=\"a\"; filename*=UTF-8''x"),
        field(b'Content-Disposition: form-data; name="a"; other="x"'),
        field(b'Content-Disposition: form-data; name="a"', b'Content-Disposition: form-data; name="b"'),
        field(b'Content-Disposition: form-data;\r\n name="a"'),
        field(b'Content-Disposition: form-data; name="\xff"'),
        field(b'Content-Disposition: form-data; name="a"', b"Content-Type: multipart/mixed; boundary=q"),
        field(b'Content-Disposition: form-data; name="a"', b"Content-Type: message/rfc822"),
        field(b'Content-Disposition: form-data; name="a"', b"Content-Type: text/plain; charset=utf-7"),
        field(b'Content-Disposition: form-data; name="a"', b"Content-Type: text"),
        field(b'Content-Disposition: form-data; name="a"', b"Content-Transfer-Encoding: base64"),
        field(b'Content-Disposition: form-data; name="a"', b"X-Long: " + b"a" * 9000),
        FIELD * (MOST_PARTS + 1) + END,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(EdgeError) as caught:
        read_form(raw, FORM)
    assert (caught.value.status, caught.value.code) == (400, "invalid_form")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=xyz; boundary=abc",
     'multipart/form-data; boundary="x y z"', f"multipart/form-data; boundary={'x' * 71}"],
)  # fmt: skip
def test_a_boundary_that_is_none_is_refused(content_type: str) -> None:
    with pytest.raises(EdgeError):
        read_form(FIELD + END, content_type)


def test_as_many_parts_as_are_allowed_are_read() -> None:
    assert len(read_form(FIELD * MOST_PARTS + END, FORM)) == MOST_PARTS


def test_a_file_name_and_a_type_cannot_break_out_of_their_header() -> None:
    raw, content_type = write_form([Part("file", b"x", 'a"\r\nX-Evil: 1\r\n\r\n', "text/plain\r\nX-Evil: 1")])
    (part,) = read_form(raw, content_type)

    assert b"\r\nX-Evil" not in raw
    assert (part.filename, part.content_type) == ("a%22%0D%0AX-Evil: 1%0D%0A%0D%0A", "application/octet-stream")
