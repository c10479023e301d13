"""The data plane's certificate: read, taken up when its files change, and kept where the new ones are no pair."""

from __future__ import annotations

import shutil
import ssl
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from detectors.errors import SettingsError
from proxy.certificate import Certificate, load_certificates
from proxy.edge_settings import MutualTlsSettings, TlsSettings
from proxy.settings import Settings
from tests.storage.sinks.certificates import server_context


@pytest.fixture
def files(tmp_path: Path) -> TlsSettings:
    server_context(tmp_path)
    return TlsSettings(certificate=tmp_path / "ca.pem", key=tmp_path / "key.pem")


def served(certificate: Certificate) -> bytes:
    """Return the certificate that a client is shown, without a socket."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = theirs.wrap_bio(to_client, to_server)
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert(binary_form=True) or b""


def test_a_certificate_says_when_it_ends(files: TlsSettings) -> None:
    assert 23 * 3600 < Certificate(files).expires - time.time() < 25 * 3600


def test_a_new_pair_is_shown_to_new_connections(files: TlsSettings, tmp_path: Path) -> None:
    certificate = Certificate(files)
    before = served(certificate)
    certificate.refresh()
    assert served(certificate) == before

    server_context(tmp_path)
    certificate.refresh()
    assert served(certificate) not in {before, b""}


def test_files_that_are_no_pair_leave_the_old_one_and_are_told_once(files: TlsSettings, tmp_path: Path) -> None:
    certificate = Certificate(files)
    before = served(certificate)
    (tmp_path / "new").mkdir()
    server_context(tmp_path / "new")
    shutil.copyfile(tmp_path / "new" / "ca.pem", files.certificate)
    with capture_logs() as logs:
        certificate.refresh()
        certificate.refresh()

    assert [entry["event"] for entry in logs] == ["certificate not loaded, the last one stays"]
    assert served(certificate) == before


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_what_is_no_certificate_stops_a_start(files: TlsSettings, content: bytes) -> None:
    files.certificate.write_bytes(content)
    with pytest.raises(SettingsError, match=r"ca\.pem"):
        Certificate(files)


def test_all_pairs_that_workers_speak_with_are_looked_at(files: TlsSettings, tmp_path: Path) -> None:
    mine = {"certificate": files.certificate, "key": files.key}
    engine = {"url": "https://127.0.0.1:9", "tls": MutualTlsSettings(**mine, authority=files.certificate)}
    load_certificates(Settings.model_validate({"proxy": {"tls": files}, "engine": engine}))

    with pytest.raises(SettingsError, match="nothing: cannot be used"):
        load_certificates(Settings.model_validate({"proxy": {"tls": {**mine, "key": tmp_path / "nothing"}}}))
    missing = MutualTlsSettings(**mine, authority=tmp_path / "nothing")
    with pytest.raises(SettingsError, match="nothing: cannot be used"):
        load_certificates(Settings.model_validate({"engine": {**engine, "tls": missing}}))
