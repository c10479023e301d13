"""Room for exchanges: how many at once, how many bytes of their bodies, and whose turn it is when it runs short."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from detectors.errors import EdgeError

RETRY_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"retry-after": "1", "retry-after-ms": "1000"})
# A tenant counts among those who share while it is inside, and this long after it asked when room was short.
WANTED_SECONDS: Final = 5.0
# The last eighth is for tenants below their share: a newcomer gets in while an old one is still being turned away.
OPEN_TO_ALL: Final = 7 / 8
# Of all that stand at the door or inside; to find out who somebody is takes hardly any room.
_AT_THE_DOOR: Final = 2


@dataclass(slots=True)
class Used:
    """Room that is taken: exchanges, and bytes of their bodies."""

    exchanges: int = 0
    size: int = 0


class Room:
    """The room of one worker: `exchanges` at once, `size` bytes of request bodies being read or held.

    While there is enough any tenant may use it. Where it runs short, a tenant above its fair share (all the room,
    divided by the tenants that want some) is refused with 429, and who finds no room within its share with 503.
    """

    def __init__(self, exchanges: int, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = Used(exchanges, size), clock
        self._open = Used(int(exchanges * OPEN_TO_ALL), int(size * OPEN_TO_ALL))
        self._used, self._by_tenant = Used(), dict[str, Used]()
        self._wanted: dict[str, float] = {}
        self._at_the_door = 0

    @property
    def exchanges(self) -> int:
        return self._used.exchanges

    @property
    def most_exchanges(self) -> int:
        return self._most.exchanges

    @property
    def size(self) -> int:
        """Bytes of request bodies that take up room."""
        return self._used.size

    def enter(self) -> None:
        """Let somebody to the door whom nobody knows yet. Raises EdgeError 503."""
        if self._at_the_door >= _AT_THE_DOOR * self._most.exchanges:
            raise EdgeError(503, "overloaded", "Too many requests at once; try again in a second.")
        self._at_the_door += 1

    def leave(self) -> None:
        self._at_the_door -= 1

    def take(self, tenant: str, size: int) -> Used:
        """Give a tenant room for one exchange with a body of `size` bytes; return its account.

        Raises EdgeError 429 or 503.
        """
        used, own = self._used, self._by_tenant.get(tenant)
        if used.exchanges >= self._open.exchanges or used.size + size > self._open.size:
            has = own or Used()
            self._weigh(tenant, used.exchanges, has.exchanges, 1, self._most.exchanges)
            self._weigh(tenant, used.size, has.size, size, self._most.size)
        if own is None:
            own = self._by_tenant[tenant] = Used()
        used.exchanges += 1
        own.exchanges += 1
        used.size += size
        own.size += size
        return own

    def correct(self, own: Used, more: int) -> None:
        """One of a tenant's bodies is so much larger than was reckoned, or smaller."""
        self._used.size += more
        own.size += more

    def give_back(self, tenant: str, own: Used, size: int) -> None:
        """One of a tenant's exchanges is over."""
        self._used.exchanges -= 1
        own.exchanges -= 1
        self.correct(own, -size)
        if not own.exchanges:
            del self._by_tenant[tenant]

    def _weigh(self, tenant: str, used: int, own: int, more: int, most: int) -> None:
        # Where nobody is, even a body larger than all the room gets in: else it never would.
        if used + more <= most * OPEN_TO_ALL or not used or not more:
            return
        if own and own + more > most / self._sharers(tenant):
            raise EdgeError(
                429, "overloaded_tenant", "More than a fair share of a busy service; try again in a second."
            )
        if used + more > most:
            self._sharers(tenant)
            raise EdgeError(503, "overloaded", "Too many requests at once; try again in a second.")

    def _sharers(self, tenant: str) -> int:
        """Count who wants room these seconds, this tenant among them."""
        now = self._clock()
        self._wanted[tenant] = now + WANTED_SECONDS
        if len(self._wanted) > 1:
            self._wanted = {name: until for name, until in self._wanted.items() if until > now}
        return len(self._wanted.keys() | self._by_tenant.keys())


class Place:
    """One exchange's place in a room, whatever it has come to have of it."""

    __slots__ = ("_account", "_entered", "_room", "_size", "_tenant")

    def __init__(self, room: Room) -> None:
        self._room, self._entered = room, False
        self._account: Used | None = None
        self._tenant, self._size = "", 0

    def enter(self) -> None:
        """Come to the door. Raises EdgeError 503."""
        self._room.enter()
        self._entered = True

    def claim(self, tenant: str, size: int) -> None:
        """Take room for a body of `size` bytes before it is read. Raises EdgeError 429 or 503."""
        self._account = self._room.take(tenant, size)
        self._tenant, self._size = tenant, size

    def correct(self, size: int) -> None:
        """The body is read, and its size known."""
        if self._account is not None:
            self._room.correct(self._account, size - self._size)
            self._size = size

    def leave(self) -> None:
        """Give everything back."""
        if self._account is not None:
            self._room.give_back(self._tenant, self._account, self._size)
            self._account = None
        if self._entered:
            self._room.leave()
            self._entered = False
