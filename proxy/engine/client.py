"""A proxy's way to the detection engine: bounded in time, behind a breaker, and never the only one who can look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from detectors.breaker import NO_PERMIT, Breaker
from detectors.errors import UpstreamError
from detectors.memory import Told
from detectors.types import Segment
from detectors.words import BreakerState
from proxy.certificate import Certificate
from proxy.engine.answer import read_answer
from proxy.engine.question import write_question
from proxy.engine_settings import EngineSettings
from proxy.pool.connection_pool import ConnectionPool
from proxy.settings import Timeouts, UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from proxy.upstreams.upstream import UpstreamPool, UpstreamRequest

METRIC: Final = "promptshield_engine_questions_total"
INSPECT: Final = "/engine/v1/inspect"
_NOTHING: Final[Told] = MappingProxyType({})


class EngineClient:
    """Asks the engine. Whatever goes wrong is counted, and nothing is told: then the proxy's own chain looks."""

    def __init__(self, settings: EngineSettings, pool: UpstreamPool, metrics: WorkerMetrics) -> None:
        """Ask over `pool`, or where both sides show certificates over connections of its own. Raises SettingsError."""
        deadline = settings.deadline
        timeouts = Timeouts(connect=deadline, first_byte=deadline, between_chunks=deadline, total=deadline)
        self._upstream = UpstreamSettings(name="engine", base_url=settings.url, timeouts=timeouts)
        self._headers: Mapping[str, str] = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        )
        self._certificate = None if settings.tls is None else Certificate(settings.tls, "client")
        self._own_pool = None if self._certificate is None else ConnectionPool(self._certificate.context)
        self._largest, self._pool, self._metrics = settings.body, self._own_pool or pool, metrics
        self._breaker = Breaker(settings.threshold, settings.recovery)

    @property
    def connected(self) -> bool:
        return self._breaker.state is BreakerState.CLOSED

    def refresh(self) -> None:
        """Take up a certificate that was replaced; meant for once a second."""
        if self._certificate is not None:
            self._certificate.refresh()

    async def close(self) -> None:
        if self._own_pool is not None:
            await self._own_pool.close()

    async def inspect(self, segments: Sequence[Segment]) -> Told:
        """Return what each step of the engine's chain said of the texts, nothing where it could not be asked."""
        try:
            body = write_question(segments)
        except TypeError:  # lone surrogates, which UTF-8 cannot say
            return self._count("unaskable")
        if len(body) > self._largest:
            return self._count("too_large")
        permit = self._breaker.admits()
        if permit == NO_PERMIT:
            return self._count("shut")
        failed: bool | None = None
        try:
            told, failed = await self._ask(body, len(segments)), False
        except UpstreamError as exc:
            failed = True
            return self._count(exc.kind)
        except ValueError:
            failed = True
            return self._count("unreadable")
        finally:
            if failed is None:  # cancelled
                self._breaker.abandon(permit)
            else:
                self._breaker.note(permit, failed=failed)
        self._count("answered")
        return told

    async def _ask(self, body: bytes, texts: int) -> Told:
        answer = await self._pool.send(self._upstream, UpstreamRequest("POST", INSPECT, self._headers, body))
        try:
            if answer.status != 200:
                raise UpstreamError("engine", f"status_{answer.status // 100}xx")
            return read_answer(await answer.read(), texts)
        finally:
            answer.close()

    def _count(self, result: str) -> Told:
        self._metrics.count(METRIC, (result,))
        return _NOTHING
