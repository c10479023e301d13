"""Detection and AI models: who finds what, how long they take, and what nobody looked at."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Dashboard, Panel, Prom, Shape

_OURS: Final = 'tenant_id=~"$tenant"'
_RUNS: Final = f"detection_requests_total{{{_OURS}}}"
_ERRORS: Final = f'detection_requests_total{{{_OURS},result="error"}}'
_MODEL: Final = "gen_ai_request_model"


def _quantile(share: float, metric: str, by: str, where: str = "") -> str:
    rate = f"rate({metric}_bucket{where}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le, {by}) ({rate}))"


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


_READ: Final = 'promptshield_segments_total{status=~"scanned|cached"}'
DETECTION: Final = Dashboard(
    "ps-detection",
    "PromptShield: detection and AI models",
    "Who finds what, how long they take, and what nobody looked at.",
    (
        Panel(
            "Results by detector",
            "Runs a second by detector or judge, and by the heaviest action that its findings got.",
            (Prom(_rate(_RUNS, "model, result"), "{{model}} {{result}}"),),
            "reqps",
            width=12,
            decisions=True,
        ),
        Panel(
            "Detector errors",
            "Share of a detector's runs in which it could not look.",
            (
                Prom(
                    f"{_rate(_ERRORS, 'model')} / {_rate(_RUNS, 'model')} or {_rate(_RUNS, 'model')} * 0",
                    "{{model}}",
                ),
            ),
            "percentunit",
            runbook="HighDetectionErrorRate",
            width=12,
            red_from=0.05,
        ),
        Panel(
            "Time of a run, p95",
            "Wall time of one detector over one body.",
            (Prom(_quantile(0.95, "detection_duration_seconds", "model", f"{{{_OURS}}}"), "{{model}}"),),
            "s",
        ),
        Panel(
            "Time of a run, mean",
            "Wall time of one detector over one body.",
            (
                Prom(
                    f"{_rate(f'detection_duration_seconds_sum{{{_OURS}}}', 'model')}"
                    f" / {_rate(f'detection_duration_seconds_count{{{_OURS}}}', 'model')}",
                    "{{model}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Seconds by stage",
            "Wall time that the chain's stages take in each second, over all exchanges: cheap stages first.",
            (Prom(_rate("promptshield_stage_seconds_total", "stage"), "{{stage}}"),),
            "s",
        ),
        Panel(
            "Confidence, median",
            "Median of the highest confidence of detectors that found something.",
            (Prom(_quantile(0.5, "detection_confidence_histogram", "model", f"{{{_OURS}}}"), "{{model}}"),),
            "percentunit",
        ),
        Panel(
            "Findings by category",
            "Findings a second.",
            (Prom(_rate("promptshield_findings_total", "category"), "{{category}}"),),
            "ops",
            decisions=True,
        ),
        Panel(
            "Busiest rules",
            "Findings of the ten rules that found most, in the time shown.",
            (Prom("topk(10, sum by (rule) (increase(promptshield_findings_total[$__range])))", "{{rule}}"),),
            shape=Shape.BARS,
        ),
        Panel(
            "Texts nobody could look at",
            "Pieces of text a second by reason; what happens to them is the policy's `unscanned`.",
            (Prom(_rate('promptshield_segments_total{status="unscannable"}', "reason"), "{{reason}}"),),
            "ops",
            runbook="UnscannedParts",
        ),
        Panel(
            "Known from the cache",
            "Share of pieces of text whose findings were known from an earlier exchange.",
            (
                Prom(
                    'sum(rate(promptshield_segments_total{status="cached"}[$__rate_interval]))'
                    f" / sum(rate({_READ}[$__rate_interval]))"
                ),
            ),
            "percentunit",
            Shape.FIGURE,
            width=4,
        ),
        Panel(
            "Judges' breakers",
            "State of each judge's circuit breaker.",
            (Prom("sum by (model, state) (circuit_breaker_state) == 1", "{{model}} {{state}}"),),
            shape=Shape.TABLE,
            runbook="CircuitBreakerOpen",
            width=4,
        ),
        Panel(
            "Judges' failures",
            "Failures a second that breakers counted.",
            (Prom(_rate("circuit_breaker_failures_total", "model"), "{{model}}"),),
            "ops",
            runbook="CircuitBreakerOpen",
        ),
        Panel(
            "What judges cost",
            "US dollars in the time shown.",
            (Prom("sum by (model) (increase(promptshield_judge_cost_usd_total[$__range]))", "{{model}}"),),
            "currencyUSD",
            runbook="JudgeBudget",
        ),
        Panel(
            "Tokens",
            "Tokens a second by model, as the provider counts them.",
            (
                Prom(
                    _rate("gen_ai_client_token_usage_sum", f"{_MODEL}, gen_ai_token_type"),
                    f"{{{{{_MODEL}}}}} {{{{gen_ai_token_type}}}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Provider, p95",
            "From sending to the end of the provider's answer.",
            (Prom(_quantile(0.95, "gen_ai_server_request_duration_seconds", _MODEL), f"{{{{{_MODEL}}}}}"),),
            "s",
        ),
        Panel(
            "First token, p95",
            "Until the first piece of a streamed answer.",
            (Prom(_quantile(0.95, "gen_ai_server_time_to_first_token_seconds", _MODEL), f"{{{{{_MODEL}}}}}"),),
            "s",
        ),
        Panel(
            "Each further token, median",
            "Time for each token of a streamed answer behind the first.",
            (Prom(_quantile(0.5, "gen_ai_server_time_per_output_token_seconds", _MODEL), f"{{{{{_MODEL}}}}}"),),
            "s",
        ),
    ),
)
