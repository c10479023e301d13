"""A streamed answer as it is kept: the bytes that came, or the texts of its channels with what was found masked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from detectors.types import Finding
from proxy.bodies.json_document import dump
from proxy.recording.masking import masked_text
from storage.keys.sealed_body import LONGEST_PLAIN, BodyForm

_MOST_FINDINGS: Final = 4096


class Transcript:
    """Listens to one stream, in bounded memory. `kept` is what to seal once it has ended.

    `form` is None where only the hash of the stream is kept.
    """

    def __init__(self, form: BodyForm | None, content_key: bytes) -> None:
        self._form = form
        self._hash = hashlib.blake2b(key=content_key, digest_size=16)
        self._raw = bytearray()
        self._texts: dict[str, list[str]] = {}
        self._lengths: Counter[str] = Counter()
        self._size = 0
        self._findings: dict[tuple[str, str, int, int], Finding] = {}
        self._maskable = True

    @property
    def digest(self) -> str:
        """The keyed hash (hex) of all bytes so far, equal to `proxy.exchange.digest` of them."""
        return self._hash.hexdigest()

    def take_chunk(self, chunk: bytes) -> None:
        """Take in the upstream's bytes as they come."""
        self._hash.update(chunk)
        if self._form is BodyForm.ENCRYPTED and len(self._raw) <= LONGEST_PLAIN:
            self._raw += chunk

    def take_window(self, channel: str, base: int, text: str, findings: Iterable[Finding]) -> None:
        """Take in a window that was judged: `text` begins at character `base` of its channel; spans are in `text`."""
        if self._form is not BodyForm.MASKED:
            return
        if self._size <= LONGEST_PLAIN:
            fresh = text[max(0, self._lengths[channel] - base) :]
            self._texts.setdefault(channel, []).append(fresh)
            self._lengths[channel] += len(fresh)
            self._size += len(channel) + len(fresh)
        for finding in findings:
            self._note(channel, base, finding)

    def forbid(self) -> None:
        """Say that something in the stream was not looked at, so that no masked form can be made."""
        self._maskable = False

    def kept(self) -> bytes | None:
        """Return the stream's bytes, or a JSON object of its texts by channel; None if it must not be kept."""
        if self._form is BodyForm.ENCRYPTED:
            return bytes(self._raw)
        if self._form is None or not self._maskable:
            return None
        texts = {channel: "".join(parts) for channel, parts in self._texts.items()}
        return dump({channel: masked_text(text, self._found_in(channel)) for channel, text in texts.items()})

    def _note(self, channel: str, base: int, finding: Finding) -> None:
        if len(self._findings) >= _MOST_FINDINGS:
            self.forbid()
            return
        span = finding.hit.span
        if span is None:
            self._findings[channel, finding.hit.rule_id, -1, -1] = finding
            return
        span = span.shift(base)
        placed = replace(finding, hit=replace(finding.hit, span=span))
        self._findings[channel, finding.hit.rule_id, span.start, span.end] = placed

    def _found_in(self, channel: str) -> list[Finding]:
        return [finding for (name, *_), finding in self._findings.items() if name == channel]
