"""Statements outside the database: a file that only grows, also when its writer is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import StorageError
from storage.chains.signing import SigningKey
from storage.chains.statement_file import StatementFile, read_statements
from storage.chains.statements import FIRST, Statement, StatementKind

KEYS = tuple(SigningKey(bytes([n]) * 32) for n in range(4))


def statement(number: int, previous: bytes = FIRST, key: SigningKey = KEYS[0]) -> Statement:
    return Statement(StatementKind.CHECKPOINT, "i1", number, previous, 5, key.id, {"heads": []}).signed(key)


def test_a_file_takes_only_what_is_younger_than_its_last_line(tmp_path: Path) -> None:
    file = StatementFile(tmp_path / "new", "i1")
    assert file.last() is None
    assert file.append([statement(1), statement(2)]) == (statement(1), statement(2))
    assert file.append([statement(2), statement(3)]) == (statement(3),)
    assert file.last() == statement(3)
    assert [s.number for s in read_statements(tmp_path / "new")["i1"]] == [1, 2, 3]
    assert (tmp_path / "new" / "i1.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 40])
def test_half_a_line_is_cut_off_before_the_next_one(tmp_path: Path, cut: int) -> None:
    file = StatementFile(tmp_path, "i1")
    file.append([statement(1)])
    path = tmp_path / "i1.jsonl"
    path.write_bytes(path.read_bytes() + statement(2).line()[:cut])
    assert [s.number for s in read_statements(tmp_path)["i1"]] == [1]
    file.append([statement(2)])
    assert [s.number for s in read_statements(tmp_path)["i1"]] == [1, 2]


def test_a_last_line_longer_than_a_block_is_found(tmp_path: Path) -> None:
    file = StatementFile(tmp_path, "i1")
    heads = [[tenant, 1, "00" * 32] for tenant in range(3000)]
    long = Statement(StatementKind.CHECKPOINT, "i1", 2, FIRST, 5, KEYS[0].id, {"heads": heads})
    file.append([statement(1), long])
    assert file.last() == long


def test_a_file_that_holds_anything_else_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "i1.jsonl").write_bytes(statement(1).line() + b"\n{}\n")
    with pytest.raises(StorageError, match=r"jsonl:2: no statement: KeyError"):
        read_statements(tmp_path)
