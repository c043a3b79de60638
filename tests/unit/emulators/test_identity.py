from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.emulators._identity import load_identity, make_identity


def test_stored_identity_is_read_back(tmp_path: Path) -> None:
    assert make_identity(tmp_path, comment="x") == load_identity(tmp_path)


def test_keys_differ_between_devices_and_roles(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    one, other = make_identity(tmp_path, comment="a"), make_identity(tmp_path / "b", comment="b")

    assert len({one.client_public, one.host_public, other.client_public, other.host_public}) == 4


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, comment="x")

    assert identity.client_key_file.stat().st_mode & 0o777 == 0o600
    assert identity.host_key_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen on this machine")
def test_openssh_derives_the_same_public_key(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, comment="x")

    command = ["ssh-keygen", "-y", "-f", str(identity.client_key_file)]
    derived = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)

    assert derived.stdout.split()[:2] == identity.client_public.split()
