"""The small parts of the embedded engines: pace, ports, logs, locks."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from storage.embedded.locks import take_lock
from storage.embedded.logs import bound_log, last_complaint, open_log
from storage.embedded.pace import Pace
from storage.embedded.ports import choose_port, is_free, keep_port


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait_before_launch(pace: Pace, clock: Clock) -> float:
    """Let time pass until `pace` allows a launch, launch, and return how many seconds that took."""
    begun = clock.now
    while not pace.allows_launch():
        clock.now += 0.25
    pace.note_launch()
    return clock.now - begun


def test_an_engine_that_keeps_dying_is_launched_at_growing_intervals() -> None:
    clock = Clock()
    pace = Pace(clock)
    waits = [wait_before_launch(pace, clock) for _ in range(10)]
    assert waits == [0, 0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_life_makes_the_next_restart_immediate() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(6):
        wait_before_launch(pace, clock)
    clock.now += 60
    assert [wait_before_launch(pace, clock) for _ in range(3)] == [0, 0, 0.5]


def test_a_kept_port_is_chosen_again_while_it_is_free(tmp_path: Path) -> None:
    port = choose_port(tmp_path / "port")
    keep_port(tmp_path / "port", port)
    assert choose_port(tmp_path / "port") == port
    with closing(socket.create_server(("127.0.0.1", port))):
        assert not is_free(port)
        assert choose_port(tmp_path / "port") != port


@pytest.mark.parametrize("content", [b"", b"abc", b"80", b"70000", b"-1", b"\xff\x00"])
def test_a_port_file_that_holds_no_usable_port_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "port").write_bytes(content)
    assert 20_000 <= choose_port(tmp_path / "port") < 32_000


def test_a_log_that_outgrew_its_limit_is_emptied_under_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    descriptor = open_log(path)
    os.truncate(path, 9 << 20)
    bound_log(path)
    os.write(descriptor, b"next\n")
    os.close(descriptor)
    assert path.read_bytes() == b"next\n"


def test_a_log_is_not_opened_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "server.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        open_log(tmp_path / "server.log")


@pytest.mark.parametrize(
    ("log", "complaint"),
    [
        ("2026 UTC [7] LOG:  begin\n2026 UTC [7] FATAL:  no room\n2026 UTC [7] LOG:  end\n", "no room"),
        ("7:M 22 Nov 2026 # Warning: Could not listen\n7:M 22 Nov 2026 # Failed, exiting\n", "Failed, exiting"),
        ("cannot execute\n", "cannot execute"),
        ("", "it wrote nothing to its log"),
    ],
)
def test_the_complaint_is_the_last_fatal_line_of_this_launch(tmp_path: Path, log: str, complaint: str) -> None:
    earlier = "2026 UTC [6] FATAL:  of the launch before\n"
    (tmp_path / "server.log").write_text(earlier + log)
    assert last_complaint(tmp_path / "server.log", len(earlier)) == complaint


def test_a_lock_lasts_until_the_last_copy_of_its_descriptor_is_closed(tmp_path: Path) -> None:
    first = take_lock(tmp_path / "lock", 0)
    assert first is not None
    copy = os.dup(first)
    os.close(first)
    assert take_lock(tmp_path / "lock", 0) is None
    os.close(copy)
    again = take_lock(tmp_path / "lock", 0)
    assert again is not None
    os.close(again)
