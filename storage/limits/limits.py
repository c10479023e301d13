"""Rate limits: sliding windows shared through Redis, leased to workers, and shares of them while Redis is away."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TypeAlias

from detectors.errors import StorageError
from storage.limits.lease import MICROSECONDS, Charge, Lease, Refusal, Reply
from storage.limits.link import Link
from storage.redis_client import RedisClient, Script
from storage.types import LimitKey, Limits

LARGEST_TABLE = 50_000  # windows that a worker remembers
FLUSH_SECONDS = 1.0  # for once a second
_AT_ONCE = 16
_Asked: TypeAlias = tuple[Lease, int]  # a window, and how much is taken of it


class WindowGrant:
    """The answer to `take()`. Limit, remaining and times are those of the first window, or of the one that refused.

    `refused` is the window that said no, None when the request is allowed.
    """

    __slots__ = (
        "_charges", "_clock", "_leases", "_pressing", "allowed", "limit", "refused", "remaining", "reset_seconds",
        "retry_after_seconds",
    )  # fmt: skip

    def __init__(
        self,
        clock: Callable[[], float],
        now: float,
        leases: Sequence[Lease],
        charges: Sequence[Charge],
        pressing: set[Lease],
        refusal: tuple[Lease, Refusal] | None = None,
    ) -> None:
        self._clock, self._leases, self._charges, self._pressing = clock, leases, charges, pressing
        self.allowed, self.retry_after_seconds = True, 0.0
        self.refused: LimitKey | None = None
        self.limit, self.remaining, self.reset_seconds = 0, 0, 0.0
        if refusal is not None:
            self.allowed, self.refused = False, refusal[0].key
            self.retry_after_seconds = max(0.0, refusal[1].retry_at - now)
        if leases:
            standing = leases[0] if refusal is None else refusal[0]
            self.limit, self.remaining = standing.key.limit, standing.remaining
            self.reset_seconds = max(0.0, standing.reset_at - now)

    def tightest(self) -> tuple[LimitKey, int, float] | None:
        """Return the window that is the fullest, the units left of it, and when it is empty (seconds); None of none."""
        if not self._leases:
            return None
        least = self._leases[0]
        for lease in self._leases[1:]:
            if lease.remaining * least.key.limit < least.remaining * lease.key.limit:
                least = lease
        return least.key, least.remaining, max(0.0, least.reset_at - self._clock())

    def nearly_used(self) -> list[tuple[LimitKey, int]]:
        """Return the windows that are four fifths full, with the units left."""
        return [(x.key, x.remaining) for x in self._leases if x.remaining * 5 <= x.key.limit]

    def settle(self, actual: Mapping[str, int]) -> None:
        """Correct the amounts taken, by limit name, or by what of it stands before a colon.

        What was used beyond them is owed whatever the limit.
        """
        now = self._clock()
        for charge in self._charges:
            name = charge.lease.key.name
            amount = actual.get(name, actual.get(name.partition(":")[0]))
            if amount is not None:
                charge.correct(amount, now)
                if charge.lease.pressing:
                    self._pressing.add(charge.lease)

    def release(self) -> None:
        """Do nothing: what passes through a window is spent, not held."""


class SlidingWindows(Limits):
    """Limits that hold over all workers together while Redis is up, without asking it for most requests.

    `workers` tells how many share the limits, over all instances. `clock` is for tests: with it, time (seconds)
    comes from there alone. Without, the windows run on the Redis server's clock, because instances' clocks differ
    and a window cut by several clocks admits too much; the worker itself only measures durations, on a clock that
    never steps.
    """

    def __init__(
        self,
        redis: RedisClient,
        workers: Callable[[], int],
        clock: Callable[[], float] | None = None,
        link: Link | None = None,
    ) -> None:
        self._redis, self._workers = redis, workers
        self._clock = clock or time.monotonic
        self._server_clock = clock is None
        self._script = Script.load("window")
        self._leases: dict[LimitKey, Lease] = {}
        self._pressing: set[Lease] = set()
        # Redis being away is lived through in real time, whatever time the windows are told.
        self._link = link or Link(redis)
        self._recoveries = self._link.recoveries

    @property
    def degraded(self) -> bool:
        """True while Redis is away and every worker lives on its own share."""
        return not self._link.usable()

    async def take(self, keys: Sequence[LimitKey], amounts: Sequence[int]) -> WindowGrant:
        """Take `amounts[i]` out of the window `keys[i]`, from all of them or from none. Never raises for Redis.

        The keys are of one tenant, and each is another window.
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
        return WindowGrant(self._clock, now, leases, charges, self._pressing)

    async def _complete(self, leases: list[Lease], amounts: Sequence[int], charges: list[Charge]) -> WindowGrant:
        """Take what the permits in hand did not cover; `charges` are the first windows', already taken."""
        refused: tuple[Lease, Refusal] | None = None
        complete = False
        asked = list(zip(leases, (max(0, amount) for amount in amounts), strict=True))[len(charges) :]
        try:
            refused = await self._draw(asked, charges)
            complete = refused is None
        finally:
            # Also when the request is cancelled while it waits.
            if not complete:
                for charge in charges:
                    charge.lease.undo(charge, self._clock())
        charged = () if refused else charges
        return WindowGrant(self._clock, self._clock(), leases, charged, self._pressing, refused)

    async def flush(self) -> None:
        """Hand in what idle windows owe or hold, and see whether Redis is back, so that no request has to.

        Meant for once a second and for the end of a worker.
        """
        if not await self._link.look():
            return
        if self._recoveries != self._link.recoveries:
            self._recoveries = self._link.recoveries
            await self.restore()
        now = self._clock()
        await self._settle_all([lease for lease in self._leases.values() if lease.unsettled(now)], FLUSH_SECONDS)

    async def press(self) -> None:
        """Hand in at once what is a large part of a limit. Meant for ten times a second."""
        if self._pressing and self._link.usable():
            leases = [lease for lease in self._pressing if lease.pressing]
            self._pressing.clear()
            await self._settle_all(leases, FLUSH_SECONDS)

    async def restore(self) -> None:
        """Bring back what this worker took from windows that Redis may have lost."""
        now = self._clock()
        await self._settle_all([lease for lease in self._leases.values() if lease.remembers(now)], math.inf)

    async def _settle_all(self, leases: Sequence[Lease], patience: float) -> None:
        """Settle several at a time; of a Redis that is slow no more is asked after `patience` seconds."""
        until = time.monotonic() + patience
        for start in range(0, len(leases), _AT_ONCE):
            if time.monotonic() > until or not self._link.usable():
                return
            await asyncio.gather(*(self._settle(lease) for lease in leases[start : start + _AT_ONCE]))

    async def _settle(self, lease: Lease) -> None:
        async with lease.lock:
            if self._link.usable():
                await self._call([(lease, 0)])

    async def _draw(self, asked: Sequence[_Asked], charges: list[Charge]) -> tuple[Lease, Refusal] | None:
        """Take from all windows, of one tenant, through Redis, or through what a call before ours has brought.

        What was taken is added to `charges`, also of those before one that refuses, which is returned.
        """
        if not self._link.trusted():
            return self._live_alone(asked, charges)
        since = self._clock()
        for lease, amount in asked:
            lease.waiting += amount
        try:
            async with AsyncExitStack() as locks:
                # In one order, so that nobody waits in a circle.
                for lease in sorted({lease for lease, _ in asked}, key=id):
                    await locks.enter_async_context(lease.lock)
                now = self._clock()
                missing: list[_Asked] = []
                for lease, amount in asked:
                    known = lease.spend(amount, now) or lease.refusal(amount, now, since)
                    if isinstance(known, Refusal):
                        return lease, known
                    if known is None:
                        missing.append((lease, amount))
                    else:
                        charges.append(known)
                return await self._ask_for(missing, charges)
        finally:
            for lease, amount in asked:
                lease.waiting -= amount

    async def _ask_for(self, missing: Sequence[_Asked], charges: list[Charge]) -> tuple[Lease, Refusal] | None:
        """Take what nobody has in hand; of windows about which Redis says nothing, out of this worker's share."""
        usable = bool(missing) and self._link.usable()
        answers = await self._call(missing) if usable else [None] * len(missing)
        refused: tuple[Lease, Refusal] | None = None
        for (lease, amount), answer in zip(missing, answers, strict=True):
            if isinstance(answer, Refusal):
                refused = refused or (lease, answer)
            elif answer is not None:
                charges.append(answer)
            elif refused is None:
                refused = self._live_alone([(lease, amount)], charges)
        return refused

    def _live_alone(self, asked: Sequence[_Asked], charges: list[Charge]) -> tuple[Lease, Refusal] | None:
        """Take from this worker's share of each limit."""
        for lease, amount in asked:
            answer = lease.spend_local(amount, self._workers_now(), self._clock())
            if isinstance(answer, Refusal):
                return lease, answer
            charges.append(answer)
        return None

    async def _call(self, asked: Sequence[_Asked]) -> list[Charge | Refusal | None]:
        """Ask for windows, all at once; None where Redis gave no usable answer, or has first to hear what it lost."""
        answers: list[Charge | Refusal | None] = [None] * len(asked)
        try:
            with self._link.call():
                replies, asked_at = await self._ask(asked)
                refused = False
                for number, ((lease, amount), reply) in enumerate(zip(asked, replies, strict=True)):
                    needed = 0 if refused else amount  # the script needs nothing of those behind one that refused
                    refused = refused or reply.refuses(amount)
                    said, at = reply, asked_at
                    if reply.forgotten:
                        (said,), at = await self._ask([(lease, needed)], lost=lease.lost(reply))
                    lease.check(said, needed)
                    answers[number] = lease.refill(said, needed, at)
        except StorageError:
            pass
        return answers

    async def _ask(self, asked: Sequence[_Asked], *, lost: int | None = None) -> tuple[list[Reply], float]:
        """Run the script once; return what it says of each window, and when it was asked. Raises StorageError."""
        asked_at, workers = self._clock(), self._workers_now()
        server_now = 0 if self._server_clock else round(asked_at * MICROSECONDS)
        arguments: list[int] = []
        for lease, amount in asked:
            own = lease.ask(amount, workers, asked_at, server_now, lost=lost)
            arguments += [len(own), *own]
        told = " ".join(map(str, arguments))
        raw = await self._redis.run_script(self._script, [lease.name for lease, _ in asked], [told])
        return Reply.parse_all(raw, len(asked)), asked_at

    def _workers_now(self) -> int:
        return max(1, self._workers())

    def _add(self, key: LimitKey) -> Lease:
        if len(self._leases) >= LARGEST_TABLE:
            # What the oldest had in hand stays counted until it leaves the window: early refusals, no excess.
            del self._leases[next(iter(self._leases))]
        # Another limit of the same window, too, remembers what it took for itself.
        lease = self._leases[key] = Lease(key, secrets.randbits(40))
        return lease
