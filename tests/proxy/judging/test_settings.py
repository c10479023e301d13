"""Judges in the settings: the default panel, what a file changes of it, and what the environment says."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import SettingsError
from proxy.judging.settings import JudgeSettings
from proxy.settings import Settings, load_settings


def load(tmp_path: Path, text: str = "", **environment: str) -> Settings:
    file = tmp_path / "promptshield.yaml"
    file.write_text(text or "workers: 1\n")
    return load_settings(file, environment=environment)


def judges(tmp_path: Path, text: str = "", **environment: str) -> dict[str, JudgeSettings]:
    return {judge.name: judge for judge in load(tmp_path, text, **environment).judges}


def test_the_default_panel_is_kimi_then_gemini_then_sonoma(tmp_path: Path) -> None:
    panel = sorted(judges(tmp_path).values(), key=lambda judge: judge.priority)
    assert [(judge.name, str(judge.dialect), judge.model) for judge in panel] == [
        ("moonshot-kimi-k2", "openai", "moonshotai/kimi-k2"),
        ("gemini-1.5-flash", "gemini", "gemini-1.5-flash"),
        ("sonoma-sky-alpha", "openai", "openrouter/sonoma-sky-alpha"),
    ]
    assert [judge.usable for judge in panel] == [False, False, False]


def test_keys_time_out_and_threshold_come_from_the_environment(tmp_path: Path) -> None:
    panel = judges(
        tmp_path,
        OPENROUTER_API_KEY="or-key",
        GEMINI_API_KEY="g-key",
        MODEL_TIMEOUT_SECONDS="12",
        CIRCUIT_BREAKER_THRESHOLD="3",
    )
    assert {judge.credential for judge in panel.values()} == {"or-key", "g-key"}
    assert panel["gemini-1.5-flash"].credential == "g-key"
    assert {(judge.timeout, judge.breaker.threshold, judge.usable) for judge in panel.values()} == {(12.0, 3, True)}


def test_without_an_environment_a_judge_has_thirty_seconds_and_five_failures(tmp_path: Path) -> None:
    assert {(j.timeout, j.breaker.threshold) for j in judges(tmp_path).values()} == {(30.0, 5)}


def test_a_model_that_has_aged_is_replaced_by_its_name_alone(tmp_path: Path) -> None:
    text = "judges:\n- {name: moonshot-kimi-k2, model: moonshotai/kimi-k2-0905}\n"
    (judge,) = judges(tmp_path, text, OPENROUTER_API_KEY="or-key").values()
    assert (judge.model, judge.endpoint) == ("moonshotai/kimi-k2-0905", "https://openrouter.ai/api/v1")
    assert (judge.credential, judge.price.output) == ("or-key", 2.5)


def test_a_model_on_the_premises_needs_no_credential(tmp_path: Path) -> None:
    text = "judges:\n- {name: ours, endpoint: 'http://10.0.0.7:11434/v1', model: qwen3, allow_networks: [10.0.0.0/8]}\n"
    assert judges(tmp_path, text)["ours"].usable


def test_an_empty_list_is_no_judge(tmp_path: Path) -> None:
    assert judges(tmp_path, "judges: []\n") == {}


def test_a_credential_is_not_shown(tmp_path: Path) -> None:
    assert "or-key" not in repr(load(tmp_path, OPENROUTER_API_KEY="or-key"))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: a, endpoint: 'https://a', modle: m}", "unknown key 'modle' (did you mean 'model'?)"),
        ("{name: a, model: m}", "endpoint"),
        ("{name: a, endpoint: 'ftp://a', model: m}", "http(s)"),
        ("{name: a, endpoint: 'https://u:p@a', model: m}", "without user"),
        ("{name: a, endpoint: 'https://a', model: m, timeout: 0}", "timeout"),
        ("{name: A b, endpoint: 'https://a', model: m}", "name"),
        ("{name: a, endpoint: 'https://a', model: m, dialect: claude}", "dialect"),
        ("{name: a, endpoint: 'https://a', model: m, languages: [german]}", "languages"),
        ("7", "judges"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, entry: str, problem: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, f"workers: 1\njudges:\n- {entry}\n")
    assert problem in str(error.value)
    assert "promptshield.yaml:" in str(error.value)


def test_two_judges_have_two_names(tmp_path: Path) -> None:
    one = "{name: a, endpoint: 'https://a', model: m}"
    with pytest.raises(SettingsError, match="two judges are called a"):
        load(tmp_path, f"judges:\n- {one}\n- {one}\n")


@pytest.mark.parametrize("variable", ["MODEL_TIMEOUT_SECONDS", "CIRCUIT_BREAKER_THRESHOLD"])
def test_a_variable_that_is_no_number_is_named(tmp_path: Path, variable: str) -> None:
    with pytest.raises(SettingsError, match=f"environment: {variable}"):
        load(tmp_path, **{variable: "soon"})
