"""One worker's side of one shared window: the permits in its hand, and what it owes or gives back."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Self

from detectors.errors import StorageError
from storage.limits.local_window import BUCKETS, LocalWindow
from storage.types import LimitKey

MICROSECONDS = 1_000_000
LARGEST_BATCH = 500  # takes that one lease is meant to serve
_NOTHING = -(1 << 53)  # an account smaller than any: nothing can be missing of it
IDLE_SHARE = 20  # all workers' leases together hold at most 1/20 of the limit
# A refusal is repeated for this long without asking, so that a flood of refused requests costs Redis nothing.
REFUSAL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Reply:
    """What the window script answered; times in seconds from the moment it ran."""

    granted: int
    bucket: int
    left_of_bucket: float
    room: int
    retry_after: float
    reset: float
    account: int
    healing: bool

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Raises StorageError for anything but eight integers."""
        match raw:
            case [int(granted), int(bucket), int(left), int(room), int(retry), int(reset), int(account), int(healing)]:
                times = (left / MICROSECONDS, retry / MICROSECONDS, reset / MICROSECONDS)
                return cls(granted, bucket, times[0], room, times[1], times[2], account, healing == 1)
            case _:
                raise StorageError("redis script: window.lua gave an unexpected reply")

    @classmethod
    def parse_all(cls, raw: object, count: int) -> list[Self]:
        """Return what the script says of so many windows. Raises StorageError for anything else."""
        if not isinstance(raw, list) or len(raw) != count:
            raise StorageError("redis script: window.lua gave an unexpected reply")
        return [cls.parse(one) for one in raw]

    @property
    def forgotten(self) -> bool:
        """Whether Redis has lost something of what it had counted of the worker."""
        return self.granted == -1

    def refuses(self, need: int) -> bool:
        """Whether so much does not fit; not while the window heals, when everybody lives on a share."""
        return 0 <= self.granted < need and not self.healing

    def hold_to(self, need: int, want: int, width: float) -> None:
        """Raises StorageError for what the script never says: whoever answers so, is not to be believed."""
        plausible = self.granted == 0 or need <= self.granted <= want
        if not plausible or not 0 <= self.left_of_bucket <= width or self.bucket < 0:
            raise StorageError("redis script: window.lua gave an impossible reply")


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and the moment (on the worker's clock) from which the same amount fits."""

    retry_at: float


@dataclass(slots=True)
class Charge:
    """Units that were taken, and the bucket that counts them: the shared window's, or our own when `local`."""

    lease: Lease
    amount: int
    bucket: int
    local: bool
    own: int = 0  # the bucket of our own clock in which we remember units of the shared window

    def correct(self, amount: int, now: float) -> None:
        """Make `amount` what was taken; the difference is given back or owed."""
        difference = max(0, amount) - self.amount
        self.amount += difference
        if difference > 0:
            self.lease.owe(difference, now)
        elif difference < 0:
            self.lease.give_back(self, -difference)


class Lease:
    """Permits of one window that a worker may use without asking. All times are seconds on the worker's clock.

    They are charged to one bucket of the shared window and die with it, so each is used in the very bucket
    that counts it. When a call fails nobody knows what it did: refunds it carried are then forgotten and
    debts are kept, which can only make the window fuller than it is. What this worker took it remembers itself:
    alone it lives on what its share has left, and what Redis lost is brought back from it. That something is lost
    shows in the worker's `account`, the sum that the window keeps of what this worker was charged: a server that comes
    back with an older state, or that is another one, says less than it said before.
    """

    __slots__ = (
        "_account", "_batch", "_bucket", "_debt", "_ends", "_own", "_own_bucket", "_permits", "_posted", "_refunds",
        "_refusal", "_refused_amount", "_refused_at", "_refused_until", "_room", "_takes", "_want", "_width", "_worker",
        "key", "local", "lock", "name", "reset_at", "waiting",
    )  # fmt: skip

    def __init__(self, key: LimitKey, worker: int = 0) -> None:
        self.key, self._worker = key, worker
        # The braces make Redis Cluster keep a tenant's keys on one node. The length is part of the name:
        # 600 a minute and 10,000 a day of the same thing are two windows with buckets of their own.
        self.name = f"tenant:{{{key.tenant_id}}}:window:{key.name}:{key.window_seconds}"
        # Microseconds, rounded up so that all buckets together are never shorter than the window.
        self._width = max(1, -(-key.window_seconds * MICROSECONDS // BUCKETS))
        self.local = LocalWindow(self._width / MICROSECONDS)
        self._own = LocalWindow(self._width / MICROSECONDS)  # what Redis counts of us, in buckets of our clock
        self._own_bucket, self._account, self._want = 0, 0, 0
        self.lock = asyncio.Lock()  # one call at a time; whoever waits finds what that call brought
        self.waiting = 0  # units asked for by all who hold or wait for the lock
        self._permits, self._bucket, self._ends = 0, 0, 0.0
        self._takes, self._batch = 0, 1
        self._room, self.reset_at = key.limit, 0.0
        self._refunds: dict[tuple[int, int], int] = {}  # by bucket, the shared window's and our own
        self._debt = 0
        self._posted: tuple[int, list[tuple[int, int, int]]] = (0, [])
        self._refusal, self._refused_amount = Refusal(0.0), 0
        self._refused_at, self._refused_until = -math.inf, 0.0

    @property
    def remaining(self) -> int:
        """An estimate: the room at the last call and the permits in hand."""
        return max(0, self._room + self._permits)

    def spend(self, amount: int, now: float) -> Charge | None:
        """Take `amount` out of the permits in hand, if they are enough and alive."""
        if not 0 <= amount <= self._permits or now >= self._ends:
            return None
        self._permits -= amount
        self._takes += 1
        return Charge(self, amount, self._bucket, local=False, own=self._own_bucket)

    def refusal(self, amount: int, now: float, since: float = math.inf) -> Refusal | None:
        """Return the last refusal while it is fresh and `amount` is not less than what was refused.

        It is also for all who have waited `since` before the window was asked, however long that took.
        """
        if amount < self._refused_amount or (now >= self._refused_until and since > self._refused_at):
            return None
        return self._refusal

    def spend_local(self, amount: int, workers: int, now: float) -> Charge | Refusal:
        """Take `amount` out of this worker's share of the limit, without Redis."""
        # With more workers than permits each has one: Redis being away must not refuse a tenant everything.
        share = max(min(1, self.key.limit), self.key.limit // workers) - self._own.total(now)
        bucket = self.local.take(amount, share, now)
        self._room = self.local.room(share, now)
        self.reset_at = now + self.key.window_seconds
        if bucket is None:
            return Refusal(now + self.local.wait(amount, share, now))
        return Charge(self, amount, bucket, local=True)

    def give_back(self, charge: Charge, amount: int) -> None:
        """Return units that were taken and not used; the next call brings them home."""
        if charge.local:
            self.local.give_back(charge.bucket, amount)
        else:
            self._refund(charge.bucket, charge.own, amount)
        self._refused_at, self._refused_until = -math.inf, 0.0

    def undo(self, charge: Charge, now: float) -> None:
        """Take back a charge of a request that was refused elsewhere: into the hand it came from, if it can."""
        if charge.local or charge.bucket != self._bucket or now >= self._ends:
            self.give_back(charge, charge.amount)
        else:
            self._permits += charge.amount

    def owe(self, amount: int, now: float) -> None:
        """Account for units that were used without asking: first out of the permits in hand."""
        paid = min(amount, self._permits) if now < self._ends else 0
        self._permits -= paid
        self._debt += amount - paid

    def unsettled(self, now: float) -> bool:
        """Say whether the shared window should hear from this worker although no request asks.

        A lease in use settles by itself within a bucket; calling for it earlier would only break it up.
        """
        if self._permits and now < self._ends:
            return False
        return bool(self._permits or self._refunds or self._debt or self.local.held(now))

    @property
    def pressing(self) -> bool:
        """Say whether so much is owed or to be given back that others should not have to wait for it."""
        return (self._debt + sum(self._refunds.values())) * IDLE_SHARE >= self.key.limit

    def remembers(self, now: float) -> bool:
        """Say whether Redis should know of units that this worker took."""
        return self._own.total_inside(now) > 0

    def lost(self, reply: Reply) -> int:
        """Return how many units of this worker Redis has lost, of a reply that says so."""
        return max(0, self._account - reply.account)

    def ask(self, amount: int, workers: int, now: float, server_now: int, *, lost: int | None = None) -> list[int]:
        """Turn in what is left and return the script's arguments for this window, to take `amount` and a new lease.

        `amount` 0 only settles accounts. `server_now` is in microseconds, 0 for the server's own clock. `lost` units
        that Redis has lost are brought back: the newest that this worker took.
        """
        if amount:
            self._resize(now)
        self._refund(self._bucket, self._own_bucket, self._permits)
        self._permits = 0
        spare = min(self._batch * amount, self.key.limit // (IDLE_SHARE * workers))
        waiting = max(amount, self.waiting)
        want = self._want = max(waiting, spare)
        account = self._account if lost is None and self.remembers(now) else _NOTHING
        refunds, self._refunds = self._refunds, {}
        for (_, own), units in refunds.items():
            self._own.give_back(own, units)
        self._account -= sum(refunds.values())  # until the answer says what it is
        held = self.local.held(now)
        self._posted = (self._debt, held)
        charged = [*held, *self._own.newest(lost, now)] if lost else held
        pairs = [(bucket, units) for (bucket, _), units in refunds.items()]
        pairs += [(age, units) for _, age, units in charged]
        if self._debt:
            pairs.append((0, self._debt))
        numbers = [number for pair in pairs for number in pair]
        head = [self.key.limit, BUCKETS, self._width, amount, want, server_now, self._worker, account]
        return [*head, int(lost is not None), waiting, len(refunds), *numbers]

    def check(self, reply: Reply, amount: int) -> None:
        """Raises StorageError for an answer to `ask` that cannot be true."""
        reply.hold_to(amount, self._want, self._width / MICROSECONDS)

    def refill(self, reply: Reply, amount: int, asked_at: float) -> Charge | Refusal | None:
        """Take in the answer to `ask`; None where the window heals, and everybody lives on a share for the moment.

        Times run from `asked_at`, before the script ran, so the lease never outlives its bucket on the server.
        """
        debt, held = self._posted
        self._debt -= debt
        here = self._own.bucket(asked_at)
        self._own_bucket, self._account = here, reply.account
        for bucket, _, units in held:
            self.local.give_back(bucket, units)
            self._own.put(bucket, units)
        if debt or reply.granted:
            self._own.put(here, debt + reply.granted)
        same = reply.bucket == self._bucket
        self._bucket, self._room, self.reset_at = reply.bucket, reply.room, asked_at + reply.reset
        if reply.granted < amount:
            self._ends = 0.0
            if reply.healing:
                return None
            self._refusal, self._refused_amount = Refusal(asked_at + reply.retry_after), amount
            self._refused_until = asked_at + min(reply.left_of_bucket, REFUSAL_SECONDS)
            self._refused_at = asked_at
            return self._refusal
        self._permits, self._takes = reply.granted - amount, (self._takes if same else 0) + (amount > 0)
        self._ends = asked_at + reply.left_of_bucket if reply.granted else 0.0
        return Charge(self, amount, reply.bucket, local=False, own=here)

    def _resize(self, now: float) -> None:
        """Double the batch when the last lease was used up in time, else fit it to what its bucket saw; idle is 1."""
        if now < self._ends:
            self._batch = min(2 * self._batch, LARGEST_BATCH)
        elif now < self._ends + self._width / MICROSECONDS:
            self._batch = max(1, min(self._takes, LARGEST_BATCH))
        else:
            self._batch = 1

    def _refund(self, bucket: int, own: int, amount: int) -> None:
        if amount:
            self._refunds[bucket, own] = self._refunds.get((bucket, own), 0) + amount
