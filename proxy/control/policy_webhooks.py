"""The webhooks of policies: signed calls of tenants' endpoints, each at its own pace, none in the way of another."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import orjson
import structlog

from detectors.errors import StorageError, UnavailableError
from policies.types import Policy
from policies.webhooks import LIMIT, Webhook
from storage.chains.canonical import Sealed, unsealed
from storage.journal.courier import ChainingSink
from storage.sinks.webhook import WebhookSettings, WebhookSink, warns_of_limit
from storage.types import DecisionRecord, Sink

MOST_WAITING: Final = 1000  # decisions of one endpoint; beyond, the oldest are given up
_AT_ONCE: Final = 64
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0  # seconds after a failure, twice as long each time
_PATIENCE: Final = 3600.0  # seconds after which an endpoint without work is forgotten

_LOG: Final = structlog.get_logger("promptshield.webhooks")

Policies = Callable[[], Mapping[str, Policy]]
_Name = tuple[int, str, frozenset[str]]


@dataclass(slots=True)
class _Endpoint:
    """One tenant's endpoint. Times are seconds of `time.monotonic`."""

    sink: WebhookSink
    host: str
    tenant_id: int
    waiting: deque[DecisionRecord] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    failures: int = 0
    told: bool = False  # the log knows that it takes nothing
    due: float = 0.0
    used: float = 0.0


class PolicyWebhooks:
    """Keeps in memory what endpoints have still to be told. Nothing is lost with it but calls: the log has all."""

    def __init__(
        self, policies: Policies, key_of: Callable[[int], bytes], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._policies, self._key_of, self._clock = policies, key_of, clock
        self._endpoints: dict[_Name, _Endpoint] = {}
        self._work = asyncio.Event()
        self.given_up = 0

    def tell(self, decisions: Sequence[DecisionRecord | Sealed]) -> None:
        """Take in decisions for those endpoints that their policies name; never waits for one."""
        calling = {name: policy.webhooks for name, policy in self._policies().items() if policy.webhooks}
        named = [orjson.dumps(name) for name in calling]
        for decision in decisions:
            if isinstance(decision, DecisionRecord):
                record = decision
            elif any(name in decision.canonical for name in named):  # few policies have any, and opening has a price
                record = unsealed(decision)
            else:
                continue
            for hook in calling.get(record.policy_id, ()):
                if (record.action or "allow") in hook.on or (LIMIT in hook.on and warns_of_limit(record, hook.on)):
                    self._add(record, hook)

    async def run_forever(self) -> None:
        """Call endpoints that are due, all at once; one that fails is left alone for a while."""
        while True:
            await self.run_once()
            try:
                async with asyncio.timeout(1.0):
                    await self._work.wait()
            except TimeoutError:
                continue
            self._work.clear()

    async def run_once(self) -> None:
        now = self._clock()
        async with asyncio.TaskGroup() as group:
            for name, endpoint in list(self._endpoints.items()):
                if endpoint.waiting and endpoint.due <= now:
                    group.create_task(self._call(endpoint))
                elif not endpoint.waiting and now - endpoint.used > _PATIENCE:
                    del self._endpoints[name]
                    group.create_task(endpoint.sink.close())

    async def close(self) -> None:
        for endpoint in self._endpoints.values():
            await endpoint.sink.close()
        self._endpoints.clear()

    def _add(self, record: DecisionRecord, hook: Webhook) -> None:
        name = (record.tenant_id, hook.url, hook.on)
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            secret = webhook_secret(self._key_of(record.tenant_id), hook.url)
            every = ("allow", "flag", "pseudonymise", "mask", "block", "error")  # the policy has chosen already
            settings = WebhookSettings(
                type="webhook", url=hook.url, secrets=(secret,), on=every, allow_networks=hook.networks
            )
            host = urlsplit(hook.url).hostname or ""  # the rest of an address may be a secret
            endpoint = self._endpoints[name] = _Endpoint(WebhookSink(settings, told=hook.on), host, record.tenant_id)
        self.given_up += len(endpoint.waiting) == MOST_WAITING
        endpoint.waiting.append(record)
        endpoint.used = self._clock()
        self._work.set()

    async def _call(self, endpoint: _Endpoint) -> None:
        batch = [endpoint.waiting.popleft() for _ in range(min(_AT_ONCE, len(endpoint.waiting)))]
        try:
            await endpoint.sink.write(batch)
        except UnavailableError as exc:
            _complain(endpoint, exc)
            room = MOST_WAITING - len(endpoint.waiting)
            self.given_up += max(0, len(batch) - room)
            endpoint.waiting.extendleft(reversed(batch[-room:] if room else []))
            endpoint.failures += 1
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(endpoint.failures - 1, 16))
            endpoint.due = self._clock() + pause
        except StorageError as exc:
            _complain(endpoint, exc)
            endpoint.failures = 0  # it answered, and does not want some of these
        else:
            endpoint.failures, endpoint.told = 0, False


def _complain(endpoint: _Endpoint, why: StorageError) -> None:
    """Tell the log once, until a call goes well again."""
    if not endpoint.told:
        endpoint.told = True
        _LOG.warning(
            "a webhook takes no calls", tenant=endpoint.tenant_id, host=endpoint.host, problem=type(why).__name__
        )


class Announced:
    """The sink of record, whose decisions webhooks are told of once they are there for good."""

    def __init__(self, sink: Sink, webhooks: PolicyWebhooks) -> None:
        assert isinstance(sink, ChainingSink)  # noqa: S101 - no other is that of record
        self._sink, self._webhooks = sink, webhooks

    @property
    def name(self) -> str:
        return self._sink.name

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        await self.write_sealed(records)

    async def write_sealed(self, decisions: Sequence[DecisionRecord | Sealed]) -> None:
        await self._sink.write_sealed(decisions)
        self._webhooks.tell(decisions)

    async def close(self) -> None:
        await self._sink.close()
        await self._webhooks.close()


def webhook_secret(content_key: bytes, url: str) -> str:
    """Return what signs calls of an endpoint, as its owner enters it: made of the tenant's key and the address, so that
    it stands in no policy.
    """
    digest = hashlib.blake2b(f"webhook\0{url}".encode(), key=content_key, digest_size=32).digest()
    return f"whsec_{base64.b64encode(digest).decode()}"
