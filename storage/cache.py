"""The in-process findings cache: least recently used, bounded by what it holds."""

from __future__ import annotations

import threading
from collections import OrderedDict

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
        self.hits = self.misses = 0

    def get(self, key: bytes) -> StageHits | None:
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._entries.move_to_end(key)
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
