"""`promptshield.yaml` and the environment: good defaults, clear complaints, and no secret in sight."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from detectors.errors import SettingsError
from proxy.settings import Settings, load_settings
from proxy.upstreams.upstream import Upstreams

Load = Callable[..., Settings]
UPSTREAM = "upstreams:\n  - {{name: local, base_url: '{}'}}\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load settings from a text with an environment of its own."""
    monkeypatch.chdir(tmp_path)

    def load(text: str, data: Path | None = None, **environment: str) -> Settings:
        file = Path("promptshield.yaml")
        file.write_text(text)
        return load_settings(file, data=data, environment=environment)

    return load


def complaint(load: Load, text: str, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(text, **environment)
    return str(caught.value)


def test_without_a_file_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environment={})

    assert (settings.proxy.host, settings.proxy.port, settings.control.port) == ("127.0.0.1", 8000, 8001)
    assert (settings.data, settings.upstreams, settings.redis_url) == (Path(".promptshield"), (), "")
    assert settings.policies_folder == Path(".promptshield/policies")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "none.yaml", environment={})


def test_one_key_of_a_section_leaves_the_others_at_their_defaults(load: Load) -> None:
    settings = load("proxy: {host: 0.0.0.0}\ncontrol: {host: '::1'}\njournal: {disk_limit: 8 MiB}\n")

    assert (settings.proxy.port, settings.control.port, settings.journal.disk_limit) == (8000, 8001, 8 << 20)


@pytest.mark.parametrize(
    "reference", ["${NAME}", "os.environ/NAME", "${NAME:other}", "${OTHER:value}", "val${EMPTY:}ue"]
)
def test_a_value_can_come_from_the_environment(load: Load, reference: str) -> None:
    assert str(load(f"policies: '{reference}'", NAME="value").policies) == "value"


def test_references_reach_into_lists_and_become_numbers_where_numbers_are_due(load: Load) -> None:
    settings = load("proxy: {port: '${PORT:9000}'}\n" + UPSTREAM.format("http://${HOST}:${P}/v1"), HOST="h", P="1")

    assert settings.proxy.port == 9000
    assert settings.upstreams[0].base_url == "http://h:1/v1"


def test_what_the_environment_says_is_not_read_again(load: Load) -> None:
    assert str(load("policies: ${A}", A="${B}", B="x").policies) == "${B}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker: 3", "promptshield.yaml:1: unknown key 'worker' (did you mean 'workers'?)"),
        ("proxy:\n  hots: x", "promptshield.yaml:2: unknown key 'hots' (did you mean 'host'?)"),
        ("data: x\nworkers: many", "promptshield.yaml:2: workers: expected a whole number"),
        ("workers: 0", "promptshield.yaml:1: workers: expected 1 or more"),
        ("proxy: {port: 99999}", "promptshield.yaml:1: proxy.port: expected 65535 or less"),
        ("redis_url: ${NOPE}", "promptshield.yaml:1: environment variable NOPE is not set (or write ${NOPE:default})"),
        ("\nredis_url: ${A-b}", "promptshield.yaml:2: write ${NAME} or ${NAME:default}"),
        ("redis_url: '${A'", "promptshield.yaml:1: write ${NAME} or ${NAME:default}"),
        ("journal: {sync: disk}", "promptshield.yaml:1: journal.sync: expected 'process' or 'machine'"),
        ("journal: {disk_limit: much}", "promptshield.yaml:1: journal.disk_limit: expected a size such as 64 KiB"),
        ("upstreams:\n  - {name: A, base_url: 'http://h'}", "promptshield.yaml:2: upstreams.0.name: "),
        ("upstreams:\n  - {base_url: 'http://h'}", "promptshield.yaml:2: missing key 'name'"),
        ("upstreams: [{name: a, base_url: 'http://h', dialect: x}]", "promptshield.yaml:1: upstreams.0.dialect: "),
        ("upstreams: 5", "promptshield.yaml:1: upstreams: "),
        ("[1, 2]", "promptshield.yaml:1: expected a mapping"),
        ("a: [", "promptshield.yaml:2: "),
        ("workers: 1\nworkers: 2", "promptshield.yaml:2: "),
    ],
)  # fmt: skip
def test_a_complaint_names_file_line_key_and_the_nearest_spelling(load: Load, text: str, said: str) -> None:
    assert complaint(load, text).startswith(said)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h", "h/v1", "http://", "http://user@h", "http://:pass@h", "http://h?key=x", "http://h/#x",
        "http://h:99999", "http://h:0", "http://h:x", "unix:/run/x",
    ],
)  # fmt: skip
def test_an_upstreams_address_is_plain_http(load: Load, url: str) -> None:
    assert complaint(load, UPSTREAM.format(url)).startswith("promptshield.yaml:2: upstreams.0.base_url: ")


def test_two_upstreams_cannot_have_one_name(load: Load) -> None:
    text = "upstreams:\n" + "  - {name: a, base_url: 'http://h'}\n" * 2

    assert complaint(load, text) == "promptshield.yaml:2: upstreams: two upstreams are called a"


def test_the_documented_environment_names_win_over_the_file(load: Load, tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://d", "DATABASE_OWNER_URL": "postgres://o", "REDIS_URL": "rediss://r"}
    environment = {**given, "NUM_WORKERS": "3", "DATABASE_READ_URL": "postgresql://replica"}
    text = "database_url: postgresql://x\nredis_url: redis://y\nworkers: 9\ndata: z"
    settings = load(text, **environment, PROMPTSHIELD_DATA="/here")

    assert [settings.database_url, settings.database_owner_url, settings.redis_url] == [*given.values()]
    assert (settings.workers, settings.data) == (3, Path("/here"))
    assert settings.database_read_url == "postgresql://replica"
    assert load("data: z", data=tmp_path, PROMPTSHIELD_DATA="/here").data == tmp_path


def test_a_redis_given_in_parts_becomes_an_address_with_its_password_escaped(load: Load) -> None:
    assert load("", REDIS_HOST="h").redis_url == "redis://h:6379/0"
    settings = load("", REDIS_HOST="h", REDIS_PORT="7000", REDIS_PASSWORD="p@ss/w:rd#")
    assert settings.redis_url == "redis://:p%40ss%2Fw%3Ard%23@h:7000/0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redis_url: localhost:6379", "promptshield.yaml:1: redis_url: must begin with one of redis://"),
        ("database_url: mysql://x", "promptshield.yaml:1: database_url: must begin with postgresql://"),
        ("proxy: {port: 8001}", "proxy and control both want 127.0.0.1:8001"),
    ],
)
def test_what_could_never_start_is_told(load: Load, text: str, said: str) -> None:
    assert said in complaint(load, text)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"NUM_WORKERS": "many"}, "environment: workers: expected a whole number"),
        ({"OPENAI_API_KEY": "k", "OPENAI_API_BASE": "h:1"}, "environment: upstreams.0.base_url: expected http"),
        ({"PROMPTSHIELD_MASTER_KEY": "sk-1234"}, "environment: PROMPTSHIELD_MASTER_KEY is too weak"),
        ({"PROMPTSHIELD_MASTER_KEY": "a" * 40}, "environment: PROMPTSHIELD_MASTER_KEY is too weak"),
        ({"PROMPTSHIELD_MASTER_KEY": ""}, "environment: PROMPTSHIELD_MASTER_KEY is too weak"),
    ],
)
def test_an_error_of_the_environment_is_told_as_such(load: Load, environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load("workers: 2", **environment)

    assert str(caught.value).startswith(said)
    assert "sk-1234" not in str(caught.value)


def test_whoever_has_a_credential_serves_when_the_file_names_nobody(load: Load) -> None:
    both = Upstreams(load("", OPENAI_API_KEY="a", OPENROUTER_API_KEY="b").upstreams)
    elsewhere = load("", OPENAI_API_KEY="a", OPENAI_API_BASE="http://h/v1/").upstreams[0]
    default = load("", OPENAI_API_KEY="a", OPENAI_API_BASE="").upstreams[0]

    assert [both.serving("openai", model)[0].name for model in ("gpt-4o", "meta/llama")] == [
        "openai",
        "openrouter",
    ]
    assert (elsewhere.base_url, default.base_url) == ("http://h/v1", "https://api.openai.com/v1")
    assert load(UPSTREAM.format("http://h"), OPENAI_API_KEY="a").upstreams[0].name == "local"


def test_secrets_are_not_shown(load: Load) -> None:
    text = "upstreams:\n  - {name: a, base_url: 'http://h', credential: hidden-1}\n"
    settings = load(
        text,
        DATABASE_URL="postgresql://hidden-2",
        REDIS_URL="redis://hidden-3",
        DATABASE_OWNER_URL="postgres://hidden-4",
    )

    assert "hidden" not in repr(settings) + str(settings)
    assert "hidden" not in complaint(load, text + "worker: 1", DATABASE_URL="postgresql://hidden-2")
    assert "hidden" not in complaint(load, text, DATABASE_URL="hidden-2")


def test_every_section_refuses_keys_it_does_not_know() -> None:
    sections = [Settings, *(f.annotation for f in Settings.model_fields.values() if isinstance(f.annotation, type))]
    models = [section for section in sections if isinstance(section, type) and issubclass(section, BaseModel)]

    assert len(models) > 5
    assert all(model.model_config.get("extra") == "forbid" for model in models)


def test_the_threshold_of_breakers_comes_from_the_environment_unless_the_file_names_one(tmp_path: Path) -> None:
    file = tmp_path / "promptshield.yaml"
    file.write_text(
        "upstreams:\n- {name: a, base_url: 'http://h'}\n- {name: b, base_url: 'http://h', breaker: {threshold: 9}}\n"
    )
    settings = load_settings(file, environment={"CIRCUIT_BREAKER_THRESHOLD": "2"})
    assert [upstream.breaker.threshold for upstream in settings.upstreams] == [2, 9]
    (default,) = load_settings(environment={"CIRCUIT_BREAKER_THRESHOLD": "3", "OPENAI_API_KEY": "k"}).upstreams
    assert default.breaker.threshold == 3
    with pytest.raises(SettingsError, match="THRESHOLD"):
        load_settings(environment={"CIRCUIT_BREAKER_THRESHOLD": "many", "OPENAI_API_KEY": "k"})
