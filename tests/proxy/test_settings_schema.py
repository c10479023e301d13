"""The schema that editors check promptshield.yaml against: what loads is right, and a slip of the pen is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from detectors.documents import parse_document
from detectors.errors import SettingsError
from proxy.settings import load_settings
from proxy.settings_schema import settings_schema
from storage.sink import sink_types

PUBLISHED: Final = jsonschema_rs.validator_for(settings_schema())
PAGE: Final = (Path(__file__).parents[2] / "docs/operations.md").read_text()
ENVIRONMENT: Final = {"BUCKET": "decisions", "WORKERS": "2", "LEVEL": "info", "SHARE": "0.5"}


def content(text: str) -> Any:
    return parse_document(text, Path("promptshield.yaml"), SettingsError).content


@pytest.mark.parametrize(
    "text",
    [
        "workers: 2",
        "workers: ${WORKERS}",
        "workers: os.environ/WORKERS",
        "log: {level: '${LEVEL:info}', rotate: 64 MiB}",
        "tracing: {share: '${SHARE}'}",
        "edge: {held: 256 MiB, in_flight: 10}",
        "journal: {sync: machine, disk_limit: 1073741824}",
        "upstreams: [{name: a, dialect: gemini, base_url: 'https://a.example', breaker: {threshold: 3}}]",
        "control: {conditions: [{roles: tenant_admin, permissions: users:write, network: 10.0.0.0/8}]}",
        "sinks: [{type: jsonl}, {type: syslog, host: 127.0.0.1}]",
        "sinks: [{type: '${SINK:jsonl}'}]",
        "sinks: [{type: s3, bucket: '${BUCKET}', region: eu-central-1, access_key: a, secret_key: b}]",
    ],
)
def test_what_loads_is_right(text: str, tmp_path: Path) -> None:
    file = tmp_path / "promptshield.yaml"
    file.write_text(text)

    load_settings(file, environment=ENVIRONMENT)
    PUBLISHED.validate(content(text))


@pytest.mark.parametrize(
    "text",
    [
        "worker: 2",
        "workers: two",
        "workers: 0",
        "log: {level: loud}",
        "edge: {held: [1]}",
        "upstreams: [{name: a, base_url: 'https://a.example', dialect: opneai}]",
        "sinks: [{type: jsnol}]",
        "sinks: [{type: jsonl, roate: 5}]",
    ],
)
def test_what_does_not_load_is_wrong(text: str, tmp_path: Path) -> None:
    file = tmp_path / "promptshield.yaml"
    file.write_text(text)

    with pytest.raises(SettingsError):
        load_settings(file, environment=ENVIRONMENT)
    assert not PUBLISHED.is_valid(content(text))


def test_what_the_documentation_shows_is_right() -> None:
    (shown,) = re.findall(r"```yaml\n(proxy: .*?)```", PAGE, re.DOTALL)

    PUBLISHED.validate(content(shown.replace("judges: [...]", "judges: []")))


def test_every_type_of_sink_has_its_keys() -> None:
    kinds = settings_schema()["properties"]["sinks"]["items"]["anyOf"]

    assert [kind["properties"]["type"]["anyOf"][0]["enum"] for kind in kinds] == [[name] for name in sink_types()]
