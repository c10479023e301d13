"""`promptshield policy fmt`: policy files in their one form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detectors.errors import PolicyError
from detectors.whole_files import write_whole
from policies.formatting import formatted


def run(
    files: Annotated[list[Path], typer.Argument(help="Policy files and *.tests.yaml files.")],
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if something would change.")] = False,
) -> None:
    """Write policy files in one order, indentation and spacing; words and comments stay. Nothing else changes."""
    changed = 0
    for file in files:
        text = read_policy(file)
        written = formatted(text, file)
        if written == text:
            continue
        changed += 1
        print(f"{'would change' if check else 'formatted'} {file}")
        if not check:
            replace_policy(file, written)
    raise typer.Exit(1 if check and changed else 0)


def read_policy(file: Path) -> str:
    """Return the text of a policy file. Raises PolicyError."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise PolicyError(file, None, f"cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise PolicyError(file, None, "not UTF-8 text") from exc


def replace_policy(file: Path, text: str) -> None:
    """Put a text in a policy file's place, whole or not at all, with the rights that the file has."""
    rights = file.stat().st_mode & 0o777 if file.exists() else 0o644
    write_whole(file, text.encode(), mode=rights, synced=True)
