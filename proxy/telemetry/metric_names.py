"""Every metric there is: its name, what it tells, its labels and their bounds. Nothing else is ever exposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

OTHER: Final = "other"  # what a value is called that came after a label had as many as it may have


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """What one figure becomes of several workers' gauges."""

    SUM = "sum"
    MOST = "most"


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric. `buckets` are the upper bounds of a histogram, without the last one, which has none.

    `zeros` are values of a counter's last label that are there with a zero as soon as the labels before it are: a rate
    does not see the first event of a series that begins with it, and alerts must.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Merge = Merge.SUM
    zeros: tuple[str, ...] = ()


SECONDS_BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0
)  # fmt: skip
CONFIDENCE_BUCKETS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# The bounds that the OpenTelemetry semantic conventions ask for (gen-ai-metrics).
_TOKENS: Final = tuple(float(4**step) for step in range(14))
_REQUEST: Final = tuple(round(0.01 * 2**step, 2) for step in range(14))
_FIRST: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
)  # fmt: skip
_BETWEEN: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_JUDGE: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
_GEN_AI: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")

# How many values a label may have; `tenant_id` has as many as the setting `metrics.tenants` says. What no client can
# choose is bounded all the same: a mistake of ours must not fill somebody's Prometheus.
BOUNDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "action": 8, "candidate": 8, "category": 16, "gen_ai_operation_name": 32, "gen_ai_provider_name": 16,
        "gen_ai_request_model": 32, "gen_ai_token_type": 2, "kind": 16, "level": 8, "model": 64, "outcome": 16,
        "policy": 256, "reason": 64, "result": 16, "revision": 512, "rule": 2048, "sink": 32, "stage": 8, "state": 3,
        "status": 8, "upstream": 64, "version": 4, "worker": 256,
    }
)  # fmt: skip


def _counter(name: str, text: str, *labels: str, zeros: tuple[str, ...] = ()) -> MetricName:
    return MetricName(name, Kind.COUNTER, text, labels, zeros=zeros)


def _gauge(name: str, text: str, *labels: str, merge: Merge = Merge.SUM) -> MetricName:
    return MetricName(name, Kind.GAUGE, text, labels, merge=merge)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> MetricName:
    return MetricName(name, Kind.HISTOGRAM, text, labels, buckets)


DOCUMENTED: Final = (
    _counter(
        "detection_requests_total",
        "Exchanges by detector or judge and by the heaviest action its findings got.",
        "tenant_id", "model", "result", zeros=("error",),
    ),
    _histogram(
        "detection_duration_seconds", "Wall time of one detector over one body.", SECONDS_BUCKETS, "tenant_id", "model"
    ),
    _histogram(
        "detection_confidence_histogram",
        "Highest confidence of a detector that found something.",
        CONFIDENCE_BUCKETS, "tenant_id", "model",
    ),
    _gauge("circuit_breaker_state", "1 for a judge's current breaker state, else 0.", "model", "state"),
    _counter("circuit_breaker_failures_total", "Failures counted by a judge's circuit breaker.", "model"),
    _counter("tenant_requests_total", "Requests with a valid key, counted when they are over.", "tenant_id"),
    _gauge("tenant_active_connections", "Exchanges in progress.", "tenant_id"),
)  # fmt: skip
EXCHANGES: Final = (
    _counter("promptshield_requests_total", "Exchanges by outcome and action.", "tenant_id", "outcome", "action"),
    _histogram(
        "promptshield_overhead_seconds", "Time an exchange spent in PromptShield, not waiting for the upstream.",
        SECONDS_BUCKETS,
    ),
    _counter(
        "promptshield_requests_refused_total", "Requests refused before anybody judged their text.", "reason",
        zeros=("overloaded", "overloaded_tenant"),
    ),
    _counter("promptshield_unpriced_total", "Answers of models that no price list has.", "model"),
    _counter("promptshield_streams_total", "Streamed answers by how they ended.", "outcome"),
    _histogram(
        "promptshield_holdback_seconds", "Longest time that a stream's text waited for its release.", SECONDS_BUCKETS
    ),
)  # fmt: skip
DETECTION: Final = (
    _counter(
        "promptshield_findings_total", "Findings by category, rule and stage of the chain.", "category", "rule", "stage"
    ),
    _counter("promptshield_stage_seconds_total", "Wall time of the chain's stages, both directions.", "stage"),
    _counter(
        "promptshield_segments_total",
        "Pieces of text by what became of them; reason: why a rule skipped them or nobody could look.",
        "status", "reason",
    ),
    _counter(
        "promptshield_cache_lookups_total",
        "Texts by how a stage came to know of them: local, shared (Redis), joined (somebody was asking already), miss.",
        "stage", "level",
    ),
    _counter(
        "promptshield_egress_connections_total",
        "Of the HTTP proxy for apps: connections read, untouched or refused, and clients that distrust its CA.",
        "result",
    ),
    _counter(
        "promptshield_engine_questions_total",
        "Questions to the detection engine by how they ended; of all but answered, the proxy's own chain looked.",
        "result",
    ),
    _counter(
        "promptshield_fail_open_total",
        "Exchanges that were answered although a detector had failed, because their policy says so.",
        "tenant_id",
    ),
    _counter("promptshield_judge_calls_total", "Calls of judges by how they ended.", "model", "result"),
    _counter("promptshield_judge_cost_usd_total", "What calls of judges cost, in US dollars.", "model"),
    _histogram("promptshield_judge_seconds", "Time that one call of a judge took.", _JUDGE, "model"),
    _counter(
        "promptshield_judge_shadow_total", "Rulings of judges in training beside those obeyed.", "model", "result"
    ),
)  # fmt: skip
GEN_AI: Final = (
    _histogram(
        "gen_ai_client_token_usage",
        "Tokens of one exchange, as the provider counted them.",
        _TOKENS, *_GEN_AI, "gen_ai_token_type",
    ),
    _histogram(
        "gen_ai_server_request_duration_seconds",
        "Seconds from sending to the end of the provider's answer.",
        _REQUEST, *_GEN_AI,
    ),
    _histogram(
        "gen_ai_server_time_to_first_token_seconds",
        "Seconds until the first piece of a streamed answer.",
        _FIRST, *_GEN_AI,
    ),
    _histogram(
        "gen_ai_server_time_per_output_token_seconds",
        "Seconds for each token of a streamed answer behind the first.",
        _BETWEEN, *_GEN_AI,
    ),
)  # fmt: skip
WORKERS: Final = (
    _gauge("promptshield_workers", "Workers with a recent heartbeat."),
    _gauge("promptshield_workers_configured", "Workers that there should be."),
    _counter("promptshield_worker_restarts_total", "Workers that took a fallen one's place."),
    _counter("promptshield_worker_cpu_seconds_total", "CPU time of workers, user and system."),
    _gauge("promptshield_worker_resident_bytes", "Memory of a worker, shared pages included.", "worker"),
    _gauge("promptshield_worker_open_files", "Open descriptors of a worker.", "worker"),
    _gauge("promptshield_worker_tasks", "Tasks of a worker's event loop.", "worker"),
    _histogram(
        "promptshield_event_loop_lag_seconds", "How late a worker's event loop was, asked ten times a second.",
        SECONDS_BUCKETS,
    ),
    _gauge("promptshield_in_flight_exchanges", "Exchanges that take up room, of all workers."),
    _gauge("promptshield_in_flight_limit", "Exchanges that there is room for (edge.in_flight), of all workers."),
    _gauge("promptshield_held_bytes", "Bytes of request bodies being read or held, of all workers."),
    _gauge("promptshield_limits_degraded_workers", "Workers that admit by their local share because Redis is away."),
    _counter("promptshield_metrics_lost_total", "Hand-overs of counters that were dropped because nobody took them."),
    _gauge("promptshield_build_info", "1, with the version that runs.", "version"),
)  # fmt: skip
POLICIES: Final = (
    _gauge("promptshield_policy_info", "Workers that decide by this revision of a policy.", "policy", "revision"),
    _gauge("promptshield_policy_reload_failed", "Policy files that do not load as they are now.", merge=Merge.MOST),
    _counter("promptshield_policy_reload_failures_total", "Policy files that did not load, each try of each worker."),
    _counter("promptshield_judge_reload_failures_total", "Times that changed judges did not load."),
    _counter(
        "promptshield_candidate_disagreements_total",
        "Verdicts on which a policy's candidate intends something else, by what both intend.",
        "policy", "action", "candidate",
    ),
    _gauge(
        "promptshield_exclusion_expiry_timestamp_seconds", "When the first exclusion of a policy ends.", "policy",
        merge=Merge.MOST,
    ),
)  # fmt: skip
UPSTREAMS: Final = (
    _counter("promptshield_upstream_failures_total", "Requests that an upstream did not answer.", "upstream", "kind"),
    _gauge(
        "promptshield_upstream_shut_workers", "Workers that leave an upstream alone because it kept failing.",
        "upstream",
    ),
    _gauge(
        "promptshield_certificate_expiry_timestamp_seconds", "When the data plane's own certificate ends.",
        merge=Merge.MOST,
    ),
)  # fmt: skip
# By the fields of storage.journal.shipper.ShippingCounts; gauges, for they begin anew with the process that ships.
JOURNAL: Final = (
    _gauge("promptshield_journal_interrupted", "Exchanges that never closed because their worker died."),
    _gauge("promptshield_journal_dead_letters", "Records that Postgres refused: they are in private.dead_letters."),
    _gauge("promptshield_journal_torn_segments", "Segments with a damaged part, kept as .torn in the journal folder."),
    _gauge("promptshield_journal_missing", "Decisions that lay in damaged parts of segments."),
    _gauge("promptshield_journal_file_failures", "Times that a file of the journal could not be read or removed."),
    _gauge("promptshield_journal_bytes", "Bytes of segments on the disk."),
    _gauge("promptshield_journal_limit_bytes", "Bytes that segments may take (journal.disk_limit)."),
)
# By the fields of storage.journal.courier.SinkCounts.
SINKS: Final = (
    _gauge("promptshield_journal_shipped", "Decisions that a sink took.", "sink"),
    _gauge("promptshield_journal_failures", "Attempts to write to a sink, or to read for it, that are made again.",
           "sink"),
    _gauge("promptshield_journal_refused", "Decisions that a sink would never take.", "sink"),
    _gauge(
        "promptshield_journal_lost",
        "Decisions that a sink did not get because it had fallen too far behind; Postgres has them.", "sink",
    ),
    _gauge("promptshield_journal_lag", "Decisions that wait for a sink.", "sink"),
    _gauge("promptshield_journal_lag_seconds", "How long the oldest decision has waited for a sink.", "sink"),
)  # fmt: skip
# By the fields of proxy.control.upkeep.UpkeepCounts.
UPKEEP: Final = (
    _gauge("promptshield_checkpoints", "Checkpoints of the decision chains that were signed."),
    _gauge("promptshield_checkpoint_failures",
           "Checkpoints that could not be made or published, and are tried again."),
    _gauge("promptshield_retention_failures",
           "Looks for what has expired that could not finish, and are made again."),
)  # fmt: skip
ACCESS: Final = (
    _counter("promptshield_sign_ins_total", "Sign-ins to the control plane, by what became of them.", "result"),
)
LOSSES: Final = (
    _counter("promptshield_journal_failures_total", "Decisions that could not be written to the journal."),
    _counter("promptshield_pseudonyms_lost_total", "Pseudonyms that could not be kept, or recalled, with an object."),
    _counter("promptshield_objects_unnoted_total", "Objects at providers that could not be noted."),
    _counter("promptshield_bodies_lost_total", "Bodies that were not kept because their tenant's key was away."),
    _counter("promptshield_spans_lost_total", "Spans that the tracing endpoint did not take.", "reason"),
)  # fmt: skip

METRICS: Final[Sequence[MetricName]] = (
    *DOCUMENTED, *EXCHANGES, *DETECTION, *GEN_AI, *WORKERS, *POLICIES, *UPSTREAMS, *JOURNAL, *SINKS, *UPKEEP, *ACCESS,
    *LOSSES
)  # fmt: skip
BY_NAME: Final[Mapping[str, MetricName]] = MappingProxyType({metric.name: metric for metric in METRICS})
