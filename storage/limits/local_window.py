"""The sliding window that a worker keeps alone: what it admits while Redis is away, and what it took before."""

from __future__ import annotations

from itertools import takewhile

# As many buckets as the shared window has: the oldest one counts whole, which costs at most 1/120 of the limit.
BUCKETS = 120


class LocalWindow:
    """Units admitted by this worker, bucket by bucket. `width` is a bucket's length in seconds, as are all times.

    Bucket numbers count widths on the worker's own clock, which must not go back.
    """

    __slots__ = ("_buckets", "_total", "_width")

    def __init__(self, width: float) -> None:
        self._width = width
        self._buckets: dict[int, int] = {}  # in rising order, because time does not go back
        self._total = 0

    def take(self, amount: int, share: int, now: float) -> int | None:
        """Admit `amount` and return its bucket, or None when the window would hold more than `share`."""
        bucket = self._slide(now)
        if self._total + amount > share:
            return None
        self._buckets[bucket] = self._buckets.get(bucket, 0) + amount
        self._total += amount
        return bucket

    def put(self, bucket: int, amount: int) -> None:
        """Count what was admitted in `bucket`, whatever the window holds."""
        known = self._buckets.get(bucket)
        self._total += amount
        self._buckets[bucket] = (known or 0) + amount
        if known is None and bucket < max(self._buckets):  # what was before stands before
            self._buckets = dict(sorted(self._buckets.items()))

    def bucket(self, now: float) -> int:
        """Return the number of the current bucket."""
        return int(now / self._width)

    def total(self, now: float) -> int:
        """Return how many units the window holds."""
        self._slide(now)
        return self._total

    def total_inside(self, now: float) -> int:
        """Return the units that others' clocks, too, see inside: without those about to leave."""
        edge = self._slide(now) - BUCKETS + 2
        leaving = takewhile(lambda bucket: bucket < edge, self._buckets)
        return self._total - sum(map(self._buckets.__getitem__, leaving))

    def give_back(self, bucket: int, amount: int) -> None:
        """Take back what was admitted in `bucket`; what has left the window since is ignored."""
        held = self._buckets.get(bucket, 0)
        if held:
            returned = min(held, amount)
            self._buckets[bucket] = held - returned
            self._total -= returned

    def room(self, share: int, now: float) -> int:
        """Return how many units would be admitted now."""
        self._slide(now)
        return max(0, share - self._total)

    def wait(self, amount: int, share: int, now: float) -> float:
        """Return the seconds until `amount` fits; a whole window when it never will."""
        excess = self._total + amount - share
        for bucket, units in self._buckets.items():
            excess -= units
            if excess <= 0:
                return (bucket + BUCKETS + 1) * self._width - now
        return (BUCKETS + 1) * self._width

    def held(self, now: float) -> list[tuple[int, int, int]]:
        """Return what the window holds as (bucket, age of the bucket in buckets, units)."""
        newest = self._slide(now)
        return [(bucket, newest - bucket, units) for bucket, units in self._buckets.items() if units]

    def newest(self, units: int, now: float) -> list[tuple[int, int, int]]:
        """Return the newest of what the window holds, no more than so many units, as `held` does."""
        found: list[tuple[int, int, int]] = []
        for bucket, age, here in reversed(self.held(now)):
            if units <= 0:
                break
            found.append((bucket, age, min(here, units)))
            units -= here
        return found

    def _slide(self, now: float) -> int:
        """Forget the buckets that left the window; return the current one."""
        bucket = int(now / self._width)
        while self._buckets and (oldest := next(iter(self._buckets))) < bucket - BUCKETS:
            self._total -= self._buckets.pop(oldest)
        return bucket
