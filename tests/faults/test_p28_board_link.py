"""P28, and proof that its experiment fails for a board and for a host that look at no checksum."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from device_agents.mcu import protocol
from device_agents.mcu.protocol import Frame
from edgekit.mcu import link
from edgekit.selftest.lab.board import build_program
from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises.p28_board_link import _Trial
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate
from tests.models.boards import need_board_tools

__all__ = ["mutate"]

pytestmark = [pytest.mark.boards, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _tools() -> None:
    need_board_tools()


def tried(folder: Path, part: str) -> list[str]:
    """What one part of the experiment finds."""
    trial = _Trial(lab=Lab(folder=folder), program=build_program(folder), chance=random.Random(0))
    getattr(trial, part)()
    return trial.failures


def test_damage_on_a_boards_wire_is_never_believed(holds: Holds) -> None:
    holds("P28")


@pytest.mark.full
def test_damage_on_a_boards_wire_is_never_believed_in_full(holds: Holds) -> None:
    holds("P28", Scale.FULL)


def test_board_that_looks_at_no_checksum_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = link._copy_harness

    def without_checksum(folder: Path) -> None:
        copy(folder)
        text = (folder / "harness.c").read_text(encoding="utf-8")
        assert "checksum != request.checksum" in text
        (folder / "harness.c").write_text(text.replace("checksum != request.checksum", "0"), encoding="utf-8")

    monkeypatch.setattr(link, "_copy_harness", without_checksum)

    failures = tried(tmp_path, "requests")

    assert [line for line in failures if line.startswith("request, infer")]


def test_host_that_looks_at_no_checksum_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_checksum(data: bytes, at: int = 0) -> tuple[Frame, int]:
        _, sequence, verb, status, _, length = struct.unpack_from("<HHBBHI", data, at)
        end = at + protocol.HEADER_BYTES + length
        return Frame(sequence, verb, data[at + protocol.HEADER_BYTES : end], status), end

    monkeypatch.setattr(protocol, "decode", without_checksum)

    failures = tried(tmp_path, "answers")

    assert [line for line in failures if line.startswith("answer to infer")]


def test_agent_that_compares_no_hash_of_the_flash_is_found_out(tmp_path: Path, mutate: Mutate) -> None:
    mutate("if hello.image_sha256 != digest:", "if False:")

    failures = tried(tmp_path, "images")

    assert [line for line in failures if line.startswith("image, bit flipped")]
