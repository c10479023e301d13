"""Tenant analytics: who asks how much, of which models, and what is stopped; numbers of the log beside the metrics'."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Dashboard, Panel, Prom, Shape, Sql

_OURS: Final = 'tenant_id=~"$tenant"'


def _rollups(columns: str, dimension: str, rest: str, grain: str = "hour") -> Sql:
    """Ask the rollups of one dimension; a tenant's login sees its own rows only, whatever it asks."""
    return Sql(
        f"SELECT {columns} FROM rollups"
        f" WHERE grain = '{grain}' AND dimension = '{dimension}'"
        f" AND at >= date_trunc('{grain}', $__timeFrom()::timestamptz, 'UTC') AND at <= $__timeTo()::timestamptz {rest}"
    )


_EACH: Final = "GROUP BY tenant_id ORDER BY 2 DESC, 1 LIMIT 100"
TENANTS: Final = Dashboard(
    "ps-tenants",
    "PromptShield: tenant analytics",
    "Who asks how much, of which models, and what is stopped.",
    (
        Panel(
            "Requests by tenant",
            "Exchanges a second with a valid key. Tenants beyond metrics.tenants are `other`.",
            (Prom(f"sum by (tenant_id) (rate(tenant_requests_total{{{_OURS}}}[$__rate_interval]))", "{{tenant_id}}"),),
            "reqps",
            width=12,
            decisions=True,
        ),
        Panel(
            "Blocked by tenant",
            "Share of a tenant's exchanges whose request or answer was blocked.",
            (
                Prom(
                    "sum by (tenant_id) (rate(promptshield_requests_total"
                    f'{{{_OURS},outcome=~"blocked_.*"}}[$__rate_interval]))'
                    f" / sum by (tenant_id) (rate(promptshield_requests_total{{{_OURS}}}[$__rate_interval]))",
                    "{{tenant_id}}",
                ),
            ),
            "percentunit",
            runbook="BlockRateSpike",
            width=12,
            decisions=True,
        ),
        Panel(
            "In progress by tenant",
            "Exchanges in progress.",
            (Prom(f"sum by (tenant_id) (tenant_active_connections{{{_OURS}}})", "{{tenant_id}}"),),
            runbook="NearlyFull",
        ),
        Panel(
            "Detection by tenant, p95",
            "Wall time of one detector over one body, the slowest 5 % of each tenant's.",
            (
                Prom(
                    "histogram_quantile(0.95, sum by (le, tenant_id)"
                    f" (rate(detection_duration_seconds_bucket{{{_OURS}}}[$__rate_interval])))",
                    "{{tenant_id}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Decisions by minute",
            "Decisions in the log, by minute: all, blocked, failed.",
            (
                _rollups(
                    "at AS time, sum(decisions)::bigint AS decisions, sum(blocked)::bigint AS blocked,"
                    " sum(failed)::bigint AS failed",
                    "all",
                    "GROUP BY at ORDER BY at",
                    "minute",
                ),
            ),
            decisions=True,
        ),
        Panel(
            "Decisions and tokens",
            "By tenant, over the hours shown.",
            (
                _rollups(
                    "tenant_id, sum(decisions)::bigint AS decisions, sum(blocked)::bigint AS blocked,"
                    " sum(failed)::bigint AS failed, sum(prompt_tokens)::bigint AS prompt_tokens,"
                    " sum(completion_tokens)::bigint AS completion_tokens",
                    "all",
                    _EACH,
                ),
            ),
            shape=Shape.TABLE,
            width=12,
        ),
        Panel(
            "Mean latency",
            "By tenant, over the hours shown: what was added, and what the provider took (milliseconds).",
            (
                _rollups(
                    "tenant_id, sum(decisions)::bigint AS decisions, sum(overhead_ms) / sum(decisions) AS added_ms,"
                    " sum(upstream_ms) / sum(decisions) AS provider_ms",
                    "all",
                    _EACH,
                ),
            ),
            "ms",
            Shape.TABLE,
            width=12,
        ),
        Panel(
            "Models",
            "The models asked most, over the hours shown.",
            (
                _rollups(
                    "value AS model, sum(decisions)::bigint AS decisions,"
                    " sum(prompt_tokens + completion_tokens)::bigint AS tokens",
                    "model",
                    "GROUP BY value ORDER BY 2 DESC, 1 LIMIT 20",
                ),
            ),
            shape=Shape.TABLE,
        ),
        Panel(
            "Apps",
            "Decisions by app (0: none), over the hours shown.",
            (
                _rollups(
                    "value AS app_id, sum(decisions)::bigint AS decisions, sum(blocked)::bigint AS blocked",
                    "app",
                    "GROUP BY value ORDER BY 2 DESC, 1 LIMIT 20",
                ),
            ),
            shape=Shape.TABLE,
        ),
        Panel(
            "What was found",
            "Decisions by category of the heaviest finding, over the hours shown.",
            (
                _rollups(
                    "value AS category, sum(decisions)::bigint AS decisions, sum(blocked)::bigint AS blocked",
                    "category",
                    "AND value <> '' GROUP BY value ORDER BY 2 DESC, 1",
                ),
            ),
            shape=Shape.TABLE,
        ),
    ),
)
