"""Which upstreams are worth a try: one worker's breakers, and the way from one upstream to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from detectors.breaker import NO_PERMIT, Breaker
from detectors.errors import UpstreamError
from detectors.words import BreakerState
from proxy.settings import UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from proxy.upstreams.upstream import UpstreamAnswer, UpstreamPool, UpstreamRequest

# By these a service says that it cannot serve anybody; 429 is about one key, 501 and the like about one request.
_BROKEN: Final = frozenset({500, 502, 503, 504, 529})
RequestFor = Callable[[UpstreamSettings], UpstreamRequest]


class UpstreamHealth:
    """Sends to the first upstream that may be tried. Failures and successes of each are counted by its breaker."""

    def __init__(self, upstreams: Iterable[UpstreamSettings], pool: UpstreamPool, metrics: WorkerMetrics) -> None:
        self._pool, self._metrics = pool, metrics
        self._breakers: Mapping[str, Breaker] = {
            upstream.name: Breaker(upstream.breaker.threshold, upstream.breaker.recovery) for upstream in upstreams
        }

    async def send(
        self, candidates: Sequence[UpstreamSettings], request_for: RequestFor, chosen: Callable[[str], None]
    ) -> UpstreamAnswer:
        """Return the answer's head of the first candidate that can be reached; `chosen` is told whom it asks.

        The next one is asked only if the last has not got a byte: a prompt may have been carried out and paid for.
        Raises UpstreamError, of kind `unavailable` if every breaker is open.
        """
        failure: UpstreamError | None = None
        for upstream in candidates:
            permit = self._breakers[upstream.name].admits()
            if permit == NO_PERMIT:
                continue
            chosen(upstream.name)
            try:
                return await self._ask(upstream, request_for(upstream), permit)
            except UpstreamError as exc:
                if exc.sent:
                    raise
                failure = exc
        raise failure or UpstreamError(candidates[0].name, "unavailable", sent=False)

    def states(self) -> dict[str, BreakerState]:
        return {name: breaker.state for name, breaker in self._breakers.items()}

    async def _ask(self, upstream: UpstreamSettings, request: UpstreamRequest, permit: int) -> UpstreamAnswer:
        breaker, failed = self._breakers[upstream.name], None
        try:
            answer = await self._pool.send(upstream, request)
            failed = answer.status in _BROKEN
        except UpstreamError as exc:
            failed = None if exc.kind == "unsendable" else True  # which is no fault of the upstream's
            self._metrics.count("promptshield_upstream_failures_total", (upstream.name, exc.kind))
            raise
        finally:
            if failed is None:
                breaker.abandon(permit)
            else:
                breaker.note(permit, failed=failed)
        return answer
