"""What stands for a text in memory: keyed BLAKE2b-256, made once for all stages, and of seams from their parts'."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from detectors.seams import Seam
from detectors.types import Segment

SIZE: Final = 32  # bytes


class Digests:
    """Hashes under one tenant's key. A segment's covers its text, origin, kind, place and joints, but neither pointer
    nor direction: what depends on the direction says so in its own part of a key.

    A seam is told by its parts, which were hashed already: hashing its text anew cost more than looking it up.
    """

    def __init__(self, content_key: bytes) -> None:
        self._key = content_key
        # Hashes that have taken in all but the text. By identity, because to hash a member of an enumeration costs more
        # than all the rest; there are no more of them than members.
        self._begun: dict[tuple[int, int, int], Any] = {}

    def of(self, segments: Sequence[Segment]) -> list[bytes]:
        """Return the digests of segments, in order."""
        known: dict[int, bytes] = {}
        digests: list[bytes] = []
        for segment in segments:
            if isinstance(segment, Seam):
                parts = [known.get(id(part)) or self._text(part) for part in segment.parts]
                digests.append(blake2b(b"".join(parts), key=self._key, digest_size=SIZE, person=b"seam").digest())
            else:
                known[id(segment)] = digest = self._text(segment)
                digests.append(digest)
        return digests

    def _text(self, segment: Segment) -> bytes:
        manner = (id(segment.origin), id(segment.kind), id(segment.place))
        hashed = (self._begun.get(manner) or self._begin(manner, segment)).copy()
        if segment.joints:
            hashed.update(f"{segment.joints}".encode())
        hashed.update(b"\0" + segment.text.encode("utf-8", "surrogatepass"))
        digest: bytes = hashed.digest()
        return digest

    def _begin(self, manner: tuple[int, int, int], segment: Segment) -> Any:
        head = f"\0{segment.origin}\0{segment.kind}\0{segment.place}\0".encode()
        begun = self._begun[manner] = blake2b(head, key=self._key, digest_size=SIZE)
        return begun
