"""Over which wire a judge is asked: HTTP to an address that was checked, with its credential, and a bounded answer."""

from __future__ import annotations

from typing import Final

from detectors.errors import UnavailableError
from detectors.judges.types import CallResult, Dialect, Reply, TransportError
from proxy.judging.settings import JudgeSettings
from storage.egress import Destination, Egress

_MOST: Final = 1 << 20  # bytes of an answer
_CONNECTIONS: Final = 32


class JudgeWire:
    """One judge's connections. Fills `Transport` of detectors.judges."""

    def __init__(self, judge: JudgeSettings) -> None:
        # The judge's own time-out is kept by whoever asks; this one only ends what nobody waits for any more.
        destination = Destination(judge.endpoint, judge.allow_networks, judge.ca_file, judge.timeout + 1)
        self._egress = Egress(destination, _CONNECTIONS)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "PromptShield",
        }
        if judge.credential:
            gemini = judge.dialect is Dialect.GEMINI
            name, value = (
                ("x-goog-api-key", judge.credential) if gemini else ("Authorization", f"Bearer {judge.credential}")
            )
            self._headers[name] = value

    async def post(self, path: str, body: bytes) -> Reply:
        try:
            fetched = await self._egress.fetch(path, body, self._headers, _MOST)
        except UnavailableError:
            raise TransportError(CallResult.CONNECT) from None
        if not fetched.complete:
            raise TransportError(CallResult.TOO_LARGE)
        return Reply(fetched.status, fetched.content_type, fetched.body)

    async def close(self) -> None:
        await self._egress.close()
