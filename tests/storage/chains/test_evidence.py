"""Evidence: what is believed of the statements, and what is damage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from storage.chains.chain import ChainName
from storage.chains.damage import Damages
from storage.chains.evidence import Evidence, gather
from storage.chains.signing import SigningKey, Succession
from storage.chains.statements import FIRST, Statement, StatementKind

OLD, NEW, STRANGER = (SigningKey(bytes([n]) * 32) for n in range(3))
CHECKPOINT, SUCCESSION = StatementKind.CHECKPOINT, StatementKind.SUCCESSION


def log_of(*steps: tuple[SigningKey, StatementKind]) -> list[Statement]:
    """A log of checkpoints that name link n in statement n, and of successions from OLD to NEW."""
    log: list[Statement] = []
    for number, (key, kind) in enumerate(steps, 1):
        content: dict[str, Any] = {"heads": [[7, number, "aa" * 32]]}
        if kind is SUCCESSION:
            content = {"successions": [Succession.announce(OLD, NEW).as_json()]}
        previous = log[-1].hash() if log else FIRST
        log.append(Statement(kind, "i1", number, previous, number, key.id, content).signed(key))
    return log


def look(
    published: Sequence[Statement], stored: Sequence[Statement] = (), *anchors: SigningKey, outside: bool = False
) -> tuple[Evidence, list[tuple[int | None, str]]]:
    damages = Damages()
    keys = [key.public for key in anchors or (OLD,)]
    evidence = gather({"i1": published}, {"i1": stored}, keys, damages, outside=outside)
    return evidence, [(damage.seq, damage.note.split(" ", 2)[2]) for damage in damages]


ROTATED = log_of((OLD, CHECKPOINT), (NEW, SUCCESSION), (NEW, CHECKPOINT))


def test_heads_come_in_the_order_of_their_links() -> None:
    evidence, damages = look(log_of(*[(OLD, CHECKPOINT)] * 3))
    assert [signed.head.seq for signed in evidence.heads[ChainName("i1", 7)]] == [1, 2, 3]
    assert (evidence.statements, evidence.began, damages) == (3, {"i1": 1}, [])


@pytest.mark.parametrize("anchor", [OLD, NEW])
def test_either_key_of_a_rotation_vouches_for_the_other(anchor: SigningKey) -> None:
    evidence, damages = look(ROTATED, (), anchor)
    assert (evidence.statements, damages) == (3, [])


def test_after_a_rotation_the_old_key_says_no_more() -> None:
    log = log_of((OLD, CHECKPOINT), (NEW, SUCCESSION), (OLD, CHECKPOINT))
    assert look(log)[1] == [(3, "is signed by another key, which the last one did not introduce")]


def test_a_stranger_is_not_believed() -> None:
    evidence, damages = look(log_of((STRANGER, CHECKPOINT)))
    assert damages == [(1, "is signed by a key that nobody introduced")]
    assert evidence.names() == set()


def test_a_stranger_cannot_introduce_himself() -> None:
    forged = Succession(OLD.public, STRANGER.public, STRANGER.sign(b"anything")).as_json()
    first = log_of((OLD, CHECKPOINT))[0]
    second = Statement(SUCCESSION, "i1", 2, first.hash(), 2, STRANGER.id, {"successions": [forged]}).signed(STRANGER)
    assert look([first, second])[1] == [(2, "is signed by a key that nobody introduced")]


@pytest.mark.parametrize(
    ("altered", "problem"),
    [
        ({"previous": b"1" * 32}, "has a signature that does not fit"),
        ({"content": {"heads": []}}, "has a signature that does not fit"),
        ({"at": 9}, "has a signature that does not fit"),
        ({"signature": bytes(64)}, "has a signature that does not fit"),
        ({"key": "f" * 16}, "is signed by a key that nobody introduced"),
        ({"instance": "i2"}, "is that of another instance"),
    ],
)
def test_an_altered_statement_is_damage_and_no_evidence(altered: dict[str, Any], problem: str) -> None:
    first, second = log_of(*[(OLD, CHECKPOINT)] * 2)
    evidence, damages = look([first, replace(second, **altered)])
    assert (evidence.statements, damages) == (1, [(2, problem)])


def test_a_statement_that_was_left_out_is_missed_but_the_others_still_testify() -> None:
    first, _, third = log_of(*[(OLD, CHECKPOINT)] * 3)
    evidence, damages = look([first, third])
    assert evidence.statements == 2
    assert damages == [(3, "does not follow on 1: statements between are missing")]


def test_what_the_database_has_forgotten_is_damage_if_there_is_a_place_outside() -> None:
    log = log_of(*[(OLD, CHECKPOINT)] * 3)
    assert look(log, log[:2], outside=True)[1] == [(3, "is published, but missing in the database")]
    assert look([], log[:2])[1] == []


def test_what_is_committed_and_not_yet_published_is_evidence_too() -> None:
    log = log_of(*[(OLD, CHECKPOINT)] * 3)
    evidence, damages = look(log[:2], log, outside=True)
    assert (evidence.statements, damages) == (3, [])


def test_of_two_statements_with_one_number_the_published_one_counts() -> None:
    (genuine,) = log_of((OLD, CHECKPOINT))
    other = replace(genuine, at=99).signed(OLD)
    evidence, damages = look([genuine], [other])
    assert damages == [(1, "is another one in the database than was published")]
    assert evidence.began == {"i1": 1}
