"""`promptshield decisions` beside the running product: found, paged, exported."""

from __future__ import annotations

import csv
import io
import re
import subprocess

import orjson
import pytest

from tests.e2e.test_bad_input import GOOD, post
from tests.harness import Product, Recorder

pytestmark = pytest.mark.e2e

PII = GOOD.replace(b"hi", b"write to someone@example.org")


@pytest.fixture(scope="module")
def decisions(product: Product, upstream: Recorder) -> list[str]:
    """The ids of three decisions, oldest first; the last one has a finding."""
    ids = [post(product, body)[2]["x-promptshield-decision-id"] for body in (GOOD, GOOD, PII)]
    product.shipped(ids)
    return ids


def test_a_search_by_rule_finds_the_newest_with_that_finding(product: Product, decisions: list[str]) -> None:
    found = product.run("decisions", "search", "--rule", "PS-PII-001", "--from", "1h", "--json", "--limit", "1")
    assert orjson.loads(found.stdout)["id"] == decisions[-1]


def test_a_search_goes_on_where_its_cursor_says(product: Product, decisions: list[str]) -> None:
    question = ("decisions", "search", "--tenant", "demo", "--from", "1h", "--json", "--limit", "1")
    first = product.run(*question)
    cursor = re.search(r"--cursor (\S+)", first.stderr)
    assert cursor is not None
    second = product.run(*question, "--cursor", cursor.group(1))
    ids = [orjson.loads(done.stdout)["id"] for done in (first, second)]
    assert ids == sorted(ids, reverse=True)
    refused = product.run("decisions", "search", "--tenant", "demo", "--cursor", "x" * 32, check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("form", ["csv", "jsonl", "ocsf"])
def test_an_export_holds_what_a_search_finds(product: Product, decisions: list[str], form: str) -> None:
    done = product.run("decisions", "export", "--from", "1h", "--tenant", "demo", "--format", form)
    if form == "csv":
        ids = [row["id"] for row in csv.DictReader(io.StringIO(done.stdout))]
        assert set(decisions) <= set(ids)
    else:
        rows = [orjson.loads(line) for line in done.stdout.splitlines()]
        assert len(rows) >= len(decisions)
        assert all(decision in done.stdout for decision in decisions)


@pytest.mark.parametrize("command", [("search",), ("export", "--format", "csv")])
def test_a_tenant_that_does_not_exist_is_named_with_the_nearest(
    product: Product, decisions: list[str], command: tuple[str, ...]
) -> None:
    done = product.run("decisions", *command, "--tenant", "dmeo", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "promptshield: there is no tenant 'dmeo' (did you mean 'demo'?)\n"


def test_an_export_of_nothing_still_has_its_head(product: Product, decisions: list[str]) -> None:
    done = product.run("decisions", "export", "--model", "of-nobody", "--from", "1h", "--format", "csv")
    assert done.stdout.startswith("opened_at,")
    assert done.stdout.count("\n") == 1


def test_reading_uses_the_replica_where_there_is_one(product: Product, decisions: list[str]) -> None:
    environment = product.environ() | {"DATABASE_READ_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}
    command = product.command("decisions", "tail")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "the database does not answer" in done.stderr
