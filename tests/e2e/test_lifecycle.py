"""Starting, restarting, falling and ending: what an operator does to the product, and what a bad day does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import orjson
import psutil
import pytest

from storage.postgres import Session
from tests.e2e.test_bad_input import GOOD, post
from tests.harness import Product, Recorder, streamed

pytestmark = pytest.mark.e2e


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()


def test_health_and_metrics_of_both_planes(product: Product, recorder: Recorder) -> None:
    root = product.url.removesuffix("/v1")
    for base in (root, product.control_url):
        for path in ("/health", "/health/readiness", "/health/liveness", "/health/liveliness", "/healthz", "/readyz"):
            assert get(f"{base}{path}")[0] == 200
        assert orjson.loads(get(f"{base}/health")[1])["database"] == "connected"
    text = get(f"{product.control_url}/metrics")[1]
    for name in (
        "detection_requests_total",
        "detection_duration_seconds",
        "detection_confidence_histogram",
        "circuit_breaker_state",
        "circuit_breaker_failures_total",
        "tenant_requests_total",
        "tenant_active_connections",
    ):
        assert f"# TYPE {name}" in text
    assert get(f"{root}/metrics")[0] in {401, 404}


def test_a_second_start_is_quick_and_keeps_its_data(folder: Path, upstream: Recorder) -> None:
    with Product(folder / "again", upstream=upstream.url, workers=1) as product:
        cold, key = product.started_in, product.key
        decision = post(product, GOOD)[2]["x-promptshield-decision-id"]
        assert product.stop() == 0
        left = product.data / "journal" / "host-8000"  # as the first release named its journal
        left.mkdir()
        (left / "01a22deb-f57e-7c6b-be7a-4985ab50dd22.000001.jnl").touch()
        product.start()
        assert product.key == key
        assert max(cold, product.started_in) < 20  # beside other tests; `make bench` holds starts to their bars
        assert decision in {row["id"] for row in product.shipped([decision])}
        deadline = time.monotonic() + 10
        while any(left.glob("*.jnl")) and time.monotonic() < deadline:
            pass
        assert not any(left.glob("*.jnl"))


def test_a_second_start_is_refused_and_takes_nothing_from_the_first(product: Product, recorder: Recorder) -> None:
    del recorder
    refused = product.run("serve", check=False)
    assert (refused.returncode, "already runs on" in refused.stderr) == (1, True)
    assert "demo" in product.run("tenant", "list").stdout, "and commands find the one that runs"


def test_a_killed_worker_is_replaced(product: Product, recorder: Recorder) -> None:
    before = set(product.worker_pids())
    os.kill(min(before), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while len(set(product.worker_pids()) - before) < 1 and time.monotonic() < deadline:
        pass
    assert all(post(product, GOOD)[0] == 200 for _ in range(20))
    assert len(recorder.received) == 20


def test_sigterm_lets_a_stream_finish(folder: Path, upstream: Recorder) -> None:
    upstream.scripts["scripted"] = streamed(*[f"word{n} " for n in range(60)], pause=0.02)
    with Product(folder / "drained", upstream=upstream.url, workers=1) as product:
        command = [
            "curl", "-sN", f"{product.url}/chat/completions", "-H", f"Authorization: Bearer {product.key}",
            "-d", '{"model":"scripted","stream":true,"messages":[{"role":"user","content":"hi"}]}',
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE) as stream:
            assert stream.stdout is not None
            first = stream.stdout.readline()
            assert product.stop() == 0
            rest = stream.stdout.read()
    upstream.scripts.clear()
    assert first.startswith(b"data: ")
    assert rest.rstrip().endswith(b"data: [DONE]")
    assert b"word59" in rest


def test_a_second_sigterm_cuts_streams_also_while_new_requests_are_still_let_in(
    folder: Path, upstream: Recorder
) -> None:
    upstream.scripts["scripted"] = streamed(*["word "] * 400, pause=0.02)
    with Product(
        folder / "hurried", upstream=upstream.url, workers=1, extra="edge: {grace: 3, drain: 30}\n"
    ) as product:
        command = [
            "curl", "-sN", f"{product.url}/chat/completions", "-H", f"Authorization: Bearer {product.key}",
            "-d", '{"model":"scripted","stream":true,"messages":[{"role":"user","content":"hi"}]}',
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE) as stream:
            assert stream.stdout is not None
            assert product.process is not None
            assert stream.stdout.readline()
            product.process.send_signal(signal.SIGTERM)
            while get(product.url.removesuffix("/v1") + "/health/readiness")[0] == 200:
                pass
            assert product.stop() == 0
            rest = stream.stdout.read()
    upstream.scripts.clear()
    assert b"[DONE]" not in rest


def test_a_start_that_waits_for_a_migration_ends_when_it_is_told_to(product: Product, folder: Path) -> None:
    """Of several instances that start at once one migrates and the others wait, however long that takes."""
    urls = orjson.loads((product.data / "keys" / "runtime.json").read_bytes())
    another = {"DATABASE_URL": urls["database"], "DATABASE_OWNER_URL": urls["owner"], "REDIS_URL": urls["redis"]}
    second = Product(folder / "second", environment=another)
    second.write_config()
    ended = asyncio.run(_told_to_end(urls["owner"], second.command("serve"), second.environ()))

    assert ended == (0, "", "  stopped before it was ready\n")


_WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'private.migrations'::regclass AND NOT granted"


async def _told_to_end(database: str, command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Run a command while somebody else migrates, tell it to end once it waits for that, and return how it ended."""
    pipe = asyncio.subprocess.PIPE
    async with Session.open(database) as session, session.transaction() as migrating:
        await migrating.execute("LOCK TABLE private.migrations IN ACCESS EXCLUSIVE MODE")
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
        async with asyncio.timeout(30):
            while not await migrating.fetchval(_WAITING):
                pass
            process.terminate()
            said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), complained.decode()


def test_signals_that_come_while_it_looks_after_others_end_nothing(product: Product, recorder: Recorder) -> None:
    del recorder
    assert product.process is not None
    for _ in range(200):
        product.process.send_signal(signal.SIGHUP)
        time.sleep(0.001)  # noqa: TID251 - one that waits already takes no second one in

    assert post(product, GOOD)[0] == 200
    assert product.process.poll() is None


def test_a_killed_supervisor_leaves_nothing_behind(folder: Path, upstream: Recorder) -> None:
    product = Product(folder / "killed", upstream=upstream.url, workers=1)
    product.start()
    assert product.process is not None
    children = psutil.Process(product.process.pid).children(recursive=True)
    with product.process:
        product.process.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_a_client_that_goes_away_ends_the_upstream_call(product: Product, recorder: Recorder) -> None:
    recorder.scripts["scripted"] = streamed(*["word "] * 500, pause=0.02)
    command = [
        "curl", "-sN", "-m", "0.5", f"{product.url}/chat/completions", "-H", f"Authorization: Bearer {product.key}",
        "-d", '{"model":"scripted","stream":true,"messages":[{"role":"user","content":"hi"}]}',
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=False)
    deadline = time.monotonic() + 2
    while not recorder.disconnects and time.monotonic() < deadline:
        pass
    assert recorder.disconnects == 1


def test_an_upstream_that_is_away_is_a_502_in_shape(folder: Path) -> None:
    with Product(folder / "alone", upstream="http://127.0.0.1:9/v1", workers=1) as product:
        status, answer, headers = post(product, GOOD)
        assert (status, answer["error"]["code"]) == (502, "upstream_connect")
        rows = product.shipped([headers["x-promptshield-decision-id"]])
        assert rows[-1]["outcome"] == "upstream_error"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DATABASE_URL": "postgresql://nobody:x@127.0.0.1:9/none"}, "database"),
        ({"PROMPTSHIELD_MASTER_KEY": "sk-1234"}, "too weak"),
        ({"PROMPTSHIELD_PEPPER": "short"}, "too weak"),
        ({"NUM_WORKERS": "many"}, "workers"),
    ],
)
def test_a_start_that_cannot_work_says_why_in_one_line(folder: Path, environment: dict[str, str], said: str) -> None:
    product = Product(folder / "broken", environment=environment)
    product.write_config()
    done = product.run("serve", check=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("promptshield: ")]
    assert len(lines) == 1, done.stderr
    assert said in lines[0].lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("taken", ["policies", "schema", "held-policies", "instance"])
def test_a_start_that_finds_something_else_in_its_place_names_it_in_one_line(folder: Path, taken: str) -> None:
    product = Product(folder / f"taken-{taken}")
    place = product.data / taken
    product.data.mkdir()
    place.mkdir() if taken == "instance" else place.write_text("")
    product.write_config()
    done = product.run("serve", check=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert [line.partition(": ")[0] for line in lines] == ["promptshield"], done.stderr
    assert str(place) in lines[0]


def test_a_bad_policy_at_start_is_refused_with_file_and_line(folder: Path) -> None:
    product = Product(folder / "badpolicy")
    policies = product.data / "policies"
    policies.mkdir(parents=True)
    (policies / "acme.yaml").write_text("extends: preset/standard\nmoode: monitor\n")
    product.write_config()
    done = product.run("serve", check=False)
    assert done.returncode == 1
    assert "acme.yaml:2: unknown key 'moode' (did you mean 'mode'?)" in done.stderr


def test_a_policy_saved_badly_leaves_the_last_good_one(product: Product, recorder: Recorder) -> None:
    product.run("tenant", "create", "editor")
    key = product.run("key", "create", "editor").stdout.split()[-1]
    mail = GOOD.replace(b"hi", b"write to anna@example.org")
    product.policy("extends: preset/strict\nlimits: {text: 1 KiB}\n", "editor")
    assert post(product, mail, Authorization=f"Bearer {key}")[0] == 200
    assert b"[EMAIL]" in recorder.received[-1].body
    product.policy("extends: preset/nothing\n", "editor")
    assert post(product, mail, Authorization=f"Bearer {key}")[0] == 200
    assert b"[EMAIL]" in recorder.received[-1].body
    assert "preset/nothing" in product.log.read_text()
    metrics = get(f"{product.control_url}/metrics")[1]
    assert "promptshield_policy_reload_failures_total 0.0" not in metrics
    (product.data / "policies" / "editor.yaml").unlink()


def test_it_starts_below_a_private_folder(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> None:
    private = tmp_path_factory.mktemp("private")
    private.chmod(0o700)
    product = Product(private / "data", upstream=recorder.url, workers=1)
    try:
        product.start()
        assert post(product, GOOD)[0] == 200
        assert private.stat().st_mode & 0o777 == 0o700
        owners = {c.username() for c in product.children() if c.name() in {"postgres", "valkey-server"}}
        assert owners
        assert os.geteuid() != 0 or "root" not in owners
    finally:
        product.stop()
