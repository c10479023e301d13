"""A certificate of our own: loaded once, and again when its files change."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final, Literal

import structlog
from cryptography import x509

from detectors.errors import SettingsError
from proxy.edge_settings import MutualTlsSettings, TlsSettings
from proxy.settings import Settings

_LOG: Final = structlog.get_logger("promptshield.certificate")
Stamp = tuple[tuple[int, int, int], ...]
Side = Literal["server", "client"]
_PROTOCOLS: Final = {"server": ssl.PROTOCOL_TLS_SERVER, "client": ssl.PROTOCOL_TLS_CLIENT}


class Certificate:
    """What TLS is spoken with. New connections get what was loaded last; those that are open keep what they have.

    With an authority, the other side is held against it. One that is put in its place while we run is trusted beside
    the one before, until the next start.
    """

    def __init__(self, files: TlsSettings, side: Side = "server") -> None:
        """Load the pair. Raises SettingsError where the two cannot be read or do not fit each other."""
        self._files, self._side = files, side
        self._stamp = _stamp(files)
        self.context = _context(files, side)
        self.expires = _end_of(files.certificate)

    def refresh(self) -> None:
        """Take up changed files. A pair that does not fit leaves the old one in force, and the log says so, once."""
        try:
            stamp = _stamp(self._files)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            # Into a new one first: one that failed halfway would hold a key without its certificate.
            _context(self._files, self._side)
            _load(self._files, self.context)
            self.expires = _end_of(self._files.certificate)
        except SettingsError as exc:
            _LOG.error("certificate not loaded, the last one stays", problem=exc.problem)
            return
        _LOG.info("certificate loaded", expires=int(self.expires))


def load_certificates(settings: Settings) -> None:
    """Load each pair that workers will speak TLS with. Raises SettingsError for the first that cannot be used."""
    if settings.proxy.tls is not None:
        Certificate(settings.proxy.tls)
    if settings.engine.url and settings.engine.tls is not None:
        Certificate(settings.engine.tls, "client")


def _context(files: TlsSettings, side: Side) -> ssl.SSLContext:
    context = ssl.SSLContext(_PROTOCOLS[side])
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(files, context)
    return context


def _load(files: TlsSettings, context: ssl.SSLContext) -> None:
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as exc:  # SSLError is an OSError; neither quotes the files
        raise _problem(files.certificate, "certificate and key cannot be used", exc) from exc
    if isinstance(files, MutualTlsSettings):
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(files.authority)
        except OSError as exc:
            raise _problem(files.authority, "the authority cannot be used", exc) from exc


def _no_password() -> str:
    raise ValueError("the key is locked with a password")  # else the process would ask for it on a terminal


def _end_of(file: Path) -> float:
    """Return when the first certificate of the file ends (epoch seconds): it is the server's own."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())[0].not_valid_after_utc.timestamp()
    except (OSError, ValueError, IndexError) as exc:
        raise SettingsError(file, None, f"is no certificate: {type(exc).__name__}") from exc


def _stamp(files: TlsSettings) -> Stamp:
    parts = [files.certificate, files.key, *([files.authority] if isinstance(files, MutualTlsSettings) else [])]
    return tuple((s.st_ino, s.st_size, s.st_mtime_ns) for part in parts for s in [_looked_at(part)])


def _looked_at(part: Path) -> os.stat_result:
    try:
        return part.stat()
    except OSError as exc:
        raise _problem(part, "cannot be used", exc) from exc


def _problem(file: Path, what: str, exc: Exception) -> SettingsError:
    reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or str(exc)
    return SettingsError(file, None, f"{what}: {reason}")
