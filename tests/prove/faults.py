"""P4: something breaks at every stage of the way, and nothing reaches the upstream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from detectors.build import build_detectors
from detectors.chain import Chain
from detectors.errors import DetectorError, JournalError, StorageError
from detectors.types import Detector, Hit, InspectionContext, Segment, Stage, View
from detectors.views import Lattice, ViewBuilder
from policies.types import Policy
from proxy.app import Detection, Worker, build_worker, load_detection
from proxy.bodies.walk import Walk
from proxy.edge import EdgeServer
from proxy.handler import Handler
from proxy.parts import Parts
from proxy.providers import openai_chat
from proxy.screen import Screen, Screened
from proxy.settings import load_settings
from storage.embedded import EngineUrls
from storage.keys.house_keys import open_house_keys
from storage.types import DecisionRecord, Grant, LimitKey, OpenedRecord
from tests.harness import Product, Recorder

EXCEPTIONS = (ValueError, MemoryError, RecursionError, OSError, KeyError, DetectorError, AssertionError)
POLICY = """
extends: preset/standard
limits: {requests: 100000/min}
rules:
  - {id: personal-data, when: {category: pii}, action: mask}
"""
BODY = {"model": "scripted", "messages": [{"role": "user", "content": "a question from anna@example.org"}]}


class _Broken:
    """A detector that fails in one of the ways a detector can fail; `required` decides what that means."""

    cacheable, revision = True, "1"

    def __init__(self, name: str, failure: type[BaseException] | str, *, required: bool) -> None:
        self.name, self._failure, self.required = name, failure, required
        self.stage = Stage.PATTERN if required else Stage.MODEL

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        if self._failure == "hangs":
            await asyncio.sleep(60)
        if self._failure == "answers too little":
            return []
        if self._failure is DetectorError:
            raise DetectorError(self.name, "broken")
        assert isinstance(self._failure, type)
        raise self._failure


class _BrokenViews(ViewBuilder):
    def build(self, segment: Segment) -> Lattice:
        raise RuntimeError


class _BrokenScreen(Screen):
    async def judge(self, *_: object, **__: object) -> Screened:
        raise ArithmeticError


class _BrokenLimits:
    async def take(self, keys: Sequence[LimitKey], amounts: Sequence[int]) -> Grant:
        raise StorageError("broken")


class _BrokenJournal:
    def opened(self, record: OpenedRecord) -> None:
        raise JournalError("disk full")

    async def closed(self, record: DecisionRecord) -> None:
        raise JournalError("disk full")


class _BrokenPolicies:
    def policy_for(self, tenant: str, app: str) -> Policy:
        raise LookupError


async def never_allow(product: Product, recorder: Recorder) -> str:
    """Serve the product's own handler with one part broken after the other; the upstream must stay silent."""
    product.policy(POLICY)
    worker = await _worker(product)
    answered: dict[int, int] = {}
    broken = list(_faults(worker.parts, load_detection()))
    try:
        for name, parts in broken:
            recorder.received.clear()
            status = await _ask(parts, product.key)
            assert recorder.received == [], f"forwarded although {name}"
            assert status in {500, 503}, f"answered {status} although {name}"
            answered[status] = answered.get(status, 0) + 1
        recorder.received.clear()
        assert await _ask(worker.parts, product.key) == 200, "the unbroken way does not work, so this proves nothing"
        assert len(recorder.received) == 1
    finally:
        await worker.close()
    told = ", ".join(f"{count} x {status}" for status, count in sorted(answered.items()))
    return f"{len(broken)} faults in 9 places ({told}), 0 forwarded; without a fault 1 of 1"


def _faults(parts: Parts, detection: Detection) -> list[tuple[str, Parts]]:
    failures: list[type[BaseException] | str] = [*EXCEPTIONS, "answers too little"]
    required = [(f"a required detector fails: {f}", _with(parts, detection, f, required=True)) for f in failures]
    failures.append("hangs")
    refiners = [(f"a refiner fails: {f}", _with(parts, detection, f, required=False)) for f in failures]
    no_views = Chain(build_detectors(detection.rules), _BrokenViews([]), "r")
    return [
        *required,
        *refiners,
        ("views cannot be built", replace(parts, screen=Screen(no_views, detection.actions))),
        ("the screen fails", replace(parts, screen=_BrokenScreen(detection.chain, detection.actions))),
        ("the policy cannot be decided", replace(parts, screen=Screen(detection.chain, {}))),
        ("limits fail", replace(parts, metering=replace(parts.metering, limits=_BrokenLimits()))),
        ("policies fail", replace(parts, policies=_BrokenPolicies())),
        ("the journal is full", replace(parts, journal=_BrokenJournal())),  # type: ignore[arg-type]
        ("the codec fails", replace(parts, codecs=(_broken_codec(),))),
    ]


def _with(parts: Parts, detection: Detection, failure: type[BaseException] | str, *, required: bool) -> Parts:
    detector: Detector = _Broken("broken", failure, required=required)
    return replace(parts, screen=Screen(Chain([detector], ViewBuilder([]), "r"), detection.actions))


def _broken_codec() -> Any:
    class Broken(type(openai_chat.CODEC)):  # type: ignore[misc]
        def segments(self, body: Any, direction: Any) -> Walk:
            raise IndexError

    return Broken()


async def _worker(product: Product) -> Worker:
    settings = load_settings(product.config, data=product.data, environment={})
    fields = orjson.loads((product.data / "keys" / "runtime.json").read_bytes())
    urls = EngineUrls(fields["database"], fields["owner"], fields["redis"])
    worker = await build_worker(
        settings, load_detection(), open_house_keys(settings.keys_folder, {}), urls, 99, "prove"
    )
    await worker.parts.keys.check()
    return worker


async def _ask(parts: Parts, key: str) -> int:
    """Serve one request on a socket of its own, and return its status."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    runner = web.ServerRunner(EdgeServer(Handler(parts)), shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/chat/completions"
    try:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
            session.post(url, json=BODY) as answer,
        ):
            await answer.read()
            return answer.status
    finally:
        await runner.cleanup()
