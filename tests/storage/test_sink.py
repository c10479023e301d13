"""The `sinks:` of the settings: found by name, checked by line, and loaded only when they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from detectors.errors import SettingsError
from proxy.settings import load_settings
from storage.postgres import Database
from storage.sink import Surroundings, build_sinks
from storage.sinks.jsonl import JsonlSettings
from storage.sinks.webhook import WebhookSettings

SECRET = "whsec_" + "A" * 32


def load(folder: Path, text: str) -> object:
    file = folder / "promptshield.yaml"
    file.write_text(text)
    return load_settings(file, environment={"HOOK": SECRET, "OPENAI_API_KEY": "x"})


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as refusal:
        load(folder, text)
    return str(refusal.value).replace(str(folder) + "/", "")


def test_each_entry_has_the_keys_of_its_type(tmp_path: Path) -> None:
    file = tmp_path / "promptshield.yaml"
    file.write_text(
        "sinks:\n"
        "  - {type: jsonl, rotate: 8 MiB, keep_files: 3}\n"
        "  - {type: webhook, name: siem, url: 'https://siem.example/in', secrets: ['${HOOK}'], on: [block, mask]}\n"
    )
    jsonl, webhook = load_settings(file, environment={"HOOK": SECRET}).sinks
    assert isinstance(jsonl, JsonlSettings)
    assert (jsonl.label, jsonl.rotation.size, jsonl.rotation.files) == ("jsonl", 8 << 20, 3)
    assert isinstance(webhook, WebhookSettings)
    assert (webhook.label, webhook.secrets) == ("siem", (SECRET,))
    assert SECRET not in repr(webhook)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ("- {type: jsonl,\n     roate: 1 MiB}", "promptshield.yaml:3: unknown key 'roate' (did you mean 'rotate'?)"),
        ("- {type: jsnol}", "promptshield.yaml:2: unknown sink type 'jsnol' (did you mean 'jsonl'?); there are "),
        ("- {type: postgres}", "promptshield.yaml:2: unknown sink type 'postgres'"),
        ("- {type: _http}", "promptshield.yaml:2: unknown sink type '_http'"),
        ("- {type: [jsonl]}", "promptshield.yaml:2: unknown sink type"),
        ("- {rotate: 1 MiB}", "promptshield.yaml:2: missing key 'type'"),
        ("- jsonl", "promptshield.yaml:2: sinks.0: expected a mapping with a type"),
        ("- {type: webhook}", "promptshield.yaml:2: missing key 'url'"),
        ("- {type: syslog, host: x, transport: tpc}", "(did you mean 'tcp'?)"),
        ("- {type: jsonl, name: Postgres}", "promptshield.yaml:2: sinks.0.name"),
        ("- {type: jsonl}\n - {type: jsonl}", "two sinks are called jsonl: give each a name of its own"),
        ("- {type: jsonl, name: postgres}", "two sinks are called postgres"),
        ("- {type: jsonl, rotate: 0 B}", "promptshield.yaml:2: sinks.0.rotate"),
        ("- {type: webhook, url: 'https://x', secrets: ['${NONE}']}", "environment variable NONE is not set"),
        ("- {type: ocsf, collector: {url: 'https://x', authorisation: y}}", "(did you mean 'authorization'?)"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_right_spelling(entries: str, says: str, tmp_path: Path) -> None:
    assert says in complaint(tmp_path, f"sinks:\n {entries}\n")


def test_a_secret_that_is_wrong_is_not_quoted(tmp_path: Path) -> None:
    text = "sinks:\n - {type: webhook, url: 'https://u:hunter2@x/', secrets: ['whsec_hunter2']}\n"
    assert "hunter2" not in complaint(tmp_path, text)


def test_sinks_that_are_no_list_are_named(tmp_path: Path) -> None:
    assert complaint(tmp_path, "sinks: jsonl\n") == "promptshield.yaml:1: sinks: expected a list"
    assert "expected a list" in complaint(tmp_path, "sinks: {type: jsonl}\n")


def test_the_sink_of_record_comes_first_and_the_others_keep_their_order(tmp_path: Path) -> None:
    configured = (JsonlSettings(type="jsonl", name="b"), JsonlSettings(type="jsonl", name="a"))
    sinks = build_sinks(Surroundings(cast("Database", None), tmp_path), configured)
    assert [sink.name for sink in sinks] == ["postgres", "b", "a"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_heavy_libraries_are_loaded_by_nobody_who_only_reads_settings(tmp_path: Path) -> None:
    (tmp_path / "promptshield.yaml").write_text("sinks: [{type: s3, bucket: archive}]\n")
    script = (
        "import sys\n"
        "from proxy.cli.main import COMMANDS, GROUPS, build_app\n"
        "for name in (*COMMANDS, *GROUPS): build_app([name])\n"
        "from proxy.settings import load_settings\n"
        "assert load_settings().sinks[0].type == 's3'\n"
        "print(sorted({'pyarrow', 'aiobotocore', 'botocore'} & set(sys.modules)))\n"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, check=False
    )
    assert (ran.stdout, ran.stderr) == (b"[]\n", b"")
