"""Rate limits: sliding windows shared through Redis, leased to workers, and shares of them while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from detectors.errors import StorageError
from storage.lease import MICROSECONDS, Charge, Lease, Refusal, Reply
from storage.redis_client import RedisClient, Script
from storage.types import LimitKey, Limits

RETRY_SECONDS = 1.0  # how long Redis is left alone after it failed
LARGEST_TABLE = 50_000  # windows that a worker remembers


@dataclass(frozen=True, slots=True)
class Standing:
    """How full one window is, for the rate headers."""

    name: str
    limit: int
    remaining: int
    reset_seconds: float


class WindowGrant:
    """The answer to `take()`. Limit, remaining and times are those of the first window, or of the one that refused.

    `refused` is the name of the limit that said no, empty when the request is allowed.
    """

    __slots__ = (
        "_charges", "_clock", "_leases", "allowed", "limit", "refused", "remaining", "reset_seconds",
        "retry_after_seconds",
    )  # fmt: skip

    def __init__(
        self,
        clock: Callable[[], float],
        now: float,
        leases: Sequence[Lease],
        charges: Sequence[Charge],
        refusal: tuple[Lease, Refusal] | None = None,
    ) -> None:
        self._clock, self._leases, self._charges = clock, leases, charges
        self.allowed, self.refused, self.retry_after_seconds = True, "", 0.0
        self.limit, self.remaining, self.reset_seconds = 0, 0, 0.0
        if refusal is not None:
            self.allowed, self.refused = False, refusal[0].key.name
            self.retry_after_seconds = max(0.0, refusal[1].retry_at - now)
        if leases:
            standing = leases[0] if refusal is None else refusal[0]
            self.limit, self.remaining = standing.key.limit, standing.remaining
            self.reset_seconds = max(0.0, standing.reset_at - now)

    def standings(self) -> tuple[Standing, ...]:
        """Return every window that was asked, in order, as this worker knows it now."""
        now = self._clock()
        return tuple(Standing(x.key.name, x.key.limit, x.remaining, max(0.0, x.reset_at - now)) for x in self._leases)

    def settle(self, actual: Mapping[str, int]) -> None:
        """Correct the amounts taken, by limit name; what was used beyond them is owed whatever the limit."""
        now = self._clock()
        for charge in self._charges:
            amount = actual.get(charge.lease.key.name)
            if amount is not None:
                charge.correct(amount, now)

    def release(self) -> None:
        """Do nothing: what passes through a window is spent, not held."""


class _Link:
    """Whether Redis may be asked: always while it answers; once a second, by one caller, while it does not."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.down = False
        self._clock, self._retry_at, self._probing = clock, 0.0, False

    def usable(self) -> bool:
        return not self.down or (not self._probing and self._clock() >= self._retry_at)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Watch one call: StorageError, which passes through, takes the link down; success brings it up."""
        probing = self.down
        self._probing = self._probing or probing
        try:
            yield
            self.down = False
        except StorageError:
            self.down, self._retry_at = True, self._clock() + RETRY_SECONDS
            raise
        finally:
            if probing:
                self._probing = False


class SlidingWindows(Limits):
    """Limits that hold over all workers together while Redis is up, without asking it for most requests.

    `workers` tells how many share the limits. `clock` is for tests: with it, time (seconds) comes from there
    alone. Without, the windows run on the Redis server's clock, because instances' clocks differ and a window
    cut by several clocks admits too much; the worker itself only measures durations, on a clock that never steps.
    """

    def __init__(
        self, redis: RedisClient, workers: Callable[[], int], clock: Callable[[], float] | None = None
    ) -> None:
        self._redis, self._workers = redis, workers
        self._clock = clock or time.monotonic
        self._server_clock = clock is None
        self._script = Script.load("window")
        self._leases: dict[LimitKey, Lease] = {}
        # Redis being away is lived through in real time, whatever time the windows are told.
        self._link = _Link(time.monotonic)

    @property
    def degraded(self) -> bool:
        """True while Redis is away and every worker lives on its own share."""
        return self._link.down

    async def take(self, keys: Sequence[LimitKey], amounts: Sequence[int]) -> WindowGrant:
        """Take `amounts[i]` out of the window `keys[i]`, from all of them or from none. Never raises for Redis.

        A negative amount counts as 0. A request is admitted at the instant a lease, or the script, says so.
        """
        now = self._clock()
        known = self._leases
        leases = [known.get(key) or self._add(key) for key in keys]
        charges: list[Charge] = []
        for lease, amount in zip(leases, amounts, strict=True):
            charge = lease.spend(amount, now)
            if charge is None:
                return await self._complete(leases, amounts, charges)
            charges.append(charge)
        return WindowGrant(self._clock, now, leases, charges)

    async def _complete(self, leases: list[Lease], amounts: Sequence[int], charges: list[Charge]) -> WindowGrant:
        """Take what the permits in hand did not cover; `charges` are the first windows', already taken."""
        refused: tuple[Lease, Refusal] | None = None
        complete = False
        try:
            for lease, amount in zip(leases[len(charges) :], amounts[len(charges) :], strict=True):
                answer = await self._draw(lease, max(0, amount))
                if isinstance(answer, Refusal):
                    refused = (lease, answer)
                    break
                charges.append(answer)
            complete = refused is None
        finally:
            # Also when the request is cancelled while it waits for its second window.
            if not complete:
                for charge in charges:
                    charge.lease.undo(charge, self._clock())
        return WindowGrant(self._clock, self._clock(), leases, () if refused else charges, refused)

    async def flush(self) -> None:
        """Hand in what idle windows owe or hold, and see whether Redis is back, so that no request has to.

        Meant for once a second and for the end of a worker.
        """
        if self._link.down and self._link.usable():
            with suppress(StorageError), self._link.call():
                await self._redis.ping()
        for lease in list(self._leases.values()):
            if lease.unsettled(self._clock()):
                async with lease.lock:
                    if self._link.usable():
                        await self._call(lease, 0)

    async def _draw(self, lease: Lease, amount: int) -> Charge | Refusal:
        """Take `amount` through Redis, or through what a call before ours has brought."""
        if not self._link.usable():
            return lease.spend_local(amount, self._workers_now(), self._clock())
        lease.waiting += amount
        try:
            async with lease.lock:
                now = self._clock()
                if known := lease.spend(amount, now) or lease.refusal(amount, now):
                    return known
                answer = await self._call(lease, amount) if self._link.usable() else None
                return answer or lease.spend_local(amount, self._workers_now(), self._clock())
        finally:
            lease.waiting -= amount

    async def _call(self, lease: Lease, amount: int) -> Charge | Refusal | None:
        """Run the script for one window; None when Redis gave no usable answer."""
        asked_at = self._clock()
        server_now = 0 if self._server_clock else round(asked_at * MICROSECONDS)
        arguments = lease.ask(amount, self._workers_now(), asked_at, server_now)
        try:
            with self._link.call():
                reply = Reply.parse(await self._redis.run_script(self._script, [lease.name], arguments))
        except StorageError:
            return None
        return lease.refill(reply, amount, asked_at)

    def _workers_now(self) -> int:
        return max(1, self._workers())

    def _add(self, key: LimitKey) -> Lease:
        if len(self._leases) >= LARGEST_TABLE:
            # What the oldest had in hand stays counted until it leaves the window: early refusals, no excess.
            del self._leases[next(iter(self._leases))]
        lease = self._leases[key] = Lease(key)
        return lease
