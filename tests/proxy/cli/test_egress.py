"""What the egress proxy is told of the data plane."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from detectors.errors import SettingsError
from proxy.cli.egress import _told
from proxy.settings import Settings, load_settings


def settings(folder: Path, listener: str) -> Settings:
    (folder / "own.yaml").write_text(f"proxy: {listener}\n")
    return load_settings(folder / "own.yaml", data=folder)


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:8123"), ("'::1'", "http://[::1]:8123")])
def test_the_data_plane_is_where_the_settings_say(tmp_path: Path, host: str, url: str) -> None:
    told = orjson.loads(_told(settings(tmp_path, f"{{host: {host}, port: 8123}}"), ""))
    assert told["plane"] == url


def test_a_data_plane_with_tls_is_refused_in_words_and_never_asked_in_the_clear(tmp_path: Path) -> None:
    with_tls = settings(tmp_path, "{port: 8443, tls: {certificate: a.pem, key: b.pem}}")
    for plane in ("", "https://plane.example:8443"):
        with pytest.raises(SettingsError, match=r":8443 speaks TLS.*--proxy"):
            _told(with_tls, plane)
    assert orjson.loads(_told(with_tls, "http://127.0.0.1:8123"))["plane"] == "http://127.0.0.1:8123"
