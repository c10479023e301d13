"""Connections that our own HTTP proxy hands over: every request on one goes to the host that the client was calling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from proxy.egress.settings import EgressHost

CONNECTION: Final = "/egress/connection"
_OURS: Final = "x-promptshield-"


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What our proxy said of a connection, once: which host it was for, and headers that stand for the client's own."""

    host: EgressHost
    said: tuple[tuple[str, str], ...]

    def placed(self, message: RawRequestMessage) -> RawRequestMessage:
        """Return a request of the client as one to us: below the mount of the host's dialect, with what was said.

        Headers of ours that the client wrote itself are gone: on this way they are our proxy's to write.
        """
        headers = CIMultiDict(pair for pair in message.headers.items() if not pair[0].lower().startswith(_OURS))
        headers.extend(self.said)
        raw = [pair for pair in message.raw_headers if not pair[0].lower().startswith(_OURS.encode())]
        raw += [(name.encode(), value.encode()) for name, value in self.said]
        path, question, query = message.path.partition("?")
        path = f"{self.host.place(path)}{question}{query}"
        return message._replace(path=path, headers=CIMultiDictProxy(headers), raw_headers=tuple(raw))
