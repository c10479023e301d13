"""Two instances behind nginx, an engine, one Postgres through PgBouncer, a Valkey cluster: as if they were one."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from storage.embedded import EmbeddedEngines, EnginePasswords
from storage.types import Role
from tests.deployed.prometheus import free_port
from tests.deployed.watched import ask
from tests.harness import Product, Recorder, running_engine
from tests.valkey_cluster import valkey_cluster

DEPLOY = Path(__file__).parents[2] / "deploy"
LIMIT = 400
POLICY = f"extends: preset/standard\ndisclose: full\nlimits: {{requests: {LIMIT}/min}}\n"
HOUSE = {f"PROMPTSHIELD_{name}": secrets.token_hex(32) for name in ("PEPPER", "CONTENT_KEY", "KEK")}


@dataclass(frozen=True, slots=True)
class Pair:
    """`front` is the balancer's base URL, `database` reaches Postgres without the pooler."""

    front: str
    key: str
    instances: tuple[Product, Product]
    policies: Path
    database: str

    async def ask(self, count: int, at_once: int) -> list[tuple[int, str]]:
        """Send `count` requests; return status and decision id of each answer, 0 for none."""
        gate = asyncio.Semaphore(at_once)
        headers = {"Authorization": f"Bearer {self.key}"}

        async def one(session: ClientSession, number: int) -> tuple[int, str]:
            body = {"model": "scripted", "messages": [{"role": "user", "content": f"What is {number} plus one?"}]}
            async with gate:
                try:
                    async with session.post(f"{self.front}/chat/completions", json=body, headers=headers) as answer:
                        await answer.read()
                        return answer.status, answer.headers.get("x-promptshield-decision-id", "")
                except ClientError:
                    return 0, ""

        async with ClientSession(timeout=ClientTimeout(60)) as session:
            return await asyncio.gather(*(one(session, number) for number in range(count)))

    def logged(self) -> set[str]:
        rows = asyncio.run(ask(self.database, "SELECT id::text AS id FROM public.decisions", Role.READER))
        return {row["id"] for row in rows}


@contextmanager
def program(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def pgbouncer(folder: Path, url: str, port: int) -> tuple[str, ...]:
    """Return the command that runs deploy/pgbouncer/pgbouncer.ini in front of the database at `url`."""
    parts = urlsplit(url)
    config = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text()
    config = config.replace("host=postgres port=5432", f"host={parts.hostname} port={parts.port}")
    config = config.replace("dbname=promptshield", f"dbname={parts.path[1:]}")
    config = config.replace("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1")
    config = config.replace("listen_port = 6432", f"listen_port = {port}\nunix_socket_dir =")
    config = config.replace("/etc/pgbouncer/userlist.txt", str(folder / "userlist.txt"))
    (folder / "userlist.txt").write_text(f'"{parts.username}" "{parts.password}"\n')
    (folder / "pgbouncer.ini").write_text(config)
    (folder / "userlist.txt").chmod(0o644)
    run_as = ("-u", "nobody") if os.getuid() == 0 else ()
    return (shutil.which("pgbouncer") or "pgbouncer", *run_as, str(folder / "pgbouncer.ini"))


def nginx(folder: Path, ports: tuple[str, str], port: int) -> tuple[str, ...]:
    """Return the command that runs deploy/nginx/promptshield.conf in front of two instances."""
    site = (DEPLOY / "nginx" / "promptshield.conf").read_text().replace("listen 8080", f"listen 127.0.0.1:{port}")
    for name, own in zip(("a", "b"), ports, strict=True):
        site = site.replace(f"promptshield-{name}:8000", f"127.0.0.1:{own}")
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;"
        f" fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;"
        f" include {folder}/site.conf; }}\n"
    )
    return ("nginx", "-e", "stderr", "-c", str(folder / "nginx.conf"))


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ps-out-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        engines = EmbeddedEngines(folder / "engines", EnginePasswords("owner-test", "login-test", "valkey-test"))
        urls = engines.start()
        stack.callback(engines.stop)
        recorder = stack.enter_context(Recorder())
        pooled = free_port()
        stack.enter_context(program(*pgbouncer(folder, urls.database_url, pooled)))
        direct = urlsplit(urls.database_url)
        environment = {
            **HOUSE,
            "DATABASE_URL": urls.database_url.replace(f":{direct.port}/", f":{pooled}/"),
            "DATABASE_OWNER_URL": urls.database_owner_url,
            "REDIS_URL": stack.enter_context(valkey_cluster(folder)),
            "DETECTION_ENGINE_URL": stack.enter_context(running_engine())[1],
        }
        (folder / "policies").mkdir()
        (folder / "policies" / "default.yaml").write_text(POLICY)
        more = f"policies: {folder}/policies\nupstreams: [{{name: recorder, base_url: '{recorder.url}'}}]\n"
        ports = (free_port(), free_port())
        a, b = (
            stack.enter_context(
                Product(
                    folder / name,
                    workers=1,
                    extra=f"{more}edge: {{grace: 1, drain: 20}}\nproxy: {{port: {port}}}\n",
                    environment=environment,
                )
            )
            for name, port in zip(("a", "b"), ports, strict=True)
        )
        front = free_port()
        stack.enter_context(program(*nginx(folder, (str(ports[0]), str(ports[1])), front)))
        time.sleep(1)  # noqa: TID251 - nginx says nothing when it is up
        yield Pair(f"http://127.0.0.1:{front}/v1", a.key, (a, b), folder / "policies", urls.database_url)


def test_two_instances_keep_one_limit_and_refuse_hardly_early(pair: Pair) -> None:
    answers = asyncio.run(pair.ask(LIMIT + 80, 16))

    statuses = Counter(status for status, _ in answers)
    # A call of Valkey that takes more than half a second makes an instance live on its share of the fleet for a moment.
    assert LIMIT * 0.95 <= statuses[200] <= LIMIT, (statuses, "was Valkey away for either of the two?")
    assert set(statuses) == {200, 429}


def test_a_changed_policy_is_in_force_on_both_within_seconds(pair: Pair) -> None:
    (pair.policies / "default.yaml").write_text(POLICY.replace(f"{LIMIT}/min", "100000/min"))
    time.sleep(3)  # noqa: TID251 - every worker looks once a second

    revision = r'promptshield_policy_info\{policy="default",revision="([^"]+)"\}'
    metrics = [_metrics(one, revision) for one in pair.instances]
    assert metrics[0] == metrics[1] != set()


def test_an_instance_is_replaced_under_load_and_no_answer_and_no_decision_is_lost(pair: Pair) -> None:
    first = pair.instances[0]

    async def play() -> list[tuple[int, str]]:
        load = asyncio.ensure_future(pair.ask(1500, 8))
        await asyncio.sleep(1)
        assert await asyncio.to_thread(first.stop, signal.SIGTERM) == 0
        await asyncio.to_thread(first.start)
        return await load

    answers = asyncio.run(play())
    assert Counter(status for status, _ in answers) == {200: 1500}
    deadline = time.monotonic() + 20
    ids = {decision for _, decision in answers}
    while not ids <= pair.logged() and time.monotonic() < deadline:
        time.sleep(0.5)  # noqa: TID251 - the shippers are other processes
    assert ids - pair.logged() == set()


def test_both_have_asked_the_engine_and_it_answered(pair: Pair) -> None:
    asked = [_metrics(one, r'promptshield_engine_questions_total\{result="answered"\} (\S+)') for one in pair.instances]

    assert all(float(count) > 0 for (count,) in asked)


def _metrics(product: Product, pattern: str) -> set[str]:
    done = subprocess.run(["curl", "-s", f"{product.control_url}/metrics"], capture_output=True, text=True, check=True)
    return set(re.findall(pattern, done.stdout))
