"""known_hosts as OpenSSH writes it, and what fails closed."""

from __future__ import annotations

import subprocess

import pytest

from edgekit.core.errors import HostKeyError
from edgekit.transports import Endpoint, HostKey, KnownHosts, fingerprint
from tests.fakes.ssh_server import SSHD, make_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
HASHED = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="
"""The hash of 192.168.1.61, from the manual page of ssh-keygen's format (sshd(8))."""


@pytest.fixture
def known(tmp_path):
    def load(text: str, *, mode: int = 0o600) -> KnownHosts:
        path = tmp_path / "known_hosts"
        path.write_text(text)
        path.chmod(mode)
        return KnownHosts.load(path)

    return load


def at(host: str, port: int = 22) -> Endpoint:
    return Endpoint(scheme="ssh", user="pi", host=host, port=port)


@pytest.mark.parametrize(
    ("hosts", "host", "port", "matches"),
    [
        ("pi", "pi", 22, True),
        ("PI", "pi", 22, True),
        ("pi", "PI", 22, True),
        ("pi", "pi2", 22, False),
        ("a,pi,b", "pi", 22, True),
        ("pi", "pi", 2222, False),
        ("[pi]:2222", "pi", 2222, True),
        ("[pi]:2222", "pi", 22, False),
        ("[::1]:2222", "::1", 2222, True),
        ("fe80::1%eth0", "fe80::1%eth0", 22, True),
        ("*.lab", "pi.lab", 22, True),
        ("*.lab,!evil.lab", "evil.lab", 22, False),
        ("!evil.lab,*.lab", "evil.lab", 22, False),
        ("!evil.lab", "good.lab", 22, False),
        ("p?", "pi", 22, True),
        ("p?", "pie", 22, False),
        ("p.", "pi", 22, False),
        ("*", "anything", 22, True),
        ("[p", "p", 22, False),
        (HASHED, "192.168.1.61", 22, True),
        (HASHED, "192.168.1.62", 22, False),
        (HASHED, "192.168.1.61", 2222, False),
        ("|1|broken", "pi", 22, False),
        ("|2|F1E1KeoE|39", "pi", 22, False),
        ("|1|***|***", "pi", 22, False),
    ],
)
def test_host_field_matches_as_in_openssh(known, hosts, host, port, matches):
    found = known(f"{hosts} {KEY} a comment\n").keys(at(host, port))

    assert found == ((HostKey.parse(KEY),) if matches else ())


@pytest.mark.skipif(SSHD is None, reason="no OpenSSH here")
def test_hash_made_by_ssh_keygen_matches(tmp_path):
    path = tmp_path / "known_hosts"
    path.write_text(f"pi,[pi]:2222 {KEY}\n")
    path.chmod(0o600)
    subprocess.run(["ssh-keygen", "-H", "-f", path], check=True, capture_output=True)

    found = KnownHosts.load(path)

    assert found.keys(at("pi")) == found.keys(at("pi", 2222)) == (HostKey.parse(KEY),)
    assert found.keys(at("other")) == ()


@pytest.mark.skipif(SSHD is None, reason="no OpenSSH here")
@pytest.mark.parametrize(("kind", "bits"), [("ed25519", 0), ("ecdsa", 384), ("rsa", 2048)])
def test_fingerprint_is_the_one_of_ssh_keygen(tmp_path, kind, bits):
    public = make_key(tmp_path, "key", kind, bits=bits).with_suffix(".pub")
    printed = subprocess.run(["ssh-keygen", "-lf", public], check=True, capture_output=True, text=True).stdout

    assert fingerprint(HostKey.parse(public.read_text()).blob) == printed.split()[1]


def test_several_keys_of_a_host_are_all_known(known):
    found = known(f"pi {KEY}\n\n# comment\npi {OTHER}\npi {KEY}\n").keys(at("pi"))

    assert [str(key) for key in found] == [KEY, OTHER]


def test_revoked_key_is_not_known_and_is_told(known):
    found = known(f"pi {KEY}\npi {OTHER}\n@revoked * {KEY}\n")

    assert [str(key) for key in found.keys(at("pi"))] == [OTHER]
    assert [str(key) for key in found.revoked(at("pi"))] == [KEY]


def test_revocation_for_another_host_does_not_count(known):
    found = known(f"pi {KEY}\n@revoked other {KEY}\n")

    assert found.revoked(at("pi")) == ()
    assert len(found.keys(at("pi"))) == 1


def test_certificate_authority_alone_is_refused_with_its_line(known):
    with pytest.raises(HostKeyError, match=r"known_hosts:2 .*certificate authority") as caught:
        known(f"other {KEY}\n@cert-authority *.lab {KEY}\n").keys(at("pi.lab"))

    assert "pin" in (caught.value.hint or "")


def test_certificate_authority_beside_a_key_does_not_matter(known):
    assert known(f"@cert-authority * {OTHER}\npi {KEY}\n").keys(at("pi")) == (HostKey.parse(KEY),)


@pytest.mark.parametrize(
    "line", ["garbage", "pi", "pi ssh-ed25519", "pi ssh-ed25519 !!!", "pi ssh-dss AAAA", "\x00\xff"]
)
def test_line_that_openssh_skips_is_skipped(known, line):
    assert known(f"{line}\npi {KEY}\n").keys(at("pi")) == (HostKey.parse(KEY),)


@pytest.mark.parametrize("line", ["@revoked", "@revoked pi", "@revoked pi ssh-ed25519 AAA", f"@unknown pi {KEY}"])
def test_marker_that_cannot_be_read_fails_closed(known, line):
    with pytest.raises(HostKeyError, match="known_hosts:1"):
        known(f"{line}\npi {KEY}\n")


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_file_that_others_may_write_is_refused(known, mode):
    with pytest.raises(HostKeyError, match="written by others"):
        known(f"pi {KEY}\n", mode=mode)


def test_missing_and_empty_files_know_nobody(known, tmp_path):
    assert KnownHosts.load(tmp_path / "missing").keys(at("pi")) == ()
    assert known("").keys(at("pi")) == ()


def test_type_inside_the_key_must_be_the_one_outside(known):
    assert known(f"pi {KEY.replace('ssh-ed25519', 'ssh-rsa')}\n").keys(at("pi")) == ()
