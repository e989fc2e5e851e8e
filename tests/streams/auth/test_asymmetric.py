"""Signatures by public keys, beside those of PyJWT."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import jwt
import pytest
from cryptography.hazmat import primitives
from cryptography.hazmat.primitives import serialization  # noqa: F401 - it is taken away

from streams.auth.asymmetric import (
    P256_BYTES,
    SERIALIZATION,
    algorithm_of,
    import_primitives,
    public_key_of,
    signing,
    verifying,
)
from tests.streams.auth.issuer import private

ALGORITHMS = ("RS256", "ES256", "EdDSA")
MESSAGE = b"header.payload"


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_is_signed_here_pyjwt_verifies_and_the_other_way_round(name: str):
    key = private(name)
    theirs, public = jwt.get_algorithm_by_name(name), key.public_key()
    assert algorithm_of(key) == algorithm_of(public) == name
    signature = signing(key, name)(MESSAGE)
    assert theirs.verify(MESSAGE, public, signature)
    verify = verifying(public, name)
    assert verify(MESSAGE, theirs.sign(MESSAGE, key))
    assert verify(MESSAGE, signature)
    for other in (b"", b"x", signature[:-1], signature + b"\0", bytes(len(signature))):
        assert not verify(MESSAGE, other)
    assert not verify(MESSAGE + b".", signature)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_public_key_of_reads_what_pyjwt_writes(name: str):
    public = private(name).public_key()
    written: Any = jwt.get_algorithm_by_name(name).to_jwk(public)
    assert public_key_of(json.loads(written), name) == public


@pytest.mark.parametrize(
    ("jwk", "name"),
    [
        *(({}, name) for name in ALGORITHMS),
        ({"e": "AQAB", "n": "AQAB"}, "RS256"),
        ({"e": "AQAB", "n": "no base64"}, "RS256"),
        ({"e": 65537, "n": "AQAB"}, "RS256"),
        ({"x": "AQAB", "y": "AQAB"}, "ES256"),
        ({"x": "AQAB"}, "EdDSA"),
    ],
)
def test_public_key_of_what_is_none(jwk: dict[str, Any], name: str):
    with pytest.raises((ValueError, TypeError, LookupError, AttributeError)):
        public_key_of(jwk, name)


def test_p256_takes_no_numbers_of_another_length():
    key = private("ES256")
    verify = verifying(key.public_key(), "ES256")
    assert not verify(MESSAGE, b"\0" * (2 * P256_BYTES))
    assert not verify(MESSAGE, b"\xff" * (2 * P256_BYTES))


def test_other_keys_have_no_algorithm():
    assert algorithm_of(object()) is None


def test_import_primitives_leaves_out_what_reads_keys_of_ssh(monkeypatch: pytest.MonkeyPatch):
    ssh = f"{SERIALIZATION}.ssh"
    monkeypatch.delattr(primitives, "serialization")
    for name in (SERIALIZATION, ssh):
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
        del sys.modules[name]
    import_primitives()
    assert sys.modules[ssh].load_ssh_public_key is None
    loaded = sys.modules[SERIALIZATION]
    import_primitives()
    assert sys.modules[SERIALIZATION] is loaded


def test_pods_import_no_more_than_they_need():
    told = (
        "import sys; from streams.auth.asymmetric import import_primitives; import_primitives(); "
        "print([name for name in sys.modules if name.startswith(('jwt', 'cryptography.x509'))])"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
