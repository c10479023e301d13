"""Infrastructure health: workers, the decision journal, upstreams, and what was lost."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Dashboard, Panel, Prom, Shape

_LAG: Final = "promptshield_event_loop_lag_seconds_bucket"
INFRASTRUCTURE: Final = Dashboard(
    "ps-infrastructure",
    "PromptShield: infrastructure health",
    "Workers, the decision journal, upstreams, and what was lost.",
    (
        Panel(
            "CPU of workers",
            "Cores that workers use, of all instances.",
            (Prom("sum(rate(promptshield_worker_cpu_seconds_total[$__rate_interval]))"),),
            runbook="SlowProxy",
        ),
        Panel(
            "Memory of workers",
            "Resident memory of each worker, pages shared with others included.",
            (Prom("max by (instance, worker) (promptshield_worker_resident_bytes)", "{{instance}} {{worker}}"),),
            "bytes",
        ),
        Panel(
            "Event loop lag, p99",
            "How late a worker gets back to waiting work: everybody's latency. Long texts are read beside the loop.",
            (Prom(f"histogram_quantile(0.99, sum by (le) (rate({_LAG}[$__rate_interval])))"),),
            "s",
            runbook="EventLoopLag",
            red_from=0.1,
        ),
        Panel(
            "Open files",
            "Descriptors of each worker: connections of clients and to upstreams above all.",
            (Prom("max by (instance, worker) (promptshield_worker_open_files)", "{{instance}} {{worker}}"),),
        ),
        Panel(
            "Tasks",
            "Tasks of each worker's event loop.",
            (Prom("max by (instance, worker) (promptshield_worker_tasks)", "{{instance}} {{worker}}"),),
        ),
        Panel(
            "Bodies in memory",
            "Bytes of request bodies being read or held (bound: edge.held for each worker).",
            (Prom("sum(promptshield_held_bytes)"),),
            "bytes",
            runbook="NearlyFull",
        ),
        Panel(
            "Workers replaced",
            "Workers that took a fallen one's place, in the time shown.",
            (Prom("sum(increase(promptshield_worker_restarts_total[$__range]))"),),
            shape=Shape.FIGURE,
            runbook="WorkersMissing",
            width=4,
        ),
        Panel(
            "Journal on the disk",
            "Bytes of the decision journal, as a share of journal.disk_limit.",
            (Prom("sum(promptshield_journal_bytes) / sum(promptshield_journal_limit_bytes)"),),
            "percentunit",
            Shape.FIGURE,
            "JournalFilling",
            4,
            red_from=0.5,
        ),
        Panel(
            "Oldest decision waiting",
            "How long the oldest decision has waited for each sink.",
            (Prom("max by (sink) (promptshield_journal_lag_seconds)", "{{sink}}"),),
            "s",
            runbook="JournalLag",
        ),
        Panel(
            "Decisions shipped",
            "Decisions a second that each sink took.",
            (Prom("sum by (sink) (rate(promptshield_journal_shipped[$__rate_interval]))", "{{sink}}"),),
            "ops",
        ),
        Panel(
            "Sinks that fail",
            "Attempts a second to write to a sink, or to read for it, that are made again.",
            (Prom("sum by (sink) (rate(promptshield_journal_failures[$__rate_interval]))", "{{sink}}"),),
            "ops",
            runbook="SinkFailing",
        ),
        Panel(
            "Decisions lost",
            "Since the instances began: not written to the journal, lost in damaged segments, refused by Postgres, or "
            "skipped by a sink that fell too far behind.",
            (
                Prom("sum(promptshield_journal_failures_total)", "not journaled"),
                Prom("sum(promptshield_journal_missing)", "in damaged segments"),
                Prom("sum(promptshield_journal_dead_letters)", "dead letters"),
                Prom("sum(promptshield_journal_lost)", "skipped by a sink"),
                Prom("sum(promptshield_journal_refused)", "refused by a sink"),
            ),
            shape=Shape.TABLE,
            runbook="DecisionsLost",
            red_from=1,
        ),
        Panel(
            "Other losses",
            "Since the instances began: what was not kept or handed on. Decisions are not among them.",
            (
                Prom("sum(promptshield_pseudonyms_lost_total)", "pseudonyms"),
                Prom("sum(promptshield_objects_unnoted_total)", "objects of providers"),
                Prom("sum(promptshield_bodies_lost_total)", "bodies"),
                Prom("sum(promptshield_metrics_lost_total)", "metrics"),
                Prom("sum(promptshield_spans_lost_total) or vector(0)", "spans"),
            ),
            shape=Shape.TABLE,
            runbook="DecisionsLost",
        ),
        Panel(
            "Upstream failures",
            "Requests a second that an upstream did not answer.",
            (
                Prom(
                    "sum by (upstream, kind) (rate(promptshield_upstream_failures_total[$__rate_interval]))",
                    "{{upstream}} {{kind}}",
                ),
            ),
            "ops",
            runbook="UpstreamShut",
        ),
        Panel(
            "Upstreams left alone",
            "Workers that leave an upstream alone because it kept failing.",
            (Prom("sum by (upstream) (promptshield_upstream_shut_workers)", "{{upstream}}"),),
            shape=Shape.TABLE,
            runbook="UpstreamShut",
        ),
        Panel(
            "Limits by local share",
            "Workers that admit by their local share of a limit because Valkey is away.",
            (Prom("sum(promptshield_limits_degraded_workers)"),),
            shape=Shape.FIGURE,
            runbook="LimitsDegraded",
            width=4,
        ),
        Panel(
            "Interrupted",
            "Exchanges that never closed because their worker died, since the instances began.",
            (Prom("sum(promptshield_journal_interrupted)"),),
            shape=Shape.FIGURE,
            width=4,
        ),
        Panel(
            "The log's upkeep",
            "Since the instances began: checkpoints signed, checkpoints and retention that failed and are tried again.",
            (
                Prom("sum(promptshield_checkpoints)", "checkpoints"),
                Prom("sum(promptshield_checkpoint_failures)", "checkpoints failed"),
                Prom("sum(promptshield_retention_failures)", "retention failed"),
            ),
            shape=Shape.TABLE,
            runbook="UpkeepFailing",
        ),
        Panel(
            "Certificate",
            "Until the data plane's certificate ends; nothing is shown where TLS ends elsewhere.",
            (Prom("min(promptshield_certificate_expiry_timestamp_seconds > 0) - time()"),),
            "s",
            Shape.FIGURE,
            "CertificateExpiring",
        ),
    ),
    tenants=False,
)
