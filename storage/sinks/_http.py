"""The settings of sinks that post to a URL, and what the answer of the other side means."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, FilePath, IPvAnyNetwork, field_validator

from detectors.errors import StorageError, UnavailableError
from storage.egress import Destination, Reply

# What is wrong with this one message. Any other refusal (a key, a path, a proxy) is of the receiver or its settings:
# dropping decisions for it would empty the log because of a typing error.
BLAMES_THE_DATA: Final = frozenset({400, 409, 411, 412, 413, 414, 415, 417, 421, 422, 431})
_LONGEST_PAUSE: Final = 300.0  # seconds that a receiver may ask for


class HttpSettings(BaseModel):
    """Only public addresses over HTTPS, unless `allow_networks` names the network of the receiver."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(repr=False)
    allow_networks: tuple[IPvAnyNetwork, ...] = ()
    ca_file: FilePath | None = None
    timeout: float = Field(default=10, gt=0, le=60)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
            raise ValueError("expected http(s)://host[:port]/path without user and password")
        return url

    @property
    def destination(self) -> Destination:
        return Destination(self.url, self.allow_networks, self.ca_file, self.timeout)


class Pause:
    """A receiver that asked to be left alone is left alone."""

    def __init__(self, label: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._label, self._clock, self._until = label, clock, 0.0

    def refuse_until_over(self) -> None:
        """Raise UnavailableError while the pause lasts."""
        if self._clock() < self._until:
            raise UnavailableError(f"sink {self._label}: its receiver asked for a pause")

    def judge(self, reply: Reply) -> None:
        """Return if the receiver took the message, else raise the error that says who is to blame."""
        if 200 <= reply.status < 300:
            return
        problem = f"sink {self._label}: its receiver answered {reply.status}"
        if reply.status in BLAMES_THE_DATA:
            raise StorageError(problem)
        if reply.retry_after is not None:
            self._until = self._clock() + min(reply.retry_after, _LONGEST_PAUSE)
        raise UnavailableError(problem)
