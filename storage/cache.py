"""The in-process findings cache: least recently used, bounded by what it holds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from detectors.batch import StageHits

CAPACITY = 50_000  # texts plus hits; some 25 MB when full


class LruFindingsCache:
    """Stage hits by key. A text with many hits weighs more, and one that would push out many others is not kept.

    Long bodies are read in a thread of their own, so two threads may come at once.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: OrderedDict[bytes, StageHits] = OrderedDict()
        self._capacity, self._heaviest, self._weight = capacity, max(1, capacity // 100), 0
        self._lock = threading.Lock()

    def get_many(self, keys: Sequence[bytes]) -> list[StageHits | None]:
        """Return what is kept under each key, in order."""
        entries, found = self._entries, list[StageHits | None]()
        with self._lock:
            for key in keys:
                value = entries.get(key)
                if value is not None:
                    entries.move_to_end(key)
                found.append(value)
        return found

    def put(self, key: bytes, value: StageHits) -> None:
        weight = _weight(value)
        if weight > self._heaviest:
            return
        with self._lock:
            if key in self._entries:
                return
            self._entries[key] = value
            self._weight += weight
            while self._weight > self._capacity:
                _, dropped = self._entries.popitem(last=False)
                self._weight -= _weight(dropped)


def _weight(value: StageHits) -> int:
    return 1 + sum(map(len, value.hits.values()))
