"""Envelopes: what is written, what the device's reader takes, and what ours takes."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from device_agents.linux import envelope
from device_agents.linux.errors import AgentError
from edgekit.bundle.sign import SigningKey, public_key, seal, unseal
from edgekit.core.errors import ConfigurationError, VerificationError

KEY, OTHER = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
TYPE = "application/vnd.in-toto+json"


def test_envelope_is_the_same_every_time_and_read_by_the_device() -> None:
    text = seal(TYPE, b"payload", [KEY, OTHER])

    found = envelope.parse(text, TYPE)

    assert text == seal(TYPE, b"payload", [KEY, OTHER])
    assert found.payload == b"payload"
    assert found.signers({KEY.public.id: KEY.public.raw}) == {KEY.public.id}


def test_what_is_signed_is_the_pre_authentication_encoding() -> None:
    """The example of the DSSE specification, version 1."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

    assert envelope.pae("http://example.com/HelloWorld", b"hello world") == expected
    signature = base64.b64decode(
        json.loads(seal("http://example.com/HelloWorld", b"hello world", [KEY]))["signatures"][0]["sig"]
    )
    assert signature == KEY.sign(expected)


def test_envelope_is_opened_with_a_trusted_key_alone() -> None:
    text = seal(TYPE, b"payload", [KEY])

    assert unseal(text, TYPE, [OTHER.public, KEY.public]) == b"payload"
    with pytest.raises(VerificationError, match="none of the trusted keys"):
        unseal(text, TYPE, [OTHER.public])
    with pytest.raises(VerificationError, match="not text/plain"):
        unseal(text, "text/plain", [KEY.public])


def test_changed_payload_is_refused_here_and_on_the_device() -> None:
    content = json.loads(seal(TYPE, b"payload", [KEY]))
    content["payload"] = base64.b64encode(b"another").decode()
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))

    with pytest.raises(VerificationError, match="does not hold"):
        unseal(text, TYPE, [KEY.public])
    with pytest.raises(AgentError, match="does not hold"):
        envelope.parse(text, TYPE).signers({KEY.public.id: KEY.public.raw})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"payload": 1}', "\udcff", "[" * 100_000])
def test_what_is_no_envelope_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        unseal(text, TYPE, [KEY.public])
    with pytest.raises(AgentError):
        envelope.parse(text, TYPE)


def test_exported_key_verifies_with_openssl(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(KEY.public.pem())
    (tmp_path / "signature").write_bytes(KEY.sign(b"message"))
    (tmp_path / "message").write_bytes(b"message")
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "message"]

    done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert "Verified Successfully" in done.stdout


def test_key_is_read_back_and_never_shown() -> None:
    again = SigningKey.from_pem(KEY.pem(), "key.pem")

    assert again.public == KEY.public
    assert public_key(KEY.public.text) == KEY.public
    assert repr(again) == f"SigningKey({KEY.public.id[:16]})"


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", KEY.public.text + "AAAA"])
def test_text_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        public_key(text)


def test_files_that_are_no_signing_key_are_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    elliptic = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    locked = load_pem_private_key(KEY.pem(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    for data, reason in ((b"", "no private key"), (elliptic, "no Ed25519 key"), (locked, "has a passphrase")):
        with pytest.raises(ConfigurationError, match=f"k.pem {reason}|k.pem is {reason}"):
            SigningKey.from_pem(data, "k.pem")
