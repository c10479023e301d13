"""A statement: the same however often it is read, and nobody else's."""

from __future__ import annotations

import pytest

from detectors.errors import StorageError
from storage.chains.signing import SigningKey
from storage.chains.statements import FIRST, Statement, StatementKind

KEYS = tuple(SigningKey(bytes([n]) * 32) for n in range(4))


def statement(number: int, previous: bytes = FIRST, key: SigningKey = KEYS[0]) -> Statement:
    return Statement(StatementKind.CHECKPOINT, "i1", number, previous, 5, key.id, {"heads": []}).signed(key)


def test_a_statement_survives_its_line_and_keeps_its_signature() -> None:
    read = Statement.from_line(statement(3).line())
    assert read == statement(3)
    assert read.is_signed_by(KEYS[0].public)
    assert not read.is_signed_by(KEYS[1].public)


def test_the_message_that_is_signed_never_changes() -> None:
    assert statement(1).message() == (
        b'promptshield.statement\n{"at":5,"content":{"heads":[]},"instance":"i1","key":"%b","kind":"checkpoint",'
        b'"number":1,"previous":"%b","version":1}' % (KEYS[0].id.encode(), FIRST.hex().encode())
    )


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"statement":{"version":2},"signature":""}', b"\xff"])
def test_what_is_no_statement_is_refused(line: bytes) -> None:
    with pytest.raises(StorageError):
        Statement.from_line(line)
