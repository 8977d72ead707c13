"""Certificates that are their own authority."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def of_itself(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str, since_days: int, days: int
) -> x509.CertificateBuilder:
    """A certificate of this key, to be signed with it: valid since so many days, and for so many more (or ended before)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=since_days))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
