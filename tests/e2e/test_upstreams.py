"""Several upstreams: from one that is away to the next, and what none of them may make us do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from aiohttp import web

from tests.e2e.test_bad_input import GOOD, post
from tests.harness import Product, Recorder

pytestmark = pytest.mark.e2e

TWO = """
upstreams:
  - {{name: away, base_url: "http://127.0.0.1:9/v1", priority: 1, breaker: {{threshold: 2, recovery: 60}}}}
  - {{name: recorder, base_url: "{url}", priority: 2}}
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, upstream: Recorder) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("two")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # the engines' account must be able to pass
    with Product(folder / "data", workers=1, extra=TWO.format(url=upstream.url)) as product:
        yield product


def test_the_next_upstream_answers_where_the_first_cannot_be_reached(product: Product, upstream: Recorder) -> None:
    upstream.received.clear()
    answers = [post(product, GOOD) for _ in range(5)]
    assert [status for status, _, _ in answers] == [200] * 5
    assert len(upstream.received) == 5
    decision = answers[-1][2]["x-promptshield-decision-id"]
    product.shipped([decision])
    shown = product.run("decisions", "show", decision).stdout
    assert re.search(r"upstream\W+recorder", shown)


def test_a_redirect_of_an_upstream_is_not_followed(product: Product, upstream: Recorder) -> None:
    async def elsewhere(_request: web.Request, _body: bytes) -> web.Response:
        return web.json_response({"moved": True}, status=302, headers={"Location": f"{upstream.url}/secrets"})

    upstream.received.clear()
    upstream.scripts["scripted"] = elsewhere
    status, _, headers = post(product, GOOD)
    upstream.scripts.clear()
    assert status == 502
    assert "location" not in {name.lower() for name in headers}
    assert len(upstream.received) == 1
