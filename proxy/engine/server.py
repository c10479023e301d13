"""What `promptshield engine` serves: the chain over whatever texts it is sent, and its health. It knows no tenant."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest
from typing import Any, Final

import structlog
from aiohttp import web

from detectors.aside import Aside
from detectors.chain import Chain, InspectionOptions
from detectors.errors import EdgeError, SettingsError
from detectors.lexicon import NOTHING_ADDED
from detectors.types import InspectionContext, Stage
from proxy.certificate import Certificate
from proxy.engine.answer import write_answer
from proxy.engine.client import INSPECT
from proxy.engine.question import read_question
from proxy.engine_settings import EngineSettings
from proxy.health import LIVENESS, READINESS
from proxy.responses import body_response, error_response, json_response
from proxy.runtime.listening import url_of

_RENEWED_EVERY: Final = 1.0  # seconds between two looks at the certificate's files
_BODY_SECONDS: Final = 30.0  # for all of a question to arrive
_LOG: Final = structlog.get_logger("promptshield.engine")


class EngineHandler:
    """Answers questions. Keeps nothing of them: each is read, inspected, answered and forgotten."""

    def __init__(
        self,
        chain: Chain,
        settings: EngineSettings,
        models: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain, self._settings, self._models, self._clock = chain, settings, models, clock
        self._aside, self._started, self._busy = Aside(), clock(), 0

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        try:
            return await self._answer(request)
        except EdgeError as exc:
            return error_response(exc.status, exc.code, exc.message)
        except web.HTTPRequestEntityTooLarge:
            return error_response(413, "request_too_large", f"A question has at most {self._settings.body} bytes.")
        except TimeoutError:
            return error_response(408, "request_timeout", "The question did not arrive in time.")

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        path, method = request.path, request.method
        if path in LIVENESS | READINESS | {"/health"}:
            return json_response(200, self.health())
        if path != INSPECT:
            raise EdgeError(404, "not_found", f"There is POST {INSPECT} and GET /health.")
        if method != "POST":
            raise EdgeError(405, "method_not_allowed", f"{INSPECT} takes POST.")
        self._authenticate(request)
        if self._busy >= self._settings.in_flight:
            raise EdgeError(503, "overloaded", "The engine has as many questions as it takes at once.")
        self._busy += 1
        try:
            return await self._inspect(request)
        finally:
            self._busy -= 1

    async def _inspect(self, request: web.BaseRequest) -> web.Response:
        async with asyncio.timeout(_BODY_SECONDS):
            raw = await request.read()
        question = await self._aside.run_if_long(len(raw), lambda: read_question(raw))
        context = InspectionContext(lexicon=NOTHING_ADDED)
        options = InspectionOptions(context, aside=self._aside.for_reading(question.segments), gate=_NO_JUDGES)
        inspection, told = await self._chain.tell(question.segments, options)
        body = write_answer(inspection, told, self._chain.revision, steps=question.steps)
        return body_response(200, body, {})

    def health(self) -> dict[str, object]:
        """Return what probes ask: `uptime` in whole seconds, `models` by name."""
        uptime = int(self._clock() - self._started)
        return {"status": "healthy", "models": list(self._models), "uptime": uptime, "revision": self._chain.revision}

    def _authenticate(self, request: web.BaseRequest) -> None:
        token = self._settings.token
        given = request.headers.get("Authorization", "")
        if token and not compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode()):
            raise EdgeError(401, "invalid_token", "The engine's token is missing or wrong.")


class _NoJudges:
    """Judges cost a tenant's money and read by a tenant's policy, so the proxy asks them itself."""

    def skip(self, stage: Stage, findings: object) -> str | None:
        return "asked by the proxy" if stage is Stage.JUDGE else None

    def wanted(self, stage: Stage, segment: object, hits: object) -> bool:
        return True


_NO_JUDGES: Final = _NoJudges()


async def run_engine(handler: EngineHandler, settings: EngineSettings, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `ready` is told the address. Raises SettingsError where it cannot listen."""
    stopping = asyncio.Event()
    certificate = None if settings.tls is None else Certificate(settings.tls)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runner = web.ServerRunner(_Server(handler, settings), handle_signals=False, shutdown_timeout=settings.deadline)
    await runner.setup()
    try:
        context = None if certificate is None else certificate.context
        await web.TCPSite(runner, settings.host, settings.port, ssl_context=context).start()
        host, port = runner.addresses[0][:2]
        ready(url_of("http" if certificate is None else "https", host, port))
        while not stopping.is_set():
            if certificate is not None:
                certificate.refresh()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _RENEWED_EVERY)
    except OSError as exc:
        problem = f"cannot listen on {settings.host}:{settings.port}: {exc.strerror}; is another one running?"
        raise SettingsError("engine", None, problem) from exc
    finally:
        await runner.cleanup()


class _Server(web.Server):
    """aiohttp's server, whose requests may be as large as a question."""

    def __init__(self, handler: EngineHandler, settings: EngineSettings) -> None:
        super().__init__(handler, request_factory=self._request, access_log=None)
        self._largest = settings.body

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=self._largest)
