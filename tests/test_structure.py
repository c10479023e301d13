"""The shape of the house: checked, so that it cannot grow crooked."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("detectors", "policies", "storage", "proxy")
LONGEST_FILE, LONGEST_FUNCTION = 300, 48
LONG_FOR_A_REASON = {"record_of"}  # one keyword argument for each column of the row
PLUG_INS = {
    "detectors/decoders": "DECODER",
    "detectors/builtin": "DETECTOR",
    "policies/actions": "ACTION",
    "proxy/providers": "CODEC",
    "proxy/hooks": "HOOK",
    "storage/sinks": "SINK",
    "proxy/control/api": "OPERATIONS",
}
# Rooms without a test file of their own, and where they are tested instead.
TESTED_ELSEWHERE = {
    "proxy/streams/held_texts.py": "tests/proxy/streams/test_streaming.py",
    "proxy/control/place.py": "tests/e2e/test_lifecycle.py",
    "detectors/builtin/credentials.py": "tests/detectors/test_signatures.py",
    "detectors/builtin/patterns.py": "tests/detectors/test_signatures.py",
    "detectors/builtin/pii.py": "tests/detectors/test_signatures.py",
    "detectors/decoders": "tests/detectors/test_views.py",
    "detectors/models/classifier_model.py": "tests/detectors/builtin/test_classifier.py",
    "detectors/models/harm_model.py": "tests/detectors/builtin/test_classifier.py",
    "detectors/models/training": "make train-quick",
    "detectors/types.py": "every test",
    "detectors/words.py": "every test",
    "detectors/utf8.py": "tests/detectors/test_matcher.py",
    "detectors/errors.py": "every test",
    "detectors/signature_detector.py": "tests/detectors/test_signatures.py",
    "detectors/batch.py": "tests/detectors/test_chain.py",
    "detectors/undecided.py": "tests/detectors/builtin/test_judge.py",
    "detectors/judges/types.py": "tests/detectors/judges",
    "detectors/judges/instructions.py": "tests/detectors/judges/test_prompt.py",
    "detectors/judges/round.py": "tests/detectors/judges/test_strategies.py",
    "policies/judging_schema.py": "tests/policies/test_judging.py",
    "proxy/judging/receipt.py": "tests/proxy/test_judging.py",
    "proxy/judging/wire.py": "tests/proxy/test_judging.py",
    "detectors/boilerplate.py": "tests/detectors/test_fingerprints.py",
    "detectors/build.py": "tests/detectors/test_signatures.py",
    "policies/actions": "tests/policies/test_engine.py",
    "policies/types.py": "tests/policies/test_engine.py",
    "policies/recorded.py": "tests/policies/test_replay.py",
    "policies/looked_for.py": "tests/policies/test_replay.py",
    "policies/schema.py": "tests/policies/test_loader.py",
    "policies/build.py": "tests/policies/test_engine.py",
    "policies/amounts.py": "tests/policies/test_quantities.py",
    "policies/references.py": "tests/policies/test_loader.py",
    "policies/webhooks.py": "tests/proxy/control/test_policy_webhooks.py",
    "policies/words.py": "tests/policies/test_engine.py",
    "policies/effects.py": "tests/policies/test_engine.py",
    "policies/rule_merge.py": "tests/policies/test_layers.py",
    "policies/rule_schema.py": "tests/policies/test_loader.py",
    "policies/rule_table.py": "tests/policies/test_matcher.py",
    "policies/schema_words.py": "tests/policies/test_loader.py",
    "policies/situation.py": "tests/policies/test_matcher.py",
    "storage/types.py": "every storage test",
    "storage/embedded": "tests/storage/test_embedded.py",
    "storage/sinks": "tests/contracts/test_sinks.py",
    "storage/archive/bucket.py": "tests/storage/archive/test_sink.py",
    "storage/archive/window.py": "tests/storage/archive/test_restore.py",
    "storage/chains/rows.py": "tests/storage/chains/test_canonical.py",
    "storage/chains/damage.py": "tests/storage/chains/test_check.py",
    "storage/login.py": "tests/e2e/test_command_line.py",
    "proxy/telemetry/metric_names.py": "tests/proxy/control/test_exposition.py",
    "proxy/telemetry/tracing_settings.py": "tests/proxy/test_settings.py",
    "proxy/codec.py": "tests/contracts/test_codecs.py",
    "proxy/upstreams/defaults.py": "tests/proxy/test_settings.py",
    "proxy/recording/record.py": "tests/proxy/test_exchange.py",
    "proxy/parts.py": "tests/e2e",
    "proxy/app.py": "tests/e2e",
    "proxy/limits/accounting.py": "tests/e2e/test_limits.py",
    "proxy/limits/assessing.py": "tests/e2e/test_limits.py",
    "proxy/limits/risk.py": "tests/e2e/test_limits.py",
    "proxy/limits/worker_limits.py": "tests/e2e/test_limits.py",
    "proxy/admission.py": "tests/e2e",
    "proxy/forward.py": "tests/e2e",
    "proxy/answering.py": "tests/e2e",
    "proxy/streams/relaying.py": "tests/e2e",
    "proxy/screening.py": "tests/e2e",
    "proxy/upstreams/reading.py": "tests/e2e",
    "proxy/providers/_rerouted.py": "tests/proxy/providers/test_models_and_preambles.py",
    "proxy/upstreams/model_list.py": "tests/e2e",
    "proxy/health.py": "tests/e2e",
    "proxy/runtime/worker.py": "tests/e2e",
    "proxy/runtime/supervisor.py": "tests/e2e",
    "proxy/cli": "tests/e2e/test_command_line.py",
    "proxy/control/plane.py": "tests/e2e",
    "proxy/control/build.py": "tests/e2e",
    "proxy/control/parts.py": "tests/e2e",
    "proxy/control/answers": "tests/proxy/control/api",
    "proxy/control/catalogue.py": "tests/proxy/control/test_operations.py",
    "proxy/control/openapi.py": "tests/proxy/control/test_conformance.py",
    "proxy/control/paging.py": "tests/proxy/control/api/test_tenants.py",
    "proxy/control/policy_desk.py": "tests/proxy/control/api/test_policies.py",
    "proxy/control/policy_trials.py": "tests/proxy/control/api/test_policies.py",
    "proxy/control/decision_words.py": "tests/proxy/control/api/test_decisions.py",
    "proxy/control/incident_notices.py": "tests/proxy/control/test_incident_watch.py",
    "proxy/control/incident_settings.py": "tests/proxy/control/test_incident_watch.py",
    "proxy/false_positives.py": "tests/proxy/control/api/test_exclusions.py",
    "proxy/recorded_traffic.py": "tests/proxy/control/api/test_policies.py",
    "storage/incidents.py": "tests/proxy/control/api/test_incidents.py",
    "storage/incident_signs.py": "tests/proxy/control/test_incident_watch.py",
    "storage/ocsf_incident.py": "tests/proxy/control/api/test_incidents.py",
    "storage/tenants/key_book.py": "tests/proxy/control/api/test_keys.py",
    "storage/tenants/tenancy.py": "tests/proxy/control/api/test_tenants.py",
    "storage/decisions/usage_reader.py": "tests/proxy/control/api/test_usage.py",
    "proxy/control/settings.py": "tests/proxy/control/access/test_conditions.py",
    "proxy/control/access/types.py": "tests/proxy/control/access/test_guard.py",
    "proxy/control/access/parts.py": "tests/proxy/control/access",
    "proxy/control/access/build.py": "tests/proxy/control/access",
    "proxy/control/access/mount.py": "tests/proxy/control/access",
    "proxy/control/access/answers.py": "tests/proxy/control/access/test_sign_in_api.py",
    "proxy/control/access/account.py": "tests/proxy/control/access/test_account_api.py",
    "proxy/control/access/common_words.py": "tests/proxy/control/access/test_passwords.py",
    "proxy/control/access/oidc_provider.py": "tests/proxy/control/access/test_oidc.py",
    "proxy/control/access/oidc_routes.py": "tests/proxy/control/access/test_oidc.py",
    "proxy/control/access/sign_in.py": "tests/proxy/control/access/test_sign_in_api.py",
    "proxy/control/access/sign_in_samples.py": "tests/e2e/test_access.py",
    "proxy/control/console/pages": "tests/proxy/control/console/test_forms.py",
    "proxy/providers": "tests/contracts/test_codecs.py",
    "proxy/hook.py": "tests/e2e/test_hooks.py",
    "proxy/hooks": "tests/e2e/test_hooks.py",
    "proxy/evaluating.py": "tests/e2e/test_hooks.py",
    "proxy/egress/mitm": "tests/egress/test_egress.py",
}


def sources() -> Iterator[Path]:
    return (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


ALL = list(sources())


def test_there_are_sources_to_check() -> None:
    assert len(ALL) > 50


def test_a_file_holds_one_idea() -> None:
    assert {name_of(file): lines for file in ALL if (lines := len(file.read_text().splitlines())) > LONGEST_FILE} == {}
    lengths = {f.name: (f.end_lineno or 0) - f.lineno + 1 for file in ALL for f in functions(parsed(file))}
    assert {name for name, length in lengths.items() if length > LONGEST_FUNCTION} <= LONG_FOR_A_REASON


def test_a_module_says_in_one_sentence_what_is_in_it() -> None:
    assert [name_of(file) for file in ALL if not ast.get_docstring(parsed(file))] == []


def test_no_import_hides_inside_a_function() -> None:
    hidden = [
        f"{name_of(file)}: {f.name}"
        for file in ALL
        for f in functions(parsed(file))
        for node in ast.walk(f)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


def test_blanket_excepts_stand_in_the_few_places_meant_for_them() -> None:
    places = {
        name_of(file)
        for file in ALL
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.type, ast.Name)
        and node.type.id in {"Exception", "BaseException"}
    }
    # Around detectors and readers of damaged archives; last lines of the handler, of mitmproxy's hooks and of a forked
    # child; the supervisor's clean-up.
    allowed = {
        "detectors/glance.py",
        "detectors/models/tenant_head.py",
        "detectors/runs.py",
        "proxy/egress/mitm/addon.py",
        "proxy/handler.py",
        "proxy/runtime/processes.py",
        "proxy/runtime/supervisor.py",
    }
    assert places - allowed == {p for p in places if p.startswith("storage/embedded")}


def test_no_module_takes_the_name_of_another_library() -> None:
    taken = set(sys.stdlib_module_names) | set(packages_distributions())
    own = {file.stem for file in ALL if file.stem not in {"__init__", "types", "main"}}
    clashes = {stem for stem in own & taken if stem not in PACKAGES}
    # Encodings, engines and sinks are called what the world calls them, and are imported by their full path only.
    assert clashes <= {"base64", "responses", "syslog", "valkey"}


@pytest.mark.parametrize(("folder", "constant"), PLUG_INS.items())
def test_every_plug_in_ends_in_its_constant(folder: str, constant: str) -> None:
    modules = [file for file in (ROOT / folder).glob("*.py") if not file.name.startswith("_")]
    assert modules
    for file in modules:
        last = parsed(file).body[-1]
        assert isinstance(last, ast.AnnAssign), name_of(file)
        assert isinstance(last.target, ast.Name)
        assert last.target.id == constant


def test_every_room_has_its_test() -> None:
    rooms = [file for file in ALL if file.name != "__init__.py" and not is_tested_elsewhere(name_of(file))]
    assert len(rooms) > 50
    assert [name_of(file) for file in rooms if not mirror_of(file).exists()] == []
    modules = [ROOT / name for name in TESTED_ELSEWHERE if name.endswith(".py")]
    assert [name_of(file) for file in modules if not file.exists() or mirror_of(file).exists()] == []


def test_every_file_beside_modules_is_part_of_the_package() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        file for package, patterns in declared.items() for each in patterns for file in (ROOT / package).glob(each)
    }
    beside = {
        file
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.*")
        if file.is_file() and file.suffix not in {".py", ".pyc", ".md"} and "training" not in file.parts
    }
    assert len(beside) > 100
    assert {name_of(file) for file in beside - packed} == set()


def test_what_is_marked_slow_stands_where_make_e2e_looks() -> None:
    marked = {
        name_of(file)
        for file in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"mark\.(?:slow|e2e)\b", file.read_text()) and file != Path(__file__)
    }
    looked_at = ("tests/e2e/", "tests/storage/", "tests/proxy/", "tests/contracts/test_sinks.py")
    assert len(marked) > 20
    assert {
        name for name in marked if not name.startswith(looked_at) or name.startswith("tests/proxy/providers/")
    } == set()


def is_tested_elsewhere(name: str) -> bool:
    return any(name == known or name.startswith(f"{known}/") for known in TESTED_ELSEWHERE)


def mirror_of(file: Path) -> Path:
    return ROOT / "tests" / file.relative_to(ROOT).parent / f"test_{file.stem.lstrip('_')}.py"
