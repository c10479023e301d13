"""multipart/form-data in and out (RFC 7578, RFC 2046): one strict reading of the bytes, and a writing of our own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from detectors.errors import EdgeError

MULTIPART: Final = "multipart/form-data"
MOST_PARTS: Final = 64
_LONGEST_HEAD: Final = 8 * 1024  # bytes of one part's headers
_BOUNDARY: Final = re.compile(r"[A-Za-z0-9'()+_,./:=?-]{1,70}")
_PARAMETER: Final = re.compile(r';[ \t]*([A-Za-z*_-]+)=(?:"([^"\x00-\x1f\x7f]*)"|([^\s";,=\x00-\x1f\x7f]+))[ \t]*')
_HEADER: Final = re.compile(r"([A-Za-z0-9-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_NAME: Final = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,128}")
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}")
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_ENCODINGS: Final = frozenset({"binary", "8bit", "7bit"})
# As browsers write a file's name (WHATWG HTML, multipart/form-data encoding algorithm).
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\x00": "%00"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form: a file if `filename` is not None. `content_type` is lower-case and without parameters."""

    name: str
    data: bytes
    filename: str | None = None
    content_type: str = ""


def read_form(raw: bytes, content_type: str) -> list[Part]:
    """Return the parts, in order. Raises EdgeError 400 for whatever could be read in two ways, or has no end."""
    delimiter = b"\r\n--" + _boundary(content_type)
    first, *between = (b"\r\n" + raw).split(delimiter, MOST_PARTS + 1)
    if first or not between:
        raise _broken("it does not begin with its boundary")
    last = between.pop()
    if delimiter in last:
        raise _broken(f"it has more than {MOST_PARTS} parts")
    if last not in {b"--", b"--\r\n"}:
        raise _broken("it does not end with its boundary")
    return [_part(part) for part in between]


def write_form(parts: Iterable[Part]) -> tuple[bytes, str]:
    """Return a body under a boundary of our own, and its content type. The bytes of files are kept as they are."""
    boundary = secrets.token_hex(20)  # nobody can have written it into a file
    written = [b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary.encode(), _head(part), part.data) for part in parts]
    return b"".join([*written, b"--%b--\r\n" % boundary.encode()]), f"{MULTIPART}; boundary={boundary}"


def _boundary(content_type: str) -> bytes:
    _, parameters = _split(content_type)
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise _broken("its boundary is missing or not valid")
    return boundary.encode()


def _part(raw: bytes) -> Part:
    head, end, _ = raw[:_LONGEST_HEAD].partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n") or not end:
        raise _broken("a part has no headers, or no end of them")
    headers = dict(_headers(head[2:]))
    disposition, parameters = _split(headers.get("content-disposition", ""))
    name = parameters.pop("name", "")
    filename = _filename(parameters)
    if disposition != "form-data" or not _NAME.fullmatch(name) or parameters:
        raise _broken("a part's Content-Disposition is not understood")
    if headers.get("content-transfer-encoding", "binary").lower() not in _ENCODINGS:
        raise _broken("a part has a transfer encoding")
    return Part(name, raw[len(head) + len(end) :], filename, _content_type(headers.get("content-type", "")))


def _headers(head: bytes) -> Iterator[tuple[str, str]]:
    """Yield the headers of a part. Raises EdgeError 400 for folded, repeated and unreadable ones."""
    seen: set[str] = set()
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError as exc:
        raise _broken("a part's headers are not UTF-8") from exc
    for line in lines:
        header = _HEADER.fullmatch(line)
        name = header.group(1).lower() if header else ""
        if header is None or name in seen:
            raise _broken("a part's headers are not valid")
        seen.add(name)
        yield name, header.group(2).strip()


def _split(value: str) -> tuple[str, dict[str, str]]:
    """Return the first word of a header, lower-case, and its parameters. Raises EdgeError 400."""
    word, semicolon, rest = value.partition(";")
    rest, parameters = f"{semicolon}{rest}", dict[str, str]()
    position = 0
    while position < len(rest):
        found = _PARAMETER.match(rest, position)
        name = found.group(1).lower() if found else ""
        if found is None or name in parameters:
            raise _broken("a header's parameters are not valid")
        parameters[name] = found.group(2) if found.group(3) is None else found.group(3)
        position = found.end()
    return word.strip().lower(), parameters


def _filename(parameters: dict[str, str]) -> str | None:
    """Take the name of a file out of the parameters. Raises EdgeError 400 for a second one in another encoding."""
    if "filename*" in parameters:
        raise _broken("the name of a file belongs into filename, in UTF-8")
    return parameters.pop("filename", None)


def _content_type(value: str) -> str:
    kind, parameters = _split(value)
    if value and not _TYPE.fullmatch(kind):
        raise _broken("a part's Content-Type is not valid")
    if kind.startswith(("multipart/", "message/")):
        raise _broken("a part holds parts of its own")
    if parameters.get("charset", "utf-8").lower() not in _CHARSETS:
        raise _broken("a part is in another charset than UTF-8")
    return kind


def _head(part: Part) -> bytes:
    head = f'Content-Disposition: form-data; name="{part.name.translate(_ESCAPES)}"'
    if part.filename is None:
        return head.encode()
    kind = part.content_type if _TYPE.fullmatch(part.content_type) else "application/octet-stream"
    return f'{head}; filename="{part.filename.translate(_ESCAPES)}"\r\nContent-Type: {kind}'.encode()


def _broken(why: str) -> EdgeError:
    return EdgeError(400, "invalid_form", f"The form cannot be read: {why}.")
