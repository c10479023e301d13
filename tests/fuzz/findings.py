"""What a fuzz run must never see: an answer that nobody declared, silence, or a string upstream that nobody scanned."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from multidict import CIMultiDict

from detectors.types import Direction
from policies.types import Facts, Policy
from proxy.app import load_detection
from proxy.bodies.json_document import parse
from proxy.bodies.pointer import apply_edits
from proxy.providers import openai_chat
from proxy.screen import Screen
from tests.fuzz.grammar import CANARY_DOMAIN, Case, id_of
from tests.fuzz.readers import alike, strings
from tests.fuzz.wire import Reply
from tests.harness import Received

HANG_SECONDS: Final = 2.0
_CODEC: Final = openai_chat.CODEC
# Words of the API at places where they are its own: skipped by rule, whoever sends them.
_API_WORDS: Final = frozenset(
    "user system developer assistant tool function text image_url input_audio file refusal".split()  # noqa: SIM905
)
# An address as it stands in a text; glued to other letters it is another word, and nobody's address.
_CANARY: Final = re.compile(rf"(?<!\S)user[0-9]+@{re.escape(CANARY_DOMAIN)}(?!\S)")


class Account:
    """What happened in a run, and what of it should not have."""

    def __init__(self, policy: Policy) -> None:
        detection = load_detection()
        self._screen, self._policy = Screen(detection.chain, detection.actions), policy
        self.statuses: Counter[int] = Counter()
        self.findings: list[str] = []
        self.forwarded = self.strings = self.compared = 0
        self.slowest = 0.0

    def answered(self, number: int, case: Case, reply: Reply) -> None:
        """Take in what a case got for an answer."""
        self.statuses[reply.status] += 1
        self.slowest = max(self.slowest, reply.seconds)
        if reply.hung or reply.seconds > HANG_SECONDS:
            self._find(number, f"no answer in {HANG_SECONDS:g} s", case.raw)
        elif reply.status >= 500:
            self._find(number, f"a {reply.status} ({reply.code})", case.raw)

    async def arrived(self, received: Received, sent: Mapping[int, Case]) -> None:
        """Hold a body that reached the upstream against a scan of the same body."""
        self.forwarded += 1
        number = number_of(CIMultiDict(received.headers).get("x-request-id", ""))
        if not received.body:  # a list of models
            return
        if not alike(received.body):
            self._find(number, "readers differ over the forwarded body", received.body)
        document = parse(received.body)
        found = set(strings(document))
        self.strings += len(found)
        if unscanned := found - _scanned(document):
            self._find(number, f"{len(unscanned)} strings that no walk of it meets", received.body)
        if any(_CANARY.search(text) for text in found):
            self._find(number, "personal data that the policy masks", received.body)
        case = sent.get(number)
        if case is not None and case.body is not None:
            await self._compare(number, case.body, found, received.body)

    async def _compare(self, number: int, body: bytes, found: set[str], forwarded: bytes) -> None:
        """Every string that arrived must be one that was sent and scanned, or what an edit made of it."""
        self.compared += 1
        document = parse(body)
        if found <= _scanned(document):
            return
        walk = _CODEC.segments(document, Direction.REQUEST)
        screened = await self._screen.judge(walk, self._policy, Facts(at=0.0), 1, b"")
        apply_edits(document, screened.verdict.effect.edits)
        if not found <= set(strings(document)):
            self._find(number, "strings that are not what the scan left of the sent body", forwarded)

    def _find(self, number: int, what: str, data: bytes) -> None:
        self.findings.append(f"request {number}: {what}: {data[:2000]!r}")


def number_of(request_id: str) -> int:
    """Return the number of the case that a request came from, 0 if its id was changed on the way."""
    number = request_id.split("-")[1] if request_id.count("-") == 2 else ""
    return int(number) if number.isdecimal() and number.isascii() and request_id == id_of(int(number)) else 0


def _scanned(document: Any) -> set[str]:
    """Return all strings that a walk meets, and those that it leaves out by a rule that has a name."""
    walk = _CODEC.segments(document, Direction.REQUEST)
    seen = {segment.text for segment in walk.segments} | walk.vocabulary | _API_WORDS | {""}
    return seen | set(_models(document))


def _models(document: Any) -> Iterator[str]:
    yield from strings(document.get("model"))
    listed = document.get("models")
    yield from (name for name in (listed if isinstance(listed, list) else [listed]) if isinstance(name, str))
