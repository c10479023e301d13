"""Objects at a provider, end to end in this process: who may name them, where they are looked for, what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from proxy.app import Detection
from proxy.settings import UpstreamSettings
from storage.types import ObjectName
from tests.harness import Recorder
from tests.planted.surface import CREDENTIAL
from tests.proxy.conftest import MakePolicy
from tests.proxy.serving import Serving, serving

FILE = {"object": "file", "id": "file-1", "filename": "a.txt"}
OBJECTS = [
    ("/v1/responses/resp_1", ObjectName("response", "resp_1"), "/v1/responses/{response_id}"),
    ("/v1/files/file-1", ObjectName("file", "file-1"), "/v1/files/{file_id}"),
    ("/v1/batches/batch_1", ObjectName("batch", "batch_1"), "/v1/batches/{batch_id}"),
    ("/v1/rankings/rank_1", ObjectName("object", "/v1/rankings/rank_1"), "/v1/rankings/{ranking_id}"),
]


async def shows(request: web.Request, _body: bytes) -> web.Response:
    return web.Response() if request.method == "DELETE" else web.json_response(FILE)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
async def served(
    tmp_path: Path, detection: Detection, make_policy: MakePolicy, recorder: Recorder
) -> AsyncIterator[Serving]:
    recorder.received.clear()
    recorder.scripts = {path: shows for path, _, _ in OBJECTS}
    upstreams = [
        UpstreamSettings(name=name, base_url=recorder.url, credential=f"of-{name}", priority=priority)
        for priority, name in enumerate(("first", "second"))
    ]
    policy = make_policy('routes: [{path: "/v1/rankings/{ranking_id}", methods: [GET, POST]}]')
    async with serving(tmp_path, detection, policy, *upstreams) as served:
        yield served


@pytest.mark.parametrize(("path", "name", "route"), OBJECTS)
async def test_an_object_is_asked_for_where_it_was_made_and_only_by_its_maker(
    served: Serving, recorder: Recorder, path: str, name: ObjectName, route: str
) -> None:
    served.objects.known.add((1, "second", name))
    assert await served.ask(path, method="GET") == (200, FILE)
    assert [received.headers["Authorization"] for received in recorder.received] == ["Bearer of-second"]
    status, said = await served.ask(path, method="GET", key="other-key")
    assert (status, said["error"]["code"]) == (404, "object_not_found")
    assert len(recorder.received) == 1
    assert [row.route for row in served.rows()] == [f"GET {route}"] * 2


@pytest.mark.parametrize(("path", "name", "route"), OBJECTS)
async def test_a_request_without_a_body_is_refused_one(
    served: Serving, recorder: Recorder, path: str, name: ObjectName, route: str
) -> None:
    served.objects.known.add((1, "first", name))
    status, said = await served.ask(path, {"text": "more"}, method="GET")
    assert (status, said["error"]["code"], recorder.received) == (400, "invalid_body", [])


async def test_a_credential_in_a_path_goes_nowhere_though_its_tenant_made_it(
    served: Serving, recorder: Recorder
) -> None:
    served.objects.known.add((1, "first", ObjectName("file", CREDENTIAL)))
    status, said = await served.ask(f"/v1/files/{CREDENTIAL}", method="GET")
    assert (status, said["error"]["code"], recorder.received) == (400, "content_filter", [])


async def test_an_upstream_that_says_nothing_of_what_it_deleted_is_no_failure(served: Serving) -> None:
    served.objects.known.add((1, "first", ObjectName("file", "file-1")))
    assert await served.ask("/v1/files/file-1", method="DELETE") == (200, {})
