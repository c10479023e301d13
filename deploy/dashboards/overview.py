"""System overview: is it up, is it fast, what does it stop."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Dashboard, Panel, Prom, Shape

_OURS: Final = 'tenant_id=~"$tenant"'
_HELD: Final = "promptshield_holdback_seconds_bucket"
_ALL: Final = f"sum(rate(promptshield_requests_total{{{_OURS}}}[$__rate_interval]))"


def _share(outcomes: str) -> str:
    """Return the share of exchanges with these outcomes; 0 where there are some, but none of those."""
    some = f'sum(rate(promptshield_requests_total{{{_OURS},outcome=~"{outcomes}"}}[$__rate_interval]))'
    return f"({some} or vector(0)) / {_ALL}"


def _overhead(share: float) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate(promptshield_overhead_seconds_bucket[$__rate_interval])))"


OVERVIEW: Final = Dashboard(
    "ps-overview",
    "PromptShield: system overview",
    "Is it up, is it fast, and what does it stop.",
    (
        Panel(
            "Requests",
            "Exchanges a second that are over, refused ones included.",
            (Prom(_ALL),),
            "reqps",
            Shape.FIGURE,
            width=4,
        ),
        Panel(
            "Blocked",
            "Share of exchanges whose request or answer was blocked.",
            (Prom(_share("blocked_.*")),),
            "percentunit",
            Shape.FIGURE,
            "BlockRateSpike",
            4,
        ),
        Panel(
            "Failed",
            "Share of exchanges that ended in an error of the upstream or of ours.",
            (Prom(_share("upstream_error|internal_error|interrupted")),),
            "percentunit",
            Shape.FIGURE,
            "HighFailureRate",
            4,
            red_from=0.05,
        ),
        Panel(
            "Workers",
            "Workers that were heard of in the last five seconds, and how many there should be.",
            (Prom("sum(promptshield_workers)", "alive"), Prom("sum(promptshield_workers_configured)", "configured")),
            shape=Shape.FIGURE,
            runbook="WorkersMissing",
            width=4,
        ),
        Panel(
            "In flight",
            "Exchanges in progress as a share of the room for them (edge.in_flight); beyond it 429 or 503.",
            (Prom("sum(promptshield_in_flight_exchanges) / sum(promptshield_in_flight_limit)"),),
            "percentunit",
            Shape.FIGURE,
            "NearlyFull",
            4,
            red_from=0.8,
        ),
        Panel(
            "Decisions waiting",
            "Decisions in the journal that Postgres does not have yet.",
            (Prom('sum(promptshield_journal_lag{sink="postgres"})'),),
            shape=Shape.FIGURE,
            runbook="JournalLag",
            width=4,
        ),
        Panel(
            "Requests by action",
            "Exchanges a second by the heaviest thing that was done to them.",
            (
                Prom(
                    f"sum by (action) (rate(promptshield_requests_total{{{_OURS}}}[$__rate_interval]))",
                    "{{action}}",
                ),
            ),
            "reqps",
            width=12,
            decisions=True,
        ),
        Panel(
            "Requests by outcome",
            "Exchanges a second by how they ended.",
            (
                Prom(
                    f"sum by (outcome) (rate(promptshield_requests_total{{{_OURS}}}[$__rate_interval]))",
                    "{{outcome}}",
                ),
            ),
            "reqps",
            width=12,
            decisions=True,
        ),
        Panel(
            "Added latency",
            "Time that exchanges spent in PromptShield, not waiting for the upstream.",
            (Prom(_overhead(0.5), "p50"), Prom(_overhead(0.95), "p95"), Prom(_overhead(0.99), "p99")),
            "s",
            runbook="SlowProxy",
        ),
        Panel(
            "Refused before judging",
            "Requests a second that nobody judged: broken, without a key, over a limit, or no room for them.",
            (
                Prom(
                    "sum by (reason) (rate(promptshield_requests_refused_total[$__rate_interval]))",
                    "{{reason}}",
                ),
            ),
            "reqps",
            runbook="SheddingLoad",
        ),
        Panel(
            "Streams",
            "Streamed answers a second by how they ended.",
            (Prom("sum by (outcome) (rate(promptshield_streams_total[$__rate_interval]))", "{{outcome}}"),),
            "reqps",
        ),
        Panel(
            "Answered although a detector failed",
            "Exchanges that went on unchecked in part, because their policy says `failure_mode: open`.",
            (
                Prom(
                    f"sum by (tenant_id) (rate(promptshield_fail_open_total{{{_OURS}}}[$__rate_interval]))",
                    "{{tenant_id}}",
                ),
            ),
            "reqps",
            runbook="FailOpenActive",
        ),
        Panel(
            "Held back in streams",
            "Longest time that text of a stream waited until it could be released, p95 over streams.",
            (Prom(f"histogram_quantile(0.95, sum by (le) (rate({_HELD}[$__rate_interval])))"),),
            "s",
        ),
        Panel(
            "Version",
            "Instances by the version that they run.",
            (Prom("sum by (version) (promptshield_build_info)", "{{version}}"),),
            shape=Shape.TABLE,
        ),
    ),
)
