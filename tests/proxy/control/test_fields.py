from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from proxy.control.fields import Line, SentMoment, Slug, escape_invisible, read_id


class One(BaseModel):
    line: Line
    slug: Slug = "acme"


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "\x1b[31m",
        "\x9b31m",
        "a\u202eb",
        "a\u200bb",
        "\u2028",
        "\ufeff",
        "a\x00",
        "x" * 201,
        "a\u034f",
        "\u3164",
        "a\u2800b",
        "\uffa0",
        "\ufe0f",
        "\U000e0100",
    ],
)
def test_a_line_is_what_it_looks_like(text: str) -> None:
    with pytest.raises(ValidationError):
        One(line=text)


@pytest.mark.parametrize("text", ["", "Größe 12 µm", "日本語", "<script>", "=cmd()", "a" * 200])
def test_any_visible_text_is_a_line(text: str) -> None:
    assert One(line=text).line == text


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+12:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "9999-01-01T00:00:00Z"]
)
def test_a_time_can_be_reckoned_with(moment: str) -> None:
    known = TypeAdapter(SentMoment)
    assert known.validate_python("1970-01-01T00:00:00Z") < known.validate_python("9998-12-31T23:59:59-00:00")
    with pytest.raises(ValidationError, match="between the years 1970 and 9998"):
        known.validate_python(moment)


@pytest.mark.parametrize("slug", ["a", "A", "1a", "a" * 40, "a_b", "a\n", "acme\n", "äcme"])
def test_a_slug_is_plain(slug: str) -> None:
    with pytest.raises(ValidationError):
        One(line="", slug=slug)


@given(st.text())
def test_escaped_json_says_the_same(text: str) -> None:
    serialised = orjson.dumps({"text": text}) if _is_unicode(text) else b'{"text":""}'
    escaped = escape_invisible(serialised)
    assert orjson.loads(escaped) == orjson.loads(serialised)
    assert not {*map(chr, range(0x7F, 0xA0)), "\u202e", "\u200b", "\U000e0041", "\x1b"} & {*escaped.decode()}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("007", 7), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("0" * 20 + "1", None)]
    + [(text, None) for text in ("", "-1", "1.0", "1e3", "\u0661", "9" * 5000, "0" * 25 + "9" * 25)],
)
def test_an_id_is_what_the_database_could_have_given(text: str, number: int | None) -> None:
    assert read_id(text) == number
