"""What is refused is counted, all of it; written down are ten lines a second, so that a flood fills no disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

METRIC: Final = "promptshield_requests_refused_total"
LINES_A_SECOND: Final = 10
# A closed list: a label is never a client's word.
REASONS: Final = frozenset(
    {
        "body_timeout", "client_gone", "connection_closed", "expectation_failed", "head_timeout", "headers_too_large",
        "identity_unavailable", "insufficient_quota",
        "invalid_api_key", "invalid_body", "invalid_http", "invalid_json", "missing_api_key",
        "missing_required_parameter", "model_not_allowed", "model_not_found", "overloaded", "overloaded_tenant",
        "rate_limit_exceeded", "request_too_large", "string_above_max_length", "unknown_path", "unsupported_charset",
        "unsupported_encoding", "upgrade_refused",
    }
)  # fmt: skip
OTHER: Final = "other"
_LOG: Final = structlog.get_logger("promptshield.edge")


def reason_of(code: str) -> str:
    """Return an error's code as a label; one that nobody declared is `other`."""
    return code if code in REASONS else OTHER


class Counters(Protocol):
    """Who keeps the numbers, as `WorkerMetrics` does."""

    def count(self, name: str, labels: tuple[str, ...] = ()) -> None: ...


class Refusals:
    """One worker's account of what it refused."""

    def __init__(self, counters: Counters | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters, self._clock = counters, clock
        self._second, self._lines, self._dropped = 0, 0, 0

    def count(self, reason: str) -> None:
        if self._counters is not None:
            self._counters.count(METRIC, (reason_of(reason),))

    def note(self, event: str, reason: str, **facts: object) -> None:
        """Count one refusal and write a line about it, unless this second has had its ten."""
        self.count(reason)
        second = int(self._clock())
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines < LINES_A_SECOND:
            self._lines += 1
            _LOG.info(event, reason=reason, **facts)
        else:
            self._dropped += 1

    def sum_up(self) -> None:
        """Write how many lines were dropped since the last time, if any were; to be called once a second."""
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            _LOG.warning("requests refused without a line of their own", lines=dropped)
