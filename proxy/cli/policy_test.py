"""`promptshield policy test`: the tests of policies, inside them and beside them, and which rules they prove."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree as ET

import typer

from detectors.errors import ConfigurationError, PolicyError
from detectors.signature_scan import SignatureScan
from policies.loader import LoadedPolicy
from policies.testing import TEST_FILES, TestResult, read_test_file, run_tests, unproved_rules
from proxy.app import Detection, load_detection
from proxy.cli.policy_files import SignaturesOption, load_named, own_signatures, tests_beside
from proxy.request_reader import CodecReader
from proxy.runtime.processes import run_loop


@dataclass(frozen=True, slots=True)
class _Suite:
    """One policy's tests, and what came of them."""

    name: str
    loaded: LoadedPolicy
    results: tuple[TestResult, ...]

    @property
    def unproved(self) -> tuple[str, ...]:
        return unproved_rules(self.loaded.own_rules, self.results)


def run(
    files: Annotated[list[Path], typer.Argument(help="Policies (tests beside them count too), or *.tests.yaml files.")],
    junit: Annotated[Path | None, typer.Option(help="Write the results here, as JUnit's XML.")] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Say which rules no test proves.")] = False,
    min_coverage: Annotated[
        float | None, typer.Option(min=0, max=100, help="Fail below this share of proved rules, in percent.")
    ] = None,
    signatures: SignaturesOption = None,
) -> None:
    """Run the tests of policies through the real detection chain. A rule is proved by a test in which it decides."""
    detection = load_detection()
    own = own_signatures(signatures, detection)
    suites = [_suite(file, detection, own) for file in files]
    for suite in suites:
        _print_results(suite)
    share = _share(suites)
    if coverage or min_coverage is not None:
        for suite in suites:
            for rule in suite.unproved:
                print(f"never  {suite.name}  rule '{rule}' decides in no test")
        print(f"coverage: {share:.1f} % of {sum(len(s.loaded.own_rules) for s in suites)} rules")
    if junit is not None:
        _write(junit, junit_report(suites))
    failed = any(not result.passed for suite in suites for result in suite.results)
    short = min_coverage is not None and share < min_coverage
    if short:
        print(f"coverage is below {min_coverage:g} %")
    raise typer.Exit(1 if failed or short else 0)


def _write(file: Path, report: bytes) -> None:
    """Raises ConfigurationError."""
    try:
        file.write_bytes(report)
    except OSError as exc:
        raise ConfigurationError(file, None, f"cannot be written: {exc.strerror}") from exc


def _suite(file: Path, detection: Detection, signatures: Sequence[SignatureScan]) -> _Suite:
    """Raises PolicyError."""
    tests = list[Path]()
    if file.name.endswith(TEST_FILES):
        tests, file = [file], _policy_of(file)
    loaded = load_named(file, detection, signatures)
    if not tests and tests_beside(file).is_file():
        tests = [tests_beside(file)]
    chosen = [*loaded.tests, *(test for one in tests for test in read_test_file(one).tests)]
    reader = CodecReader(detection.codecs)
    results = run_loop(run_tests(loaded, detection.chain, detection.actions, reader, chosen))
    return _Suite(file.name if file.suffix else str(file), loaded, results)


def _policy_of(tests: Path) -> Path:
    named = read_test_file(tests).policy
    if named is None:
        return tests.with_name(f"{tests.name.removesuffix(TEST_FILES)}.yaml")
    policy = tests.parent / named
    if not policy.is_file() and "/" in named and not named.endswith(".yaml"):
        return Path(named)  # a preset or a pack
    if not policy.is_file():
        raise PolicyError(tests, None, f"there is no policy '{named}' beside it")
    return policy


def _print_results(suite: _Suite) -> None:
    for result in suite.results:
        print(f"{'ok  ' if result.passed else 'FAIL'}  {suite.name}  {result.name}")
        for problem in result.problems:
            print(f"      {problem}")
    if not suite.results:
        print(f"none  {suite.name}  has no tests")


def _share(suites: Sequence[_Suite]) -> float:
    rules = sum(len(suite.loaded.own_rules) for suite in suites)
    unproved = sum(len(suite.unproved) for suite in suites)
    return 100.0 * (rules - unproved) / rules if rules else 100.0


def junit_report(suites: Iterable[_Suite]) -> bytes:
    """Return results in the XML that build servers read: a suite for each policy, a case for each test."""
    root = ET.Element("testsuites", name="promptshield policy test")
    for suite in suites:
        failed = sum(not result.passed for result in suite.results)
        counts = {"tests": str(len(suite.results)), "failures": str(failed), "errors": "0", "skipped": "0"}
        seconds = f"{sum(result.seconds for result in suite.results):.3f}"
        node = ET.SubElement(root, "testsuite", {"name": suite.name, "time": seconds, **counts})
        for result in suite.results:
            case = ET.SubElement(node, "testcase", classname=suite.name, name=result.name, time=f"{result.seconds:.3f}")
            if result.problems:
                failure = ET.SubElement(case, "failure", message=result.problems[0], type="PolicyTest")
                failure.text = "\n".join(result.problems)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
