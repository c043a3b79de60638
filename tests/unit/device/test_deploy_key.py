"""The key pair for deployments: made once, read again, and never quoted."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from edgekit.core.errors import AuthenticationError
from edgekit.device.deploy_key import deploy_key_file, make_deploy_key, public_half
from edgekit.device.inventory import config_folder


def test_key_is_made_once(tmp_path: Path):
    path = tmp_path / "keys" / "pi"

    first, second = make_deploy_key(path), make_deploy_key(path)

    assert first == second == public_half(path)
    assert first.startswith("ssh-ed25519 AAAA")
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)


def test_openssh_reads_the_same_public_half(tmp_path: Path):
    public = make_deploy_key(tmp_path / "pi")

    done = subprocess.run(["ssh-keygen", "-y", "-f", tmp_path / "pi"], capture_output=True, text=True, timeout=30)

    assert done.stdout.split()[:2] == public.split()


@pytest.mark.parametrize("text", ["", "hunter2", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n"])
def test_file_that_is_no_key_is_an_error_that_does_not_quote_it(tmp_path: Path, text: str):
    (tmp_path / "pi").write_text(text)

    with pytest.raises(AuthenticationError) as caught:
        make_deploy_key(tmp_path / "pi")

    assert "hunter2" not in str(caught.value.as_json())
    assert caught.value.__cause__ is None
    assert (tmp_path / "pi").read_text() == text


def test_key_of_another_kind_is_an_error(tmp_path: Path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "pi"], check=True, timeout=30)

    with pytest.raises(AuthenticationError, match="Ed25519"):
        make_deploy_key(tmp_path / "pi")


def test_key_lies_in_the_configuration_folder():
    assert deploy_key_file("pi") == config_folder() / "deploy-keys" / "pi"
