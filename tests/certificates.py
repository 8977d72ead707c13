"""Certificates, to be signed by whoever is to be their authority."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def of_itself(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str, since_days: int, days: int
) -> x509.CertificateBuilder:
    """A certificate of this key, to be signed with it: valid since so many days, and for so many more (or ended before)."""
    return of_another(key, name, name, since_days, days)


def of_another(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str, issuer: str, since_days: int, days: int
) -> x509.CertificateBuilder:
    """The same, to be signed with the issuer's key."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=since_days))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
