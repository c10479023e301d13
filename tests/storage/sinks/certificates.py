"""Certificates for tests: one that is its own authority, and several of one authority."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def server_context(folder: Path, host: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """Return a server's context, and the file with the authority that vouches for it."""
    authority, private = folder / "ca.pem", folder / "key.pem"
    Authority(host).write(authority, private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return context, authority


class Authority:
    """Signs certificates; its own is good for a server of its name, too."""

    def __init__(self, name: str = "authority") -> None:
        self._name, self._key = _named(name), ec.generate_private_key(ec.SECP256R1())
        self._own = _signed(self._name, self._key.public_key(), self._name, self._key, name, ca=True)

    def write(self, certificate: Path, key: Path | None = None) -> Path:
        _write(self._own, certificate, self._key if key is not None else None, key)
        return certificate

    def issue(self, certificate: Path, key: Path, host: str = "localhost") -> None:
        """Write a certificate for `host` and its key."""
        private = ec.generate_private_key(ec.SECP256R1())
        signed = _signed(_named(host), private.public_key(), self._name, self._key, host, ca=False)
        _write(signed, certificate, private, key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signed(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    host: str,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _write(
    certificate: x509.Certificate, file: Path, private: ec.EllipticCurvePrivateKey | None, key: Path | None
) -> None:
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    if private is not None and key is not None:
        form = serialization.PrivateFormat.PKCS8
        key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
