"""The life of the embedded engines: start, restart, death, refusal. Real Postgres, real Valkey."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from detectors.errors import EngineError
from storage.embedded import EmbeddedEngines, EnginePasswords, EngineUrls
from tests.storage.test_embedded_support import (
    PASSWORDS,
    all_end_within,
    open_folder,
    pause,
    postmaster,
    running,
    sql,
    supervisor,
    valkey,
    valkey_server,
)

pytestmark = pytest.mark.e2e  # engines started and killed: seconds each


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A data folder that does not exist yet."""
    with open_folder() as folder:
        yield folder / "data"


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder whose database exists; every test that starts engines on it stops them."""
    with open_folder() as folder:
        with running(folder / "data"):
            pass
        yield folder / "data"


@dataclass(frozen=True)
class Live:
    """Engines that run for all tests of this file that leave them running."""

    engines: EmbeddedEngines
    urls: EngineUrls
    data: Path


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with open_folder() as folder:
        engines = EmbeddedEngines(folder / "data", PASSWORDS)
        try:
            yield Live(engines, engines.start(), folder / "data")
        finally:
            engines.stop()


def restarted(engines: EmbeddedEngines) -> tuple[str, ...]:
    """Return what was started again: one look waits for two seconds, and a busy machine takes longer to recover."""
    while not (again := engines.poll()):
        pause()
    return again


def test_a_second_start_keeps_rows_keys_and_addresses(data: Path) -> None:
    with running(data) as first:
        sql(first.database_owner_url, "CREATE TABLE kept AS SELECT 7 AS seven")
        valkey(first.redis_url, "SET", "kept", "seven")
    with running(data) as second:
        assert sql(second.database_owner_url, "SELECT seven FROM kept") == "7"
        assert valkey(second.redis_url, "GET", "kept") == "seven"
        assert second == first


def test_a_killed_postmaster_is_started_again_with_its_committed_rows(live: Live) -> None:
    sql(live.urls.database_owner_url, "CREATE TABLE committed AS SELECT 7 AS seven")
    victim = postmaster(live.data)
    victim.kill()
    victim.wait(5)
    assert restarted(live.engines) == ("postgres",)
    assert sql(live.urls.database_owner_url, "SELECT seven FROM committed") == "7"


def test_a_killed_valkey_is_started_again_with_its_keys(live: Live) -> None:
    valkey(live.urls.redis_url, "SET", "written", "seven")
    victim = valkey_server(live.urls.redis_url)
    victim.kill()
    victim.wait(5)
    assert restarted(live.engines) == ("valkey",)
    assert valkey(live.urls.redis_url, "GET", "written") == "seven"


def test_an_engine_that_cannot_be_started_again_is_tried_later(live: Live) -> None:
    port = int((live.data / "valkey/port").read_text())
    victim = valkey_server(live.urls.redis_url)
    victim.kill()
    victim.wait(5)
    with closing(socket.create_server(("127.0.0.1", port))):
        assert live.engines.poll() == ()
    assert restarted(live.engines) == ("valkey",)


def test_engines_that_live_are_left_alone(live: Live) -> None:
    before = postmaster(live.data), valkey_server(live.urls.redis_url)
    assert live.engines.poll() == ()
    assert (postmaster(live.data), valkey_server(live.urls.redis_url)) == before


def test_both_engines_end_with_a_killed_supervisor(data: Path) -> None:
    with supervisor(data, data) as child:
        engines = child.started().engines()
        assert {process.name() for process in engines} == {"postgres", "valkey-server"}
        backends = [backend for engine in engines for backend in engine.children()]
        child.process.kill()
        assert all_end_within(2, [*engines, *backends])


def test_a_supervisor_killed_in_its_first_start_leaves_no_broken_database(fresh: Path) -> None:
    with supervisor(fresh, fresh) as child:
        assert child.read() == "report"
        child.process.kill()
    assert child.reports == ["creating the database (first start)"]
    with running(fresh) as urls:
        assert sql(urls.database_url, "SELECT 7") == "7"


def test_a_second_supervisor_is_refused_in_one_line(live: Live) -> None:
    with supervisor(live.data, live.data) as child:
        error = child.started().error
    assert error == (
        f"promptshield already runs on {live.data} (process {os.getpid()}): stop it or choose another --data"
    )
    assert sql(live.urls.database_url, "SELECT 7") == "7"


@pytest.mark.parametrize("wrong", [{"owner": "other"}, {"login": "other"}])
def test_other_passwords_than_the_database_was_made_with_are_one_clear_line(data: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(EngineError, match=r"has other passwords than the keys.*put back the keys") as caught:
        EmbeddedEngines(data, replace(PASSWORDS, **wrong)).start()
    assert "\n" not in str(caught.value)


def test_garbage_in_the_files_of_ports_and_pids_is_overcome(data: Path) -> None:
    for file in ("postgres/port", "valkey/port", "postgres/data/postmaster.pid"):
        (data / file).write_bytes(b"\xff\x00garbage\n")
    with running(data) as urls:
        assert sql(urls.database_url, "SELECT 7") == "7"
        assert valkey(urls.redis_url, "PING") is True


def test_a_pid_file_that_names_a_stranger_of_the_same_account_is_overcome(data: Path, live: Live) -> None:
    with running(data):
        pid_file = data / "postgres/data/postmaster.pid"
        before = pid_file.read_text()
    stranger = valkey_server(live.urls.redis_url).pid
    pid_file.write_text(before.replace(before.split()[0], str(stranger), 1))
    with running(data) as urls:
        assert sql(urls.database_url, "SELECT 7") == "7"


def test_another_port_is_chosen_when_somebody_took_ours(data: Path) -> None:
    with running(data) as first:
        port = int((data / "postgres/port").read_text())
    with closing(socket.create_server(("127.0.0.1", port))), running(data) as second:
        assert second.database_url != first.database_url
        assert sql(second.database_url, "SELECT 7") == "7"


def test_the_login_is_no_superuser_and_nothing_answers_without_a_password(live: Live) -> None:
    assert sql(live.urls.database_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "f"
    assert (
        sql(live.urls.database_owner_url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'trust'") == "0"
    )
    connections = [c for p in (postmaster(live.data), valkey_server(live.urls.redis_url)) for c in p.net_connections()]
    assert {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_no_password_and_no_secret_of_ours_is_in_the_engines_command_line_environment_or_log(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "provider-test")
    with running(data) as urls:
        processes = (postmaster(data), valkey_server(urls.redis_url))
        visible = [word for p in processes for word in (*p.cmdline(), *p.environ().values())]
    logs = [(data / engine / "server.log").read_text() for engine in ("postgres", "valkey")]
    assert [text for text in (*visible, *logs) if "-test" in text] == []


def test_a_forked_worker_cannot_stop_the_engines(live: Live) -> None:
    worker = os.fork()
    if worker == 0:
        live.engines.stop()
        os._exit(0)
    os.waitpid(worker, 0)
    assert live.engines.poll() == ()


def test_one_engine_alone_can_be_wanted(fresh: Path) -> None:
    with running(fresh, wanted=("valkey",)) as urls:
        assert valkey(urls.redis_url, "PING") is True
        assert (urls.database_url, urls.database_owner_url) == ("", "")
    assert not (fresh / "postgres").exists()


def test_a_password_that_could_leave_its_quotes_is_refused() -> None:
    with pytest.raises(EngineError, match="letters, digits"):
        EnginePasswords("o'wner", "login", "valkey")
