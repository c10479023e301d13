"""A worker whose database and Valkey are away: it comes up, answers, and promises nothing that it cannot keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer, TestClient

from proxy.app import Detection, Worker, build_worker
from proxy.settings import load_settings
from storage.embedded import EngineUrls
from storage.keys.house_keys import open_house_keys
from storage.tenants.api_keys import generate_key

NOBODY = "127.0.0.1:9"  # the discard port: nothing listens there
BODY = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def worker(tmp_path: Path, detection: Detection) -> AsyncIterator[Worker]:
    urls = EngineUrls(f"postgresql://ps@{NOBODY}/ps", "", f"redis://{NOBODY}")
    settings = load_settings(data=tmp_path, environment={})
    settings.policies_folder.mkdir(parents=True, mode=0o700)
    worker = await build_worker(settings, detection, open_house_keys(settings.keys_folder), urls, 0, "test")
    yield worker
    await worker.close()


async def test_without_the_database_a_key_cannot_be_checked_which_may_be_tried_again(worker: Worker) -> None:
    await worker.parts.keys.check()
    headers = {"Authorization": f"Bearer {generate_key()}", "x-request-id": "mine"}
    client: TestClient[web.BaseRequest, None] = TestClient(RawTestServer(worker.handler))
    async with client:
        answer = await client.post("/v1/chat/completions", json=BODY, headers=headers)
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "identity_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "x-should-retry" not in answer.headers
    assert answer.headers["x-request-id"] == "mine"
    assert "x-promptshield-decision-id" not in answer.headers
    assert not worker.parts.keys.fresh
