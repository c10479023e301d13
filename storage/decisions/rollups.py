"""Sums over decisions by minute, hour and day, added up in the transaction that stores the decisions."""

from __future__ import annotations

from typing import Final

GRAINS: Final = ("minute", "hour", "day")
MOST_MODELS: Final = 32  # names of models counted apart in one span of a tenant; two writers at once may double it
OTHER: Final = "other"
# Upper ends (ms) of all histogram buckets but the last: 0.25 ms to 131 s, each twice the one before.
BOUNDS: Final = tuple(0.25 * 2**step for step in range(20))
BUCKETS: Final = len(BOUNDS) + 1
COUNTERS: Final = (
    "decisions", "blocked", "failed", "prompt_tokens", "completion_tokens", "cost_micros", "overhead_ms", "upstream_ms",
    "total_ms",
)  # fmt: skip
HISTOGRAMS: Final = ("overhead", "upstream", "total")

_LONGEST_MS: Final = 86_400_000.0
_MOST_TOKENS: Final = 1_000_000_000
_MOST_MICROS: Final = 1_000_000_000_000  # a million dollars
_FULL: Final = 2**31 - 1
_BOUNDS_SQL: Final = f"ARRAY[{', '.join(map(str, BOUNDS))}]::float8[]"
_GRAINS_SQL: Final = f"(VALUES {', '.join(f'({grain!r})' for grain in GRAINS)}) AS grains (grain)"


def _milliseconds(name: str) -> str:
    # A sum never forgets a NaN, and a figure out of all reason must not spoil it either.
    return f"CASE WHEN {name}_ms BETWEEN 0 AND {_LONGEST_MS} THEN {name}_ms ELSE 0 END AS {name}_ms"


def _tokens(name: str) -> str:
    # Whatever a provider reports: a rollup that overflows would make the decision itself a dead letter.
    return f"least(greatest(coalesce({name}_tokens, 0), 0), {_MOST_TOKENS}) AS {name}_tokens"


def _cost() -> str:
    # Out of a document, in which anything could stand: an error here would make the decision a dead letter.
    micros = "facts #> '{spent,micros}'"
    spent = f"least(greatest(({micros})::numeric, 0), {_MOST_MICROS})::bigint"
    return f"CASE WHEN jsonb_typeof({micros}) = 'number' THEN {spent} ELSE 0 END AS cost_micros"


def _histogram(name: str) -> str:
    # An interrupted exchange was never measured, and without an upstream there is no time of it.
    measured = "outcome <> 'interrupted'" + (" AND upstream_ms > 0" if name == "upstream" else "")
    buckets = (f"count(*) FILTER (WHERE {name}_bucket = {n} AND {measured})" for n in range(BUCKETS))
    return f"ARRAY[{', '.join(buckets)}] AS {name}"


def _summed(name: str) -> str:
    return f"ARRAY[{', '.join(f'sum({name}[{n}])::integer' for n in range(1, BUCKETS + 1))}] AS {name}"


def _added(name: str) -> str:
    # Full rather than over: an error would make the decisions dead letters.
    sums = (f"least({_FULL}, kept.{name}[{n}]::bigint + excluded.{name}[{n}])::integer" for n in range(1, BUCKETS + 1))
    return f"{name} = CASE WHEN excluded.{name} IS NOT NULL THEN ARRAY[{', '.join(sums)}] END"


# One statement over pg_temp.incoming, which holds exactly the decisions that were just inserted. Run it last before
# the commit: the rows it changes are those that every other writer wants. They are taken in the order of their keys, so
# that two writers wait for each other and never in a circle.
ADD_ROLLUPS: Final = f"""
WITH seen AS (
    SELECT tenant_id, date_trunc('minute', opened_at, 'UTC') AS minute, coalesce(app_id, 0)::text AS app,
        model, outcome, action, category, {_tokens("prompt")}, {_tokens("completion")}, {_cost()},
        {", ".join(_milliseconds(name) for name in HISTOGRAMS)},
        {", ".join(f"width_bucket({name}_ms, {_BOUNDS_SQL}) AS {name}_bucket" for name in HISTOGRAMS)}
    FROM pg_temp.incoming
), spans AS (
    SELECT grain, date_trunc(grain, minute, 'UTC') AS at, minutes.* FROM {_GRAINS_SQL} CROSS JOIN (
        SELECT tenant_id, minute, dimension, value, count(*) AS decisions,
            count(*) FILTER (WHERE outcome IN ('blocked_request', 'blocked_response')) AS blocked,
            count(*) FILTER (WHERE outcome IN ('upstream_error', 'internal_error', 'interrupted')) AS failed,
            {", ".join(f"sum({name}) AS {name}" for name in COUNTERS[3:])}
        FROM seen CROSS JOIN LATERAL (VALUES
            ('all', ''), ('app', app), ('model', model), ('outcome', outcome), ('action', action),
            ('category', category)
        ) AS dimensions (dimension, value)
        GROUP BY tenant_id, minute, dimension, value
    ) AS minutes
    -- By the minute only what graphs draw; what is ranked is ranked over hours.
    WHERE grain <> 'minute' OR dimension IN ('all', 'app')
), known AS (
    -- Lateral, so that however large the table is, each span is looked up and no other is read.
    SELECT touched.*, names.models FROM (SELECT DISTINCT grain, tenant_id, at FROM spans) AS touched
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(kept.value), '{{}}') AS models FROM public.rollups AS kept
        WHERE kept.grain = touched.grain AND kept.dimension = 'model' AND kept.tenant_id = touched.tenant_id
          AND kept.at = touched.at AND kept.value <> '{OTHER}'
    ) AS names
), models AS (
    SELECT grain, tenant_id, at, value, sum(decisions) AS decisions, cardinality(known.models) AS taken
    FROM spans JOIN known USING (grain, tenant_id, at)
    WHERE dimension = 'model' AND value <> ALL (known.models)
    GROUP BY grain, tenant_id, at, value, known.models
), crowd AS (
    SELECT grain, tenant_id, at, 'model' AS dimension, value, '{OTHER}' AS label FROM (
        SELECT *, taken + row_number() OVER (PARTITION BY grain, tenant_id, at ORDER BY decisions DESC, value) AS place
        FROM models
    ) AS placed WHERE place > {MOST_MODELS}
), times AS (
    SELECT grain, tenant_id, date_trunc(grain, minute, 'UTC') AS at, dimension, value,
        {", ".join(map(_summed, HISTOGRAMS))}
    FROM {_GRAINS_SQL} CROSS JOIN (
        SELECT tenant_id, minute, app, {", ".join(map(_histogram, HISTOGRAMS))}
        FROM seen GROUP BY tenant_id, minute, app
    ) AS minutes CROSS JOIN LATERAL (VALUES ('all', ''), ('app', app)) AS dimensions (dimension, value)
    WHERE grain <> 'minute' OR dimension = 'all'
    GROUP BY grain, tenant_id, date_trunc(grain, minute, 'UTC'), dimension, value
), added AS (
    SELECT grain, tenant_id, at, dimension, coalesce(crowd.label, value) AS value,
        {", ".join(f"sum({name}) AS {name}" for name in COUNTERS)}
    FROM spans LEFT JOIN crowd USING (grain, tenant_id, at, dimension, value)
    GROUP BY grain, tenant_id, at, dimension, coalesce(crowd.label, value)
)
INSERT INTO public.rollups AS kept (grain, tenant_id, at, dimension, value, {", ".join((*COUNTERS, *HISTOGRAMS))})
SELECT grain, tenant_id, at, dimension, value, {", ".join((*COUNTERS, *HISTOGRAMS))}
FROM added LEFT JOIN times USING (grain, tenant_id, at, dimension, value)
ORDER BY grain, dimension, tenant_id, at, value
ON CONFLICT (grain, dimension, tenant_id, at, value) DO UPDATE SET
    {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in COUNTERS)},
    {", ".join(map(_added, HISTOGRAMS))}
"""  # noqa: S608 - names and numbers of our own
