"""`promptshield policy`: check, test and explain policies, and hold them against recorded traffic."""

from __future__ import annotations

import orjson
import typer

from policies.schema import policy_schema
from proxy.cli import (
    policy_check,
    policy_coverage,
    policy_diff,
    policy_explain,
    policy_fmt,
    policy_promote,
    policy_replay,
    policy_test,
    policy_versions,
)

app = typer.Typer(no_args_is_help=True)
app.command("check")(policy_check.run)
app.command("fmt")(policy_fmt.run)
app.command("test")(policy_test.run)
app.command("explain")(policy_explain.run)
app.command("diff")(policy_diff.run)
app.command("replay")(policy_replay.replay)
app.command("calibrate")(policy_replay.calibrate)
app.command("promote")(policy_promote.promote)
app.command("save")(policy_versions.save)
app.command("versions")(policy_versions.versions)
app.command("show")(policy_versions.show)
app.command("approve")(policy_versions.approve)
app.command("rollback")(policy_versions.rollback)
app.command("withdraw")(policy_versions.withdraw)
app.command("coverage")(policy_coverage.run)


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    print(orjson.dumps(policy_schema(), option=orjson.OPT_INDENT_2).decode())
