"""Decisions and policy: from a spike to the decisions behind it, and which policies decide."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Dashboard, Panel, Prom, Shape, Sql

_WITHIN: Final = "opened_at BETWEEN $__timeFrom() AND $__timeTo()"
_SHOWN: Final = (
    "SELECT opened_at AS time, id::text AS decision, tenant_id, action, outcome, category, confidence, model, status,"
    " policy_id, policy_revision FROM decisions"
)
DECISIONS: Final = Dashboard(
    "ps-decisions",
    "PromptShield: decisions and policy",
    "From a spike to the decisions behind it, and which policies decide.",
    (
        Panel(
            "Blocked decisions",
            "The newest 100 that were blocked in the time shown. `promptshield decisions show ID` tells all of one.",
            (
                Sql(
                    f"{_SHOWN} WHERE {_WITHIN} AND outcome IN ('blocked_request', 'blocked_response')"
                    " ORDER BY opened_at DESC, id DESC LIMIT 100"
                ),
            ),
            shape=Shape.TABLE,
            width=24,
        ),
        Panel(
            "All decisions",
            "The newest 100 in the time shown: a spike in another panel leads here, with its minutes as the time.",
            (Sql(f"{_SHOWN} WHERE {_WITHIN} ORDER BY opened_at DESC, id DESC LIMIT 100"),),
            shape=Shape.TABLE,
            width=24,
        ),
        Panel(
            "Rules",
            "Decisions in which a rule found something, by what was done: of the newest 10,000 with findings.",
            (
                Sql(
                    "SELECT score ->> 'rule' AS rule, score ->> 'action' AS action,"
                    " count(DISTINCT id)::bigint AS decisions,"
                    " sum((score ->> 'count')::bigint)::bigint AS findings"
                    f" FROM (SELECT id, scores FROM decisions WHERE {_WITHIN} AND scores <> '[]'::jsonb"
                    " ORDER BY opened_at DESC LIMIT 10000) AS found"
                    " CROSS JOIN LATERAL jsonb_array_elements(scores) AS score GROUP BY 1, 2"
                    " ORDER BY 3 DESC, 1, 2 LIMIT 50"
                ),
            ),
            shape=Shape.TABLE,
            width=12,
        ),
        Panel(
            "Policies that decided",
            "Decisions by policy and revision: of the newest 10,000.",
            (
                Sql(
                    "SELECT policy_id, policy_revision, mode, count(*)::bigint AS decisions,"
                    " count(*) FILTER (WHERE action <> intended_action)::bigint AS only_watched FROM (SELECT * FROM"
                    f" decisions WHERE {_WITHIN} ORDER BY opened_at DESC LIMIT 10000) AS newest"
                    " GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2"
                ),
            ),
            shape=Shape.TABLE,
            width=12,
        ),
        Panel(
            "Decided although a detector failed",
            "The newest 100 decisions that somebody did not look at.",
            (
                Sql(
                    "SELECT opened_at AS time, id::text AS decision, tenant_id, action, outcome, degraded::text"
                    " AS failed"
                    f" FROM decisions WHERE {_WITHIN} AND degraded <> '{{}}' ORDER BY opened_at DESC, id DESC LIMIT 100"
                ),
            ),
            shape=Shape.TABLE,
            runbook="FailOpenActive",
            width=12,
        ),
        Panel(
            "Revisions in force",
            "Workers by the revision of each policy that they decide by; two of one policy are a change on its way.",
            (Prom("sum by (policy, revision) (promptshield_policy_info)", "{{policy}} {{revision}}"),),
            shape=Shape.TABLE,
            width=12,
        ),
        Panel(
            "Policies that do not load",
            "Files that do not load as they are now; their last good revision stays in force.",
            (Prom("max(promptshield_policy_reload_failed)"),),
            shape=Shape.FIGURE,
            runbook="PolicyReloadFailed",
            red_from=1,
        ),
        Panel(
            "Failed reloads",
            "Tries to load a policy file that failed, each of each worker, in the time shown.",
            (Prom("sum(increase(promptshield_policy_reload_failures_total[$__range]))"),),
            shape=Shape.FIGURE,
            runbook="PolicyReloadFailed",
        ),
        Panel(
            "Exclusions that end next",
            "Until the first exclusion of each policy ends: from then on its rule acts again.",
            (Prom("min by (policy) (promptshield_exclusion_expiry_timestamp_seconds) - time()", "{{policy}}"),),
            "s",
            Shape.BARS,
            "ExclusionExpiring",
        ),
    ),
    tenants=False,
)
