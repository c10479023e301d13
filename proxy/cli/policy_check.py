"""`promptshield policy check`: every problem as a compiler would tell it, and remarks on what loads but looks wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from detectors.documents import Document, read_document
from detectors.errors import ConfigurationError, PolicyError, Problem
from detectors.signature_scan import SignatureScan
from policies.layers import Library
from policies.lint import Remark, remarks
from policies.platform_file import PLATFORM, platform_file
from policies.testing import TEST_FILES, read_test_file
from proxy.app import Detection, load_detection
from proxy.cli.policy_files import SignaturesOption, load_named, own_signatures, tests_beside

_WIDEST = 160


def run(
    files: Annotated[list[Path], typer.Argument(help="Policy files, *.tests.yaml files, presets and packs.")],
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    signatures: SignaturesOption = None,
) -> None:
    """Check that policies load; print every problem with its line. Exit 0, or 1 for errors."""
    detection = load_detection()
    own = own_signatures(signatures, detection)
    errors = warnings = 0
    for file in files:
        try:
            for warning in _check(file, detection, own):
                print(warning)
                warnings += 1
        except PolicyError as exc:
            errors += len(exc.problems)
            print("\n".join(shown_error(exc)))
    if errors or warnings:
        print(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}")
    raise typer.Exit(1 if errors or (strict and warnings) else 0)


def _check(file: Path, detection: Detection, signatures: Sequence[SignatureScan]) -> Iterator[str]:
    """Raises PolicyError."""
    if file.name.endswith(TEST_FILES):
        print(f"{file}: ok ({len(read_test_file(file).tests)} tests)")
        return
    if file.name == PLATFORM:
        held = platform_file(read_document(file, PolicyError), Library(file.parent).layers)
        print(f"{file}: ok ({len(held.content.locked.keys) + len(held.content.locked.rules)} locked)")
        return
    loaded = load_named(file, detection, signatures)
    beside = read_test_file(tests_beside(file)).tests if tests_beside(file).is_file() else ()
    tests = len(loaded.tests) + len(beside)
    print(f"{file}: ok ({loaded.policy.revision}, {len(loaded.policy.rules)} rules, {tests} tests)")
    document = read_document(file, PolicyError) if file.is_file() else None
    for remark in remarks(loaded, detection.rules, datetime.now(UTC).date()):
        yield "\n".join(_shown_remark(remark, file, document))


def shown_error(error: ConfigurationError) -> Iterator[str]:
    """Yield each problem of a document with the line it stands in and a caret below the place."""
    try:
        source = Path(error.file).read_text("utf-8", "replace").splitlines()
    except OSError:
        source = []
    for problem in error.problems:
        yield f"{error.file}:{problem.line}: {problem.text}" if problem.line else f"{error.file}: {problem.text}"
        yield from _pointed_at(problem, source)


def _shown_remark(remark: Remark, file: Path, document: Document | None) -> Iterator[str]:
    problem = Problem(None, f"warning: {remark.text}")
    if document is not None and remark.rule:
        ids = [rule.get("id") for rule in document.content.get("rules", [])]
        line, column = document.place(("rules", ids.index(remark.rule), "id"))
        problem = Problem(line, problem.text, column)
    yield f"{file}:{problem.line}: {problem.text}" if problem.line else f"{file}: {problem.text}"
    if document is not None:
        yield from _pointed_at(problem, file.read_text("utf-8-sig").splitlines())


def _pointed_at(problem: Problem, source: list[str]) -> Iterator[str]:
    if problem.line is None or problem.column is None or problem.line > len(source):
        return
    line = source[problem.line - 1]
    if len(line) > _WIDEST or not line.isprintable():
        return
    yield f"    {line}"
    yield f"    {' ' * (problem.column - 1)}^"
