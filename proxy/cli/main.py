"""`promptshield`: the entry point, and errors as one line with a non-zero exit."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Final

import typer

from detectors.errors import PromptShieldError, UnknownTenantError
from proxy.runtime.signals import keep_signals
from proxy.telemetry.logs import LogSettings, configure_logs

_HELP: Final = "An LLM firewall: serve it, test its policies, read its log."
# Modules of this folder and what they offer: a command of the module's own name, or `app`, a group of commands.
COMMANDS: Final = {
    "serve": "Run the firewall until Ctrl-C or SIGTERM.",
    "engine": "Serve detection to proxies that leave it to a process of its own.",
    "egress": "Run mitmproxy in front of the running firewall, for apps that know only HTTPS_PROXY.",
    "scan": "Judge JSON lines, or one text, without a server.",
    "doctor": "Check every part and say what to do.",
}
GROUPS: Final = {
    "tenant": ("tenants", "Tenants."),
    "admin": ("admins", "Who may sign in to the control plane."),
    "config": ("configuration", "Check promptshield.yaml; its schema for editors."),
    "judge": ("judge", "The language models that judge."),
    "key": ("keys", "API keys."),
    "keys": ("data_keys", "Keys that lock stored bodies."),
    "policy": ("policy", "Check, test and explain policies."),
    "attacks": ("attacks", "Attacks that the operator knows."),
    "model": ("model", "Tenants' own heads on the linear model."),
    "signatures": ("signatures", "Check, test, list, count and sign signatures."),
    "webhook": ("webhook", "What the webhooks of policies are signed with."),
    "review": ("reviews", "What policies stopped and a person is to look at."),
    "decisions": ("decisions", "Read the decision log."),
    "audit": ("audit", "Prove that the decision log is what was written."),
    "subject": ("subjects", "What the decision log holds about a person."),
    "objects": ("objects", "Objects at providers that requests may lean on."),
    "archive": ("archive", "Bring decisions back from a bucket."),
}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Commands of groups that need far more than the rest of their group: the module, and what of it.
_APART: Final = {
    ("decisions", "mark-fp"): ("false_positives", "mark_fp"),
    ("decisions", "label"): ("labels", "label"),
}


def main() -> None:
    """Run the command line.

    Exit 0, 1 for a failure we can name, 2 for wrong usage or an unknown tenant, 130 for Ctrl-C.
    """
    _fill_standard_streams()
    configure_logs(LogSettings())
    if _wanted(sys.argv[1:]) == "serve":
        keep_signals()  # before anything is loaded that starts threads
    try:
        try:
            build_app(sys.argv[1:])()
        finally:
            sys.stdout.flush()  # while there is somebody to tell what could not be written
    except PromptShieldError as exc:
        print(f"promptshield: {exc}", file=sys.stderr)
        sys.exit(2 if isinstance(exc, UnknownTenantError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _forget_output()  # its reader went away
        sys.exit(141)
    except OSError as exc:
        if exc.errno not in _FULL:
            raise
        _forget_output()
        print(f"promptshield: not all could be written: {exc.strerror}", file=sys.stderr)
        sys.exit(1)


def _fill_standard_streams() -> None:
    """Open what a caller has closed: the next file or connection would take its number, and not give it back."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # has the lowest number that is free
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


def _forget_output() -> None:
    """Let Python not complain once more of what it cannot write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_app(words: Sequence[str]) -> typer.Typer:
    """Return the command that these words name; where they name none, what is only a list of them all.

    What a command needs is loaded with it, and the whole firewall takes a second to load.
    """
    wanted = _wanted(words)
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=_HELP)
    app.callback()(_nothing)  # with one command alone there would be no name to call it by
    if wanted in COMMANDS:
        app.command(wanted)(getattr(import_module(f"proxy.cli.{wanted}"), wanted))
    elif wanted in GROUPS:
        module, help_text = GROUPS[wanted]
        group: typer.Typer = import_module(f"proxy.cli.{module}").app
        _add_apart(group, wanted, words)
        app.add_typer(group, name=wanted, help=help_text)
    else:
        _add_names(app)
    return app


def _wanted(words: Sequence[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _add_names(app: typer.Typer) -> None:
    """Add what is told of commands and groups without one of them: for a list of them, and for "did you mean"."""
    for name, help_text in COMMANDS.items():
        app.command(name, help=help_text)(_nothing)
    for name, (_, help_text) in GROUPS.items():
        app.add_typer(typer.Typer(), name=name, help=help_text)


def _add_apart(group: typer.Typer, name: str, words: Sequence[str]) -> None:
    """Add those commands of a group that are asked for, or all of them where its commands are to be listed."""
    listed = len(words) < 2 or words[1].startswith("-")
    for (of, command), (module, function) in _APART.items():
        if of == name and (listed or words[1] == command):
            group.command(command)(getattr(import_module(f"proxy.cli.{module}"), function))


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"promptshield {version('promptshield')}")
        raise typer.Exit


def _nothing(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Do nothing before a command."""
