"""`promptshield`: the entry point, and errors as one line with a non-zero exit."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

import structlog
import typer

from detectors.errors import PromptShieldError
from proxy.cli import (
    archive,
    audit,
    data_keys,
    decisions,
    doctor,
    keys,
    objects,
    policy,
    scan,
    serve,
    subjects,
    tenants,
)

_HELP: Final = "An LLM firewall: serve it, test its policies, read its log."

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=_HELP)
app.command("serve")(serve.serve)
app.command("scan")(scan.scan)
app.command("doctor")(doctor.doctor)
app.add_typer(tenants.app, name="tenant", help="Tenants.")
app.add_typer(keys.app, name="key", help="API keys.")
app.add_typer(data_keys.app, name="keys", help="Keys that lock stored bodies.")
app.add_typer(policy.app, name="policy", help="Check, test and explain policies.")
app.add_typer(decisions.app, name="decisions", help="Read the decision log.")
app.add_typer(audit.app, name="audit", help="Prove that the decision log is what was written.")
app.add_typer(subjects.app, name="subject", help="What the decision log holds about a person.")
app.add_typer(objects.app, name="objects", help="Objects at providers that requests may lean on.")
app.add_typer(archive.app, name="archive", help="Bring decisions back from a bucket.")


def main() -> None:
    """Run the command line. Exit 0, 1 for a failure we can name, 2 for wrong usage, 130 for Ctrl-C."""
    _log_json()
    try:
        app()
    except PromptShieldError as exc:
        print(f"promptshield: {exc}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away; Python would complain once more while flushing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _log_json() -> None:
    """One JSON object a line on standard error; what a library logs goes the same way, from warnings up."""
    logging.basicConfig(level=logging.WARNING, format='{"level":"warning","logger":"%(name)s","event":"%(message)s"}')
    # aiohttp logs each broken request with a traceback that quotes it.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
