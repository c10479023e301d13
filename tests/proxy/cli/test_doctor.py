"""What `promptshield doctor` says of what is not well; of a healthy installation it is asked where one runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from proxy.app import Detection, load_detection
from proxy.cli import doctor

NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def detection() -> Detection:
    return load_detection()


@pytest.fixture
def said(tmp_path: Path, detection: Detection, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of an installation in which nothing is right that can be wrong."""
    signatures, heads = tmp_path / "signatures" / "acme", tmp_path / "heads" / "7"
    for folder in (signatures, heads):
        folder.mkdir(parents=True)
    (signatures / "falcon.yaml").write_text("id: PS-XX-1\npattern: '('\n")
    (heads / "1.npz").write_bytes(b"no archive")
    monkeypatch.setattr(doctor, "load_detection", lambda: detection)
    for name, value in (
        ("DATABASE_URL", f"postgresql://nobody@{NOBODY}/none"),
        ("REDIS_URL", f"redis://{NOBODY}/0"),
        ("DETECTION_ENGINE_URL", f"http://{NOBODY}"),
    ):
        monkeypatch.setenv(name, value)
    config = tmp_path / "promptshield.yaml"
    config.write_text("proxy: {host: '::1', port: 1}\n")
    app = typer.Typer()
    app.command()(doctor.doctor)
    done = CliRunner().invoke(app, ["--data", str(tmp_path), "--config", str(config)])
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    return done.output


@pytest.mark.parametrize(
    "part", ["signatures   acme: ", "heads        of tenant 7: ", "redis        ", "database     "]
)
def test_what_is_broken_fails_and_the_rest_is_looked_at(said: str, part: str) -> None:
    assert f"FAIL  {part}" in said
    assert "ok    detection" in said
    assert "ok    proxy        ::1:1 is free" in said
    assert f"warn  engine       http://{NOBODY} nobody is there: the proxy reads by itself" in said
