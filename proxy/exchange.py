"""One request and its response passing through: the only mutable object."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from detectors.guard import Guard
from detectors.judges.types import Call
from detectors.types import DetectorRun, Direction, Stage
from detectors.undecided import OUT_OF_TIME, QUEUE_FULL, STILL_JUDGING
from policies.types import ActionName, Facts, Policy, Verdict
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Usage, Words
from proxy.limits.metering import Meter
from proxy.limits.risk import Risk
from proxy.pseudonyms.pseudonyms import Pseudonyms
from proxy.screen import Screened
from proxy.settings import UpstreamSettings
from proxy.streams.tally import sum_runs
from proxy.telemetry.tracing import Trace
from storage.types import Identity, ObjectName, Outcome
from storage.uuid7 import uuid7

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(slots=True)
class Exchange:
    """What is known so far. Times are seconds of `time.perf_counter`, but for `opened_at` (epoch)."""

    id: str
    request_id: str
    opened_at: float
    started: float
    route: str
    via: str = "proxy"
    destination: UpstreamSettings | None = None  # where the app itself was going, if it came by the egress proxy
    words: Words | None = None
    identity: Identity | None = None
    policy: Policy | None = None
    content_key: bytes = b""
    meter: Meter | None = None
    risk: Risk | None = None
    spent_today: float = 0.0  # USD of the tenant, where the policy asks for it
    asked: Walk | None = None
    raw: bytes = b""  # the request, where it is to be known should it be sent again
    relayed: int = 0  # bytes of an answer's text that left, of which the provider counted no tokens
    spent: JsonObject | None = None  # what it cost, as its row says it
    guard: Guard | None = None
    dialect: str = ""
    vocabulary: frozenset[str] = frozenset()
    model: str = ""
    fallbacks: tuple[str, ...] = ()  # models that take over from it
    language: str = ""  # guessed, where the policy asks for it
    detoured: bool = False  # the policy sent it another way than was asked for
    asked_model: str = ""  # where the policy sent the request to another one
    upstream: str = ""
    streaming: bool = False
    network: str = ""
    request: Verdict | None = None
    response: Verdict | None = None
    runs: dict[str, DetectorRun] = field(default_factory=dict)
    judge_calls: list[Call] = field(default_factory=list)
    later: Callable[[], Coroutine[Any, Any, Screened]] | None = None  # what judges still have to say
    outcome: Outcome = Outcome.REJECTED
    status: int = 0
    error_code: str = ""
    error_stage: str = ""
    usage: Usage = Usage()  # noqa: RUF009 - immutable
    digests: dict[str, str] = field(default_factory=dict)
    personal: str = "{}"
    personal_digest: str = ""
    subjects: tuple[str, ...] = ()
    bodies: list[JsonObject] = field(default_factory=list)
    provider_saw_prompt: bool = False
    own_credential: bool = False  # the client's own went upstream, not the house's
    upstream_started: float = 0.0
    held_back: float = 0.0  # the longest that text of a stream waited to be released
    first_chunk_at: float = 0.0  # of an answer that is a stream
    upstream_seconds: float = 0.0
    pseudonyms: Pseudonyms | None = None
    leans_on: frozenset[ObjectName] = frozenset()
    kept_with: set[ObjectName] = field(default_factory=set)  # the objects that its pseudonyms are kept with
    headers: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    trace: Trace | None = None
    _facts: Facts | None = None

    @classmethod
    def open(cls, request_id: str | None, route: str, network: str) -> Exchange:
        """Begin an exchange. A client's request id is kept if it is plain; else ours is both."""
        now = time.time()
        own = uuid7(now)
        kept = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else own
        return cls(own, kept, now, time.perf_counter(), route, network=network)

    def facts(self) -> Facts:
        """Return what a decision may look at beside the findings; settled once an upstream is chosen."""
        if self._facts is None:
            self._facts = self._gather_facts()
        return self._facts

    def forget_facts(self) -> None:
        """Let the next decision look at things as they are by then: the policy sent the request another way."""
        self._facts = None

    def _gather_facts(self) -> Facts:
        identity = self.identity
        return Facts(
            at=self.opened_at,
            tenant=identity.tenant if identity else "",
            app=identity.app if identity else "",
            key_id=(identity.key_id or None) if identity else None,
            dialect=self.dialect,
            route=self.route,
            model=self.model,
            upstream=self.upstream,
            streaming=self.streaming,
            network=self.network,
            fallbacks=self.fallbacks,
            roles=identity.roles if identity else (),
            language=self.language,
            cost=self.spent_today,
            risk=0.0 if self.risk is None else self.risk.score,
        )

    def keep(self, screened: Screened, direction: Direction) -> None:
        """Note the verdict on one direction and who led to it."""
        if direction is Direction.REQUEST:
            self.request = screened.verdict
        else:
            self.response = screened.verdict
        self.later = screened.later
        if screened.calls:
            self.judge_calls += screened.calls
        for run in screened.runs:
            known = self.runs.get(run.detector)
            self.runs[run.detector] = run if known is None else sum_runs(known, run)

    def end(self, outcome: Outcome, status: int, code: str = "") -> None:
        self.outcome, self.status, self.error_code = outcome, status, code

    @property
    def action(self) -> ActionName:
        request, response = self.request, self.response
        action = ActionName.ALLOW if request is None else request.action
        return response.action if response is not None and response.action.weight > action.weight else action

    @property
    def degraded(self) -> tuple[str, ...]:
        request, response = self.request, self.response
        names = () if request is None else request.degraded
        if response is None or not response.degraded:
            return names
        return tuple(sorted({*names, *response.degraded}))

    @property
    def tokens(self) -> tuple[int | None, int | None]:
        """Of the prompt and of the answer, as the provider counted them."""
        return self.usage.prompt_tokens, self.usage.completion_tokens

    @property
    def soon_decided(self) -> bool:
        """Tell whether the same request may be decided in a moment: a judge is on its way to an answer, or the
        transformer knows a part of the texts by now.
        """
        return any(run.reason == STILL_JUDGING or _is_busy(run) for run in self.runs.values())

    def overhead_seconds(self) -> float:
        """Return what passing through us cost so far: all the time that was not the upstream's."""
        return max(0.0, time.perf_counter() - self.started - self.upstream_seconds)

    def verdicts(self) -> list[Verdict]:
        return [verdict for verdict in (self.request, self.response) if verdict is not None]


def digest(key: bytes, data: bytes) -> str:
    """Return a keyed hash (hex) that proves what was sent without keeping it."""
    return hashlib.blake2b(data, key=key, digest_size=16).hexdigest()


def heaviest(actions: Iterable[ActionName]) -> ActionName:
    """Return the heaviest of the actions, allow if there is none."""
    found = ActionName.ALLOW
    for action in actions:
        if action is not found and action.weight > found.weight:
            found = action
    return found


def _is_busy(run: DetectorRun) -> bool:
    return run.stage is Stage.REFINER and run.reason in {OUT_OF_TIME, QUEUE_FULL}
