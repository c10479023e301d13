"""An answer whose head has arrived, as the rest of the proxy sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from multidict import CIMultiDict

from detectors.errors import UpstreamError
from proxy.pool.answer_reader import AnswerReader
from proxy.pool.connection import Connection
from proxy.pool.content_encoding import EncodingError, Opener, opener_of
from proxy.pool.deadline import Allowance
from proxy.settings import UpstreamSettings
from proxy.upstreams.upstream import LARGEST_ANSWER


class PooledAnswer:
    """The UpstreamAnswer of a ConnectionPool. Its connection is back with the pool as soon as the last byte is in."""

    __slots__ = ("_allowance", "_connection", "_name", "_opener", "_reader", "_seconds", "headers", "status")

    def __init__(
        self,
        upstream: UpstreamSettings,
        connection: Connection,
        reader: AnswerReader,
        headers: CIMultiDict[str],
        allowance: Allowance,
    ) -> None:
        """Raises UpstreamError if the body comes in an encoding that we do not open."""
        self._name, self._seconds, self._allowance = upstream.name, upstream.timeouts.between_chunks, allowance
        self._connection, self._reader = connection, reader
        self.status, self.headers = reader.status, headers
        self._opener = self._opened_by(headers)

    async def read(self) -> bytes:
        """Return the whole body, opened. Raises UpstreamError, also beyond 32 MiB."""
        reader = self._reader
        if reader.complete and self._opener is None:
            return self._bounded(reader.take())
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise self._failed("too_large")
        return b"".join(parts)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, opened. Raises UpstreamError, for a compressed body also beyond 32 MiB."""
        return self._received() if self._opener is None else self._opened(self._opener)

    async def _opened(self, opener: Opener) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for data in self._received():
                for piece in opener.pieces(data):
                    size += len(piece)
                    if size > LARGEST_ANSWER:
                        raise self._failed("too_large")
                    yield piece
            opener.finish()
        except EncodingError as exc:
            raise self._failed("protocol") from exc

    def close(self) -> None:
        """Be done with it: an answer that has not come to its end ends here, and its connection with it."""
        self._connection.drop(self._reader)

    async def _received(self) -> AsyncIterator[bytes]:
        reader = self._reader
        while True:
            if self._allowance.spent and not reader.ended:  # one that never falls silent is never waited for
                raise self._failed("timeout")
            if reader.unread:
                yield reader.take()
            elif reader.failure is not None:
                raise UpstreamError(self._name, reader.failure)
            elif reader.complete:
                return
            else:
                await self._connection.more(reader, self._allowance.at_most(self._seconds))

    def _opened_by(self, headers: CIMultiDict[str]) -> Opener | None:
        try:
            return opener_of(headers)
        except EncodingError as exc:
            raise self._failed("protocol") from exc

    def _bounded(self, body: bytes) -> bytes:
        if len(body) > LARGEST_ANSWER:
            raise self._failed("too_large")
        return body

    def _failed(self, kind: str) -> UpstreamError:
        self.close()
        return UpstreamError(self._name, kind)
