"""`promptshield decisions`: what is asked wrongly is refused in one line, before any database is looked for."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from proxy.cli.decisions import app


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["search", "--action", "blok"], "--action 'blok' is none of allow, flag, pseudonymise, mask, block, error"),
        (["search", "--action", "blok"], "(did you mean 'block'?)"),
        (["search", "--outcome", "blocked"], "(did you mean 'blocked_"),
        (["search", "--category", "promt_injection"], "(did you mean 'prompt_injection'?)"),
        (["search", "--from", "yesterday"], "--from 'yesterday': expected a time such as 2h, 7d"),
        (["search", "--from", "1h", "--to", "2h"], "--from is not before --to"),
        (["export", "--format", "cvs"], "--format 'cvs' is none of csv, jsonl, ocsf (did you mean 'csv'?)"),
        (["export", "--to", "2027-13-01"], "--to '2027-13-01': expected a time"),
    ],
)
def test_a_wrong_value_is_one_line_and_exit_code_2(arguments: list[str], line: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert line in done.stderr
