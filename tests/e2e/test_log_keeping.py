"""What the log keeps of bodies and persons, through the running product: stored, found, read, erased, verified."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import orjson
import pytest

from tests.e2e.test_bad_input import post
from tests.harness import Product, Recorder, streamed

pytestmark = pytest.mark.e2e

MAIL = "jane.doe@example.com"


def ask(text: str, **more: object) -> bytes:
    return orjson.dumps({"model": "scripted", "messages": [{"role": "user", "content": text}], **more})


@pytest.fixture(scope="module")
def key(product: Product) -> Iterator[str]:
    """A key of a tenant whose policy stores bodies with everything masked; mail addresses are only flagged."""
    product.run("tenant", "create", "keeper")
    product.policy("extends: preset/standard\naudit: {store: masked, retain_bodies: 7d}\n", "keeper")
    yield product.run("key", "create", "keeper").stdout.split()[-1]
    (product.data / "policies" / "keeper.yaml").unlink()


def decide(product: Product, key: str, body: bytes) -> str:
    """Send a request, read its answer to the end, and return the id of its decision once that is stored."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{product.url}/chat/completions", body, headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        answer.read()
        decision: str = answer.headers["x-promptshield-decision-id"]
    product.shipped([decision], tenant="keeper")
    return decision


def test_both_bodies_are_kept_masked_though_the_mail_address_was_let_through(
    product: Product, recorder: Recorder, key: str
) -> None:
    decision = decide(product, key, ask(f"write to {MAIL}"))
    shown = product.run("decisions", "show", decision, "--bodies").stdout
    assert MAIL.encode() in recorder.received[-1].body
    assert "--- request, masked" in shown
    assert "--- response, masked" in shown
    assert "write to [EMAIL]" in shown
    assert MAIL not in shown


def test_a_streamed_answer_is_kept_as_its_text(product: Product, recorder: Recorder, key: str) -> None:
    recorder.scripts["scripted"] = streamed("mail it ", "to jane.doe", "@example.com, ", "please")
    decision = decide(product, key, ask("whom?", stream=True))
    shown = product.run("decisions", "show", decision, "--bodies").stdout
    assert "mail it to [EMAIL], please" in shown


def test_a_person_is_found_and_erased_and_the_chain_still_holds(product: Product, recorder: Recorder, key: str) -> None:
    decision = decide(product, key, ask("book a table for 555-12-7893", user="user-4711"))
    found = product.run("subject", "find", "--tenant", "keeper", "user-4711").stdout
    product.run("subject", "erase", "--tenant", "keeper", "--yes", "user-4711")
    shown = product.run("decisions", "show", decision, "--bodies").stdout
    assert decision in found
    assert product.run("subject", "find", "--tenant", "keeper", "user-4711").stdout == ""
    assert "---" not in shown
    assert "127.0.0.1" not in shown
    assert product.run("audit", "verify", "--tenant", "keeper").stdout.startswith("intact")


def test_nobodys_bodies_are_kept_unless_a_policy_says_so(product: Product, recorder: Recorder) -> None:
    _, _, headers = post(product, ask(f"write to {MAIL}"))
    decision = headers["x-promptshield-decision-id"]
    product.shipped([decision])
    shown = product.run("decisions", "show", decision, "--bodies")
    assert "---" not in shown.stdout
    assert shown.stderr == "promptshield: none of its bodies is stored\n"
    unknown = product.run("decisions", "show", f"{decision[:-12]}{'0' * 12}", check=False)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "promptshield: there is no such decision\n"
