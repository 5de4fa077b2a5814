"""A certificate authority of a test's own, and what it vouches for."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.stack.ports import HOST

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Authority:
    """`file` is what whoever trusts it is given."""

    file: Path
    _key: ec.EllipticCurvePrivateKey
    _certificate: x509.Certificate

    @classmethod
    def make(cls, directory: Path, name: str = "authority") -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, name, key, authority=True)
        file = directory / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(_PEM))
        return cls(file, key, certificate)

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key, each in a file, for a server on this host or for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self._certificate.subject.rfc4514_string().removeprefix("CN=")
        certificate = _certificate(name, key, issuer, self._key, authority=False)
        files = self.file.with_name(f"{name}.pem"), self.file.with_name(f"{name}.key")
        files[0].write_bytes(certificate.public_bytes(_PEM))
        files[1].write_bytes(
            key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return files

    def issue_in_one(self, name: str) -> Path:
        """The same in one file, as HAProxy reads it."""
        certificate, key = self.issue(name)
        file = certificate.with_suffix(".both.pem")
        file.write_bytes(certificate.read_bytes() + key.read_bytes())
        return file


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuers_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address(HOST))
    return (
        x509.CertificateBuilder(
            named(issuer), named(name), key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuers_key, hashes.SHA256())
    )
