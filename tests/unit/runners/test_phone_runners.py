"""PyTorch Mobile and ExecuTorch on this computer: right answers for good files, one clear refusal for bad ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.device import native
from tests.models.phone_files import FACTS, SAMPLES, spoil

ROOT = Path(__file__).resolve().parents[3]
Outcomes = dict[str, Any]


def run_all(*folders: Path, x: Path, python_path: Path | None = None) -> Outcomes:
    """What the runners make of every model in the folders, found out in one child process."""
    path = os.pathsep.join(map(str, [python_path, ROOT] if python_path else [ROOT]))
    command = [sys.executable, "-m", "tests.models.run_phone_files", str(x), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    found: Outcomes = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def bad_files(phone_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    spoil(phone_files, folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(phone_files: Path, bad_files: Path) -> Outcomes:
    return run_all(phone_files, bad_files, x=phone_files / "x.bin")


@pytest.fixture(scope="module")
def native_runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native runner for this computer, built against ExecuTorch as it is installed here, and unpacked."""
    if shutil.which(f"{os.uname().machine}-linux-gnu-g++") is None:
        pytest.skip("g++ is missing (sudo apt-get install g++)")
    installed = Path(str(util.find_spec("executorch").submodule_search_locations[0]))  # type: ignore[union-attr,index]
    folder = tmp_path_factory.mktemp("native")
    wheel = folder / f"executorch-{metadata.version('executorch')}-cp311-cp311-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for part in ("include", "lib"):
            for file in (installed / part).rglob("*"):
                archive.write(file, file.relative_to(installed.parent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_CACHE_DIR", str(folder / "cache"))
        built = native.build("pte_runner", wheel, os.uname().machine)
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def native_outcomes(native_runner: Path, phone_files: Path, bad_files: Path, tmp_path_factory: Any) -> Outcomes:
    programs = tmp_path_factory.mktemp("programs")
    for file in [*phone_files.glob("*.pte"), *bad_files.glob("*.pte")]:
        (programs / file.name).write_bytes(file.read_bytes())
    return run_all(programs, x=phone_files / "x.bin", python_path=native_runner)


def values(outcome: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.frombuffer(bytes.fromhex("".join(outcome["values"])), dtype=np.float32).reshape(SAMPLES, 3)


def expected(folder: Path, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.frombuffer((folder / f"{name}.expected.bin").read_bytes(), dtype=np.float32).reshape(SAMPLES, 3)


@pytest.mark.parametrize(
    ("file", "reference", "tolerance"),
    [
        ("float.ptl", "float", 1e-6),
        ("qnnpack.ptl", "qnnpack", 0),
        ("portable.pte", "float", 1e-6),
        ("int8.pte", "int8", 0),
        ("int8.pte", "float", 0.02),
    ],
)
def test_good_file_gives_the_answers_of_its_framework(
    outcomes: Outcomes, phone_files: Path, file: str, reference: str, tolerance: float
) -> None:
    assert np.abs(values(outcomes[file]) - expected(phone_files, reference)).max() <= tolerance


def test_session_says_what_the_model_takes_and_gives(outcomes: Outcomes) -> None:
    named = outcomes["qnnpack.ptl"]
    numbered = outcomes["int8.pte"]

    assert (named["inputs"], named["outputs"]) == (FACTS["inputs"], FACTS["outputs"])
    assert numbered["inputs"] == [{**FACTS["inputs"][0], "name": "input_0"}]
    assert numbered["outputs"] == [{**FACTS["outputs"][0], "name": "output_0"}]


def test_engine_is_the_models_and_is_put_back_after_a_refusal(outcomes: Outcomes) -> None:
    assert outcomes["qnnpack.ptl"]["engine"] == "qnnpack"
    assert outcomes["pickle_data.ptl"]["engine"] != "qnnpack"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("engine.ptl", ["'hexagon'", "qnnpack"]),
        ("anonymous.ptl", ["edgekit.json", "edgekit compile"]),
        ("facts.ptl", ["edgekit.json", "damaged"]),
        ("truncated.ptl", ["not a model of the lite interpreter"]),
        ("empty.ptl", ["not a model of the lite interpreter"]),
        ("pickle_data.ptl", ["refuses the model"]),
        ("pickle_bytecode.ptl", ["refuses the model"]),
    ],
)
def test_bad_lite_file_is_refused(outcomes: Outcomes, file: str, words: list[str]) -> None:
    assert outcomes[file]["code"] == "E_UNSUPPORTED"
    assert [word for word in words if word not in outcomes[file]["message"]] == []


BAD_PROGRAMS = [
    ("newer.pte", ["ET13", "ET12"]),
    ("backend.pte", ["FutureBackend!", "XnnpackBackend"]),
    ("operator.pte", ["aten::relo.out"]),
    ("truncated.pte", ["too small"]),
    ("empty.pte", ["empty"]),
]


@pytest.mark.parametrize(("file", "words"), BAD_PROGRAMS)
def test_bad_program_is_refused(outcomes: Outcomes, file: str, words: list[str]) -> None:
    assert outcomes[file]["code"] == "E_UNSUPPORTED"
    assert [word for word in words if word not in outcomes[file]["message"]] == []


def test_code_in_a_pickle_does_not_run(outcomes: Outcomes, bad_files: Path) -> None:
    assert "pickle_data.ptl" in outcomes
    assert not (bad_files / "canary").exists()


class TestNativeRunner:
    def test_answers_are_those_of_the_bindings(self, native_outcomes: Outcomes, outcomes: Outcomes) -> None:
        for file in ("int8.pte", "portable.pte"):
            assert native_outcomes[file]["values"] == outcomes[file]["values"]
            assert native_outcomes[file]["inputs"] == outcomes[file]["inputs"]

    def test_operators_are_those_of_the_program(self, native_outcomes: Outcomes) -> None:
        portable, quantized = (native_outcomes[file]["operators"] for file in ("portable.pte", "int8.pte"))

        assert "kernel:0 " in portable[0]
        assert [one for one in portable if one.endswith(("addmm.out", "convolution.out"))] != []
        assert [one for one in quantized if one.startswith("delegate:") and "(NHWC, Q" in one] != []

    def test_package_of_executorch_times_no_operators(self, outcomes: Outcomes) -> None:
        assert "does not tell its operators' times" in outcomes["int8.pte"]["operators"]

    def test_nothing_of_torch_is_there(self, native_outcomes: Outcomes) -> None:
        assert native_outcomes["versions"] == {"executorch": {"executorch": metadata.version("executorch")}}
        assert native_outcomes["int8.pte"]["engine"] is None

    @pytest.mark.parametrize(("file", "words"), BAD_PROGRAMS)
    def test_bad_program_is_refused(self, native_outcomes: Outcomes, file: str, words: list[str]) -> None:
        assert native_outcomes[file]["code"] == "E_UNSUPPORTED"
        assert [word for word in words if word not in native_outcomes[file]["message"]] == []


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_compiler")
def test_native_runner_without_a_compiler_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as refused:
        native.build("pte_runner", tmp_path / "executorch-1.5.1-cp311-cp311-manylinux_2_28_aarch64.whl", "aarch64")

    assert "g++-aarch64-linux-gnu" in str(refused.value.hint)
