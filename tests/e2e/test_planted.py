"""The planted-string table: whatever is put into any place of any dialect's requests is seen, or does not pass.

For every place where text can hide an attack, a credential and personal data are planted: none may reach the upstream
under a policy that blocks them. The benign request arrives as it was.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from detectors.types import Direction, Origin
from proxy.app import load_detection
from proxy.codec import Codec
from tests.harness import Product, Recorder
from tests.planted import SURFACES
from tests.planted.surface import PLANTED, Surface

pytestmark = pytest.mark.e2e

Send = Callable[[Surface, Any], int]
CODECS: dict[str, Codec] = {codec.name: codec for codec in load_detection().codecs}
# Forms, files and bare ids, whose places their own tests plant (tests/proxy/providers); and chat under another path.
WITHOUT_BODIES = {
    "openai_image_edits", "openai_transcriptions", "openai_translations", "openai_azure_chat", "openai_files",
    "openai_upload_parts", "openai_file_content", "openai_response_by_id", "openai_conversation_by_id",
    "anthropic_batch_results",
}  # fmt: skip
# Attack signatures do not read what developers write, nor what no model reads: a system prompt quotes attacks.
_UNREAD_BY_ATTACKS = {Origin.SYSTEM, Origin.TOOL_DEFINITION, Origin.METADATA}
POLICY = """
extends: preset/standard
references: any
routes: [{path: /v1/rerank}]
unscanned: {media: allow}
rules:
  - {id: attacks, when: {category: [prompt_injection, system_prompt_leak], min_confidence: 0.8}, action: block}
  - {id: secrets, when: {category: [credential, pii]}, action: block}
"""


@pytest.fixture(scope="module")
def upstream(any_upstream: Recorder) -> Recorder:
    return any_upstream


@pytest.fixture(scope="module")
def product(any_dialect: Product) -> Product:
    any_dialect.policy(POLICY)
    return any_dialect


@pytest.fixture
def send(product: Product) -> Iterator[Send]:
    """Send a body over one connection, kept open, because the table is long; return the status."""
    parts = urlsplit(product.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    headers = {"x-promptshield-key": product.key, "Content-Type": "application/json"}

    def send_one(surface: Surface, body: Any) -> int:
        connection.request("POST", surface.path, orjson.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    yield send_one
    connection.close()


def origins(surface: Surface) -> dict[str, Origin]:
    walk = CODECS[surface.codec].segments(surface.body, Direction.REQUEST)
    return {segment.pointer: segment.origin for segment in walk.segments}


def test_the_table_is_as_long_as_it_was() -> None:
    assert sum(len(surface.places()) for surface in SURFACES.values()) == 417
    assert SURFACES.keys() | WITHOUT_BODIES == CODECS.keys()


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES.keys())
def test_a_benign_request_arrives_as_it_was(surface: Surface, send: Send, upstream: Recorder) -> None:
    upstream.received.clear()
    assert send(surface, surface.body) < 300
    assert upstream.received[0].json() == surface.body


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES.keys())
def test_whatever_is_planted_anywhere_does_not_pass(surface: Surface, send: Send, upstream: Recorder) -> None:
    upstream.received.clear()
    origin_of = origins(surface)
    passed: list[tuple[str, str]] = []
    for place, (what, text) in chain.from_iterable(((p, item) for item in PLANTED.items()) for p in surface.places()):
        if what == "attack" and origin_of[place] in _UNREAD_BY_ATTACKS:
            continue
        if send(surface, surface.planted(place, text)) != 400:
            passed.append((what, place))
    assert passed == []
    assert upstream.received == []
