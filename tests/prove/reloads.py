"""`make reloads`: a policy file is saved 200 times under load, well and badly; what was applied is what rows say."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final

import orjson

from detectors.documents import MAX_SIZE
from policies.loader import load_policy
from tests.e2e.test_bad_input import GOOD, post
from tests.harness import Product, Recorder

RELOADS: Final = 200
# Seconds between two saves. Workers look once a second: in no fixed step with it, or one would meet bad files alone.
PAUSE: Final = 0.27
PERSON: Final = GOOD.replace(b"hi", b"write to someone@example.org")
RULE: Final = "extends: preset/standard\nrules: [{{id: persons, when: {{category: pii}}, action: {}}}]\n# {}\n"
BOMB: Final = "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n"
BAD: Final = ("extends: preset/nothing\n", "rules: [", BOMB, "x" * (MAX_SIZE + 1), "mode: enforse\n", "\x00")
ACTIONS: Final = ("flag", "mask", "block")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ps-reloads-") as name, Recorder() as upstream:
        folder = Path(name)
        folder.chmod(0o755)
        with Product(folder / "data", upstream=upstream.url, workers=2) as product:
            return _prove(product, upstream)


def _prove(product: Product, upstream: Recorder) -> int:
    file, scratch = product.data / "policies" / "demo.yaml", product.data / "scratch.yaml"
    revisions = dict[str, str]()  # what each good text does, by its revision
    product.policy(RULE.format("flag", "the demo policy's limit of requests is not what is tried here"))
    over, seen, statuses = threading.Event(), list[tuple[str, str]](), Counter[int]()

    def load() -> None:
        while not over.is_set():
            before = len(upstream.received)
            status, _, headers = post(product, PERSON)
            statuses[status] += 1
            arrived = upstream.received[before].body if status == 200 else b""
            done = "block" if status == 400 else "mask" if b"[EMAIL]" in arrived else "flag"
            seen.append((headers["x-promptshield-decision-id"], done))

    client = threading.Thread(target=load)
    client.start()
    for number in range(RELOADS):
        good = number % 2 == 0
        text = RULE.format(ACTIONS[number // 2 % len(ACTIONS)], number // 6) if good else BAD[number // 2 % len(BAD)]
        if good:
            scratch.write_text(text)
            revisions[load_policy(scratch, "demo").policy.revision] = ACTIONS[number // 2 % len(ACTIONS)]
        scratch.write_text(text)
        scratch.replace(file)
        time.sleep(PAUSE)  # noqa: TID251 - a person saves, and saves again
    over.set()
    client.join()
    return _report(product, seen, statuses, revisions)


def _report(product: Product, seen: list[tuple[str, str]], statuses: Counter[int], revisions: dict[str, str]) -> int:
    product.shipped([decision for decision, _ in seen])
    exported = product.run("decisions", "export", "--from", "1h", "--tenant", "demo").stdout
    rows = {row["id"]: row for row in map(orjson.loads, exported.splitlines())}
    first = [d for d, _ in seen if rows[d]["policy_revision"] not in revisions]  # before the first save was noticed
    wrong = [d for d, done in seen if d not in first and revisions[rows[d]["policy_revision"]] != done]
    failed = sum(count for status, count in statuses.items() if status not in {200, 400})
    applied = len({rows[d]["policy_revision"] for d, _ in seen})
    print(f"{RELOADS} saves, half of them bad; {len(seen)} requests, {failed} failed; {applied} revisions applied")
    print(f"{len(wrong)} decisions name another revision than the one that decided them")
    return 0 if failed == 0 and not wrong and len(seen) > RELOADS and applied > 1 and len(first) < len(seen) // 4 else 1


if __name__ == "__main__":
    sys.exit(main())
