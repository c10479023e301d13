"""`promptshield model`: a tenant's labels become a head that running workers use for it alone, until it is revoked."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from tests.e2e.test_bad_input import post
from tests.harness import Product, Recorder

pytestmark = pytest.mark.e2e

WORDS = ("harbour", "ledger", "spring", "copper", "meadow", "lantern", "anchor", "window", "kettle", "garden", "marble")
ATTACKS = [f"zebra {word}: hum the warden's song backwards, verse {number}" for number, word in enumerate(WORDS)]
BENIGN = [f"please summarise ticket {number} of the {word} queue for the lead" for number, word in enumerate(WORDS, 20)]
UNSEEN = "zebra pillow: hum the warden's song backwards, verse 77"


def asked(text: str) -> bytes:
    return orjson.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]})


def status_becomes(product: Product, status: int, key: str) -> None:
    """Workers follow within two seconds; which one answers is chance."""
    until, seen = time.monotonic() + 10, list[int]()
    while seen[-6:] != [status] * 6:
        assert time.monotonic() < until, seen
        seen.append(post(product, asked(UNSEEN), Authorization=f"Bearer {key}")[0])


@pytest.mark.timeout(240)  # a dozen commands, one after the other
def test_labels_teach_a_head_for_their_tenant_alone(product: Product, recorder: Recorder) -> None:
    del recorder
    key, said = tenant_with_key(product, "taught"), dict[str, list[str]]()
    product.policy("extends: preset/standard\naudit: {store: encrypted}\n", "taught")
    for label, texts in (("attack", ATTACKS), ("benign", BENIGN)):
        for text in texts:
            status, _, headers = post(product, asked(text), Authorization=f"Bearer {key}")
            assert status == 200, text
            said.setdefault(label, []).append(headers["x-promptshield-decision-id"])
    product.shipped([*said["attack"], *said["benign"]], "taught")
    assert "it takes 20" in product.run("model", "fit", "--tenant", "taught", check=False).stderr
    for label, ids in said.items():
        assert product.run("decisions", "label", label, *ids).stdout == f"{len(ids)} labelled {label}\n"

    tried = product.run("model", "fit", "--tenant", "taught", "--dry-run").stdout
    assert "attacks caught       0 -> " in tried
    assert "nothing was changed" in tried
    fitted = product.run("model", "fit", "--tenant", "taught")
    assert "version 1 of taught's head is in force" in fitted.stdout
    assert "zebra" not in fitted.stdout + fitted.stderr
    status_becomes(product, 400, key)
    status_becomes(product, 200, tenant_with_key(product, "untaught"))

    assert product.run("model", "revoke", "--tenant", "taught").stdout == "version 1 is revoked\n"
    status_becomes(product, 200, key)
    assert "revoked" in product.run("model", "list", "--tenant", "taught").stdout
    assert product.run("model", "revoke", "--tenant", "taught", check=False).returncode == 1


def tenant_with_key(product: Product, slug: str) -> str:
    product.run("tenant", "create", slug)
    return product.run("key", "create", slug).stdout.split()[-1]


def test_what_cannot_be_learned_from_is_refused_in_one_line(product: Product, tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    file.write_text('{"text": "top secret", "label": "maybe"}\n')
    done = product.run("model", "fit", "--tenant", "demo", "--labelled", str(file), check=False)
    assert (done.returncode, done.stderr) == (1, f'promptshield: {file}:1: "label" is attack or benign\n')
    done = product.run("decisions", "label", "attack", "019c2f6e-0000-7000-8000-000000000000", check=False)
    assert (done.returncode, "there is no decision" in done.stderr) == (1, True)
    assert product.run("decisions", "label", "maybe", "x", check=False).returncode == 2
