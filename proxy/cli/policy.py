"""`promptshield policy`: check, test and explain policies, and hold them against recorded traffic."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from detectors.types import Origin
from policies.schema import policy_schema
from policies.testing import judge_text
from policies.types import ActionName, Verdict
from proxy.app import load_detection
from proxy.cli import policy_check, policy_coverage, policy_test
from proxy.cli.policy_files import FileArgument, load_named
from proxy.processes import run_loop

app = typer.Typer(no_args_is_help=True)
app.command("check")(policy_check.run)
app.command("test")(policy_test.run)
app.command("coverage")(policy_coverage.run)


@app.command()
def explain(
    file: FileArgument,
    text: Annotated[str, typer.Option(help="The text to judge.")],
    origin: Annotated[str, typer.Option(help="user, tool, document, system, assistant ...")] = "user",
) -> None:
    """Say what a policy does with a text, and which rule asked for it."""
    detection = load_detection()
    policy = load_named(file, detection).policy
    try:
        by = Origin.parse(origin)
    except ValueError:
        raise typer.BadParameter(f"unknown origin; one of {', '.join([*Origin, 'document'])}") from None
    verdict: Verdict = run_loop(judge_text(policy, detection.chain, detection.actions, text, by))
    print(f"{policy.id}@{policy.revision} ({policy.mode}): {verdict.intended_action}")
    for item in sorted(verdict.judged, key=lambda j: -j.action.weight):
        hit = item.finding.hit
        asked = f"rule '{item.rule}'" if item.action is not ActionName.ALLOW else "no rule"
        view = "+".join(hit.transforms) or "as is"
        print(
            f"  {item.action:<6} {hit.rule_id}  {hit.category}  {hit.confidence:.2f}  {view}  ({asked}): {hit.message}"
        )
    if not verdict.judged:
        print("  nothing was found")


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    print(orjson.dumps(policy_schema(), option=orjson.OPT_INDENT_2).decode())
