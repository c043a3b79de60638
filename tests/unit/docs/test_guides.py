"""The guides on adding things, followed to the letter: files are written as they stand there, commands are run."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.pack import Bundle
from edgekit.core.errors import ConfigurationError
from edgekit.core.registry import EMULATORS, PASSES, SOURCES, TRANSPORTS
from edgekit.core.tflite.model import parse_model
from edgekit.engines._base import ENGINES
from tests.models import tflite_files
from tests.unit.docs.pages import GUIDES, ROOT, blocks

Follow = Callable[[str], str]
KINDS = ("passes", "sources", "transports", "emulators", "runners", "targets", "engines")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with a float model of three classes, model.tflite."""
    (tmp_path / "model.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def follow(folder: Path) -> Follow:
    """`follow(kind)` writes the files of docs/guide/add-to-<kind>.md and runs its commands; returns what they print."""

    def run(kind: str) -> str:
        commands = ""
        for block in blocks(GUIDES / f"add-to-{kind}.md"):
            if block.title == "run":
                commands += block.text
            elif block.title:
                path = folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_pass_of_the_guide_zeroes_half_of_the_weights(
    follow: Follow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = follow("passes")

    bundle = Bundle.open(folder / "sparse.edgekit")
    weights = parse_model(bundle.read("model.tflite")).main.tensors[1]
    values = np.frombuffer(weights.data, np.float32)
    assert weights.name == "weights"
    assert (values == 0).sum() == values.size // 2
    assert "recipe sparse: Sets half of the weights to zero." in printed
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(folder / "plugins"))
    assert PASSES.summary("zero_small") == "Set the smallest float weights to zero, so that the file packs better."
    with pytest.raises(ConfigurationError, match=r"share is 2\.0"):
        PASSES.load("zero_small").parse({"share": 2.0})


def test_source_of_the_guide_reads_a_c_array(follow: Follow, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = ", ".join(f"0x{byte:02x}" for byte in (folder / "model.tflite").read_bytes())
    text = f"unsigned char model_tflite[] = {{\n  {numbers}\n}};\nunsigned int model_tflite_len = 1;\n"
    (folder / "model_data.cc").write_text(text)

    printed = follow("sources")

    assert "FULLY_CONNECTED" in printed
    assert Bundle.open(folder / "from-c.edgekit").manifest.lineage[0]["made_by"] == "c_array"
    assert (folder / "model_data.cc").read_text() == text
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(folder / "plugins"))
    assert SOURCES.summary("c_array")


def test_transport_of_the_guide_makes_separate_devices(
    follow: Follow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = follow("transports")

    kitchen, _, cellar = printed.rpartition("\ncellar")
    digest = Bundle.open(folder / "model-host.edgekit").digest
    assert f"active    {digest}" in kitchen
    assert "active    nothing" in cellar
    assert sorted(path.name for path in (folder / "sandboxes").iterdir()) == ["cellar", "kitchen"]
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(folder / "plugins"))
    assert TRANSPORTS.load("sandbox").scheme == "sandbox"


def test_emulator_of_the_guide_comes_up_on_one_core_and_goes_down(
    follow: Follow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = follow("emulators")

    assert "single is up at ssh://root@127.0.0.1:" in printed
    assert "this computer's own Python, on core" in printed
    assert "single is down" in printed
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(folder / "plugins"))
    assert EMULATORS.load("one_core").backend == "one_core"


def test_runner_of_the_guide_proves_its_bundle_through_the_real_agent(follow: Follow, folder: Path) -> None:
    printed = follow("runners")

    assert f"active  {Bundle.open(folder / 'linear.edgekit').digest[:12]} on local" in printed
    assert "runtime linear" in printed


def test_target_of_the_guide_is_listed_and_used(follow: Follow) -> None:
    printed = follow("targets")

    assert "My board, 512 MB" in printed
    assert "data sheet, page 1" in printed
    assert "ok    target my_board: My board, 512 MB" in printed


def test_engine_of_the_guide_tries_each_point_of_its_space(
    follow: Follow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.random.default_rng(0)
    np.savez("eval.npz", x=samples.random((64, 4), dtype=np.float32), y=samples.integers(0, 3, 64))

    printed = follow("engines")

    found = json.loads((folder / "spread.search" / "search.json").read_text())
    assert "4 trials: 4 complete" in printed
    assert (found["engine"], found["strategy"], found["end"]) == ("spread", "halton", "exhausted")
    assert len({str(trial["params"]) for trial in found["tried"]}) == 4
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(folder / "plugins"))
    assert ENGINES.load("spread").strategies == ("halton",)


def _sources_of(kind: str) -> Iterator[tuple[str, str]]:
    for block in blocks(GUIDES / f"add-to-{kind}.md"):
        if block.language == "python" and block.title:
            yield block.title, block.text


@pytest.mark.parametrize("kind", KINDS)
def test_page_has_the_name_that_the_registrys_error_gives(kind: str) -> None:
    assert (GUIDES / f"add-to-{kind}.md").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_example_files_open_with_one_sentence(kind: str) -> None:
    for title, text in _sources_of(kind):
        assert (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0], title


@pytest.mark.parametrize("kind", KINDS)
def test_example_files_are_formatted_and_lint_free(kind: str, tmp_path: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.is_file():
        pytest.skip("ruff is not installed (pip install --group check)")
    for title, text in _sources_of(kind):
        version = "py38" if title.startswith("runners/") else "py311"
        common = [str(ruff), "--config", str(ROOT / "pyproject.toml"), "--quiet", "--target-version", version]
        for action in (("format", "--check"), ("check", "--select", "E,F,I,B,C4,PIE,RET,SIM")):
            done = subprocess.run(
                [common[0], *action, *common[1:], "--stdin-filename", str(tmp_path / Path(title).name), "-"],
                input=text,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, f"{title}: {done.stdout}{done.stderr}"
