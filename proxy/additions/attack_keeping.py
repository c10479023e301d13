"""How a worker keeps the attacks that it looks for as the database has them."""

from __future__ import annotations

from typing import Protocol

from detectors.builtin.transformer import Transformer
from detectors.chain import Chain
from detectors.errors import StorageError
from detectors.models.known_attacks import KnownAttacks


class AttackReader(Protocol):
    async def vectors(self, model: str) -> KnownAttacks: ...


class AttackKeeping:
    """Tells the chain's transformer of operators' attacks, within two seconds of a change."""

    def __init__(self, reader: AttackReader, chain: Chain) -> None:
        self._reader, self._counter = reader, 0  # as a new database has it: nothing is known, nothing is asked
        self._looking = [detector for detector in chain.detectors if isinstance(detector, Transformer)]

    async def check(self, counter: int | None) -> int | None:
        """Read them anew if the counter has moved, and return how many there are. While the database is away, what is
        known stays.
        """
        if counter is None or counter == self._counter or not self._looking:
            return None
        known = 0
        for detector in self._looking:
            try:
                attacks = await self._reader.vectors(detector.model)
            except StorageError:
                return None
            detector.know(attacks)
            known += len(attacks)
        self._counter = counter
        return known
