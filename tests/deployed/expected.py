"""What each panel must show, computed from what was sent, logged and measured: never from a metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from tests.deployed.seen import Bounds, Seen, of_buckets
from tests.deployed.traffic import FIRST_AFTER, TOKENS, USAGE

Expected = Mapping[tuple[str, ...], Bounds]
Account = Callable[[Seen], Expected]
# The detectors that look at every text of a request, and the one that reads what the classifier leaves open: how often
# that is, the log does not say.
ALWAYS: Final = (
    "anomaly", "classifier", "credentials", "keywords", "leakage", "packs", "patterns", "pii", "rendering",
)  # fmt: skip
SECOND: Final = "transformer"
_NONE: Final[Expected] = {}
_BLOCKED: Final = {"blocked_request", "blocked_response"}
_FAILED: Final = {"upstream_error", "internal_error", "interrupted"}


def _one(bounds: Bounds) -> Expected:
    return {(): bounds}


def _exactly(value: float) -> Expected:
    return {(): (value, value)}


def _share_of(outcomes: set[str]) -> Account:
    def account(seen: Seen) -> Expected:
        part = sum(row["outcome"] in outcomes for row in seen.rows)
        return _one(seen.share(part, len(seen.rows) + seen.strangers))

    return account


def _near(value: float, slack: float) -> Bounds:
    return value * (1 - slack), value * (1 + slack)


def _overhead(share: float) -> Account:
    def account(seen: Seen) -> Expected:
        # Of strangers there is no row; they are quick, and may only pull a quantile down, to no less than nothing.
        known = [row["overhead_ms"] / 1000 for row in seen.rows]
        low = [0.0] * seen.strangers + [value * 0.9 - 0.0003 for value in known]
        high = [0.05] * seen.strangers + [value * 1.1 for value in known]
        return _one(of_buckets("promptshield_overhead_seconds", low, high, share))

    return account


def _refused(seen: Seen) -> Expected:
    found = Counter(row["error_code"] for row in seen.rows if row["outcome"] == "rejected")
    return seen.rates({**found, "invalid_api_key": seen.strangers})


def _block_share(seen: Seen) -> Expected:
    whole = seen.ends("tenant")
    part = Counter((row["tenant"],) for row in seen.rows if row["outcome"] in _BLOCKED)
    return {tenant: seen.share(count, whole[tenant]) for tenant, count in part.items()}


def _slowest_run(by: Callable[[str, str], str]) -> Account:
    def account(seen: Seen) -> Expected:
        longest = max(row["overhead_ms"] for row in seen.rows) / 1000
        keys = {by(row["tenant"], detector) for row, _ in seen.judged() for detector in (*ALWAYS, SECOND)}
        return {(key,): (0.0, 2.5 * longest) for key in keys}

    return account


def _results(seen: Seen) -> Expected:
    found = seen.rates(seen.results(ALWAYS))
    _, most = seen.rate(sum(1 for _ in seen.judged()))
    return found | {(SECOND, result): (0.0, most) for result in ("allow", "flag", "block", "skipped")}


def _stages(seen: Seen) -> Expected:
    _, most = seen.rate(sum(row["overhead_ms"] for row in seen.rows) / 1000)
    return {(stage,): (0.0, most) for stage in ("pattern", "model", "refiner")}


def _confidence(seen: Seen) -> Expected:
    found: dict[str, list[float]] = {}
    for _, scores in seen.judged():
        for detector in {score["detector"] for score in scores}:
            found.setdefault(detector, []).append(max(s["confidence"] for s in scores if s["detector"] == detector))
    return {
        (name,): of_buckets("detection_confidence_histogram", values, values, 0.5) for name, values in found.items()
    }


def _generations(metric: str, share: float, streams: bool) -> Account:
    def account(seen: Seen) -> Expected:
        rows = [row for row in seen.rows if row["status"] == 200 and row["upstream_ms"] > 0]
        models = {row["model"] for row in rows if row["streaming"] or not streams}
        if streams:
            longest = max(sent.seconds for sent in seen.sent if sent.kind == "stream")
            first = [FIRST_AFTER * 0.9] if "first" in metric else [0.005]
            return {(m,): of_buckets(metric, first, [longest], share) for m in models}
        return {
            (m,): of_buckets(
                metric,
                [row["upstream_ms"] / 1000 for row in rows if row["model"] == m],
                [row["total_ms"] / 1000 for row in rows if row["model"] == m],
                share,
            )
            for m in models
        }

    return account


def _tokens(seen: Seen) -> Expected:
    answers = Counter(row["model"] for row in seen.rows if row["status"] == 200 and row["upstream_ms"] > 0)
    kinds = {"input": USAGE["prompt_tokens"], "output": TOKENS}
    return seen.rates({(model, kind): n * each for model, n in answers.items() for kind, each in kinds.items()})


def _cached(seen: Seen) -> Expected:
    found = seen.segments()
    return _one(seen.share(found["cached", ""], found["cached", ""] + found["scanned", ""]))


def _of_workers(value: Callable[[Seen], Mapping[int, Bounds]]) -> Account:
    return lambda seen: {(str(number),): bounds for number, bounds in value(seen).items()}


OVERVIEW: Final[Mapping[str, tuple[Account, ...]]] = {
    "Requests": (lambda s: _one(s.rate(len(s.rows) + s.strangers)),),
    "Blocked": (_share_of(_BLOCKED),),
    "Failed": (_share_of(_FAILED),),
    "Workers": (lambda s: _exactly(len(s.workers)), lambda s: _exactly(len(s.workers))),
    "In flight": (lambda s: _exactly(s.held_open / (1000 * len(s.workers))),),
    "Decisions waiting": (lambda _: _one((0, 0)),),
    "Requests by action": (lambda s: s.rates(s.ends("action")),),
    "Requests by outcome": (lambda s: s.rates(s.ends("outcome")),),
    "Added latency": (_overhead(0.5), _overhead(0.95), _overhead(0.99)),
    "Refused before judging": (_refused,),
    "Streams": (lambda s: s.rates(Counter(r["outcome"] for r in s.rows if r["streaming"])),),
    "Answered although a detector failed": (lambda _: _NONE,),
    "Held back in streams": (lambda s: _one((0.0, max(x.seconds for x in s.sent if x.kind == "stream"))),),
    "Version": (lambda s: {(s.version,): (1, 1)},),
}
DETECTION: Final[Mapping[str, tuple[Account, ...]]] = {
    "Results by detector": (_results,),
    "Detector errors": (lambda _: _NONE,),
    "Time of a run, p95": (_slowest_run(lambda _, detector: detector),),
    "Time of a run, mean": (_slowest_run(lambda _, detector: detector),),
    "Seconds by stage": (_stages,),
    "Confidence, median": (_confidence,),
    "Findings by category": (lambda s: s.rates(s.findings("category")),),
    "Busiest rules": (lambda s: {key: s.increase(n) for key, n in s.findings("rule").items()},),
    "Texts nobody could look at": (
        lambda s: s.rates({reason: n for (status, reason), n in s.segments().items() if status == "unscannable"}),
    ),
    "Known from the cache": (_cached,),
    "Judges' breakers": (lambda _: _NONE,),
    "Judges' failures": (lambda _: _NONE,),
    "What judges cost": (lambda _: _NONE,),
    "Tokens": (_tokens,),
    "Provider, p95": (_generations("gen_ai_server_request_duration_seconds", 0.95, streams=False),),
    "First token, p95": (_generations("gen_ai_server_time_to_first_token_seconds", 0.95, streams=True),),
    "Each further token, median": (_generations("gen_ai_server_time_per_output_token_seconds", 0.5, streams=True),),
}
TENANTS: Final[Mapping[str, tuple[Account, ...]]] = {
    "Requests by tenant": (lambda s: s.rates(Counter(row["tenant"] for row in s.rows)),),
    "Blocked by tenant": (_block_share,),
    "In progress by tenant": (lambda s: {("demo",): (s.held_open, s.held_open)},),
    "Detection by tenant, p95": (_slowest_run(lambda tenant, _: tenant),),
}
INFRASTRUCTURE: Final[Mapping[str, tuple[Account, ...]]] = {
    "CPU of workers": (lambda s: _one((s.rate(sum(w.cpu for w in s.workers))[0] * 0.5,
                                       s.rate(sum(w.cpu for w in s.workers) + 0.3)[1] * 1.5)),),
    "Memory of workers": (_of_workers(lambda s: {w.number: _near(w.resident, 0.2) for w in s.workers}),),
    "Event loop lag, p99": (lambda _: _one((0.0, 1.0)),),
    "Open files": (_of_workers(lambda s: {w.number: (w.files - 5, w.files + 5) for w in s.workers}),),
    "Tasks": (_of_workers(lambda s: {w.number: (5, 40) for w in s.workers}),),
    "Bodies in memory": (lambda s: _one((s.held_open, 500 * s.held_open)),),
    "Workers replaced": (lambda _: _NONE,),
    "Journal on the disk": (lambda s: _one(_near(s.journal_bytes / s.journal_limit, 0.5)),),
    "Oldest decision waiting": (lambda _: _NONE,),
    "Decisions shipped": (lambda s: {("postgres",): s.rate(len(s.rows))},),
    "Sinks that fail": (lambda _: _NONE,),
    "Decisions lost": (lambda _: _NONE,) * 5,
    "Other losses": (lambda _: _NONE,) * 5,
    "Upstream failures": (
        lambda s: s.rates({("connect", "away"): sum(x.kind == "away" for x in s.sent)}),
    ),
    "Upstreams left alone": (lambda _: _NONE,),
    "Limits by local share": (lambda _: _NONE,),
    "Interrupted": (lambda _: _NONE,),
    "The log's upkeep": (lambda _: _one((0, 9)), lambda _: _NONE, lambda _: _NONE),
    "Certificate": (lambda _: _NONE,),
}  # fmt: skip
DECISIONS: Final[Mapping[str, tuple[Account, ...]]] = {
    "Revisions in force": (lambda s: {key: (n, n) for key, n in s.revisions.items()},),
    "Policies that do not load": (lambda _: _NONE,),
    "Failed reloads": (lambda _: _NONE,),
    "Exclusions that end next": (lambda s: {("demo",): (s.exclusion_ends - s.at - 2, s.exclusion_ends - s.at + 2)},),
}
EXPECTED: Final[Mapping[str, Mapping[str, tuple[Account, ...]]]] = {
    "ps-overview": OVERVIEW,
    "ps-detection": DETECTION,
    "ps-tenants": TENANTS,
    "ps-infrastructure": INFRASTRUCTURE,
    "ps-decisions": DECISIONS,
}
