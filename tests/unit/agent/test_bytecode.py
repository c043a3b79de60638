"""The agent's compiled modules: used when they are right, made anew or passed over when they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.device.agent_build import agent_digest
from edgekit.selftest.lab.agent_process import AgentProcess


def cache_of(root: Path) -> Path:
    """The one cache file of the agent in ROOT."""
    (found,) = (root / "agents").glob(f"{agent_digest()}.pyz.*")
    return found


def greet(root: Path) -> str:
    """Start an agent, ask it for its name, and end it."""
    with AgentProcess(root).boot() as agent:
        return str(agent.request("hello", protocol=[1])["agent"])


def test_bytecode_is_kept_beside_the_agent_and_not_written_again(root: Path) -> None:
    greet(root)
    before = cache_of(root).stat()

    assert greet(root) == agent_digest()

    assert (cache_of(root).stat().st_mtime_ns, cache_of(root).stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("damage", [b"", b"\0", b"x" * 100, b"x" * 10_000])
def test_damaged_bytecode_is_made_anew(root: Path, damage: bytes) -> None:
    greet(root)
    good = cache_of(root).read_bytes()
    cache_of(root).write_bytes(damage)

    assert greet(root) == agent_digest()

    assert cache_of(root).read_bytes() == good


def test_flipped_bit_in_the_bytecode_is_noticed(root: Path) -> None:
    greet(root)
    good = cache_of(root).read_bytes()
    cache_of(root).write_bytes(good[:5000] + bytes([good[5000] ^ 1]) + good[5001:])

    assert greet(root) == agent_digest()

    assert cache_of(root).read_bytes() == good


def test_link_in_the_place_of_the_bytecode_is_not_followed(root: Path, tmp_path: Path) -> None:
    greet(root)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(cache_of(root).read_bytes())
    cache_of(root).unlink()
    link = root / "agents" / f"{agent_digest()}.pyz.{_tag()}"
    link.symlink_to(elsewhere)

    assert greet(root) == agent_digest()

    assert elsewhere.exists()


def _tag() -> str:
    import sys

    return str(sys.implementation.cache_tag)
