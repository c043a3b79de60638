"""The emulated phone: PyTorch's and ExecuTorch's models, run there by runtimes that came with its system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.digest import sha256_file
from edgekit.core.errors import EdgekitError
from edgekit.device.client import ArtifactRef, DeviceClient, RunOptions
from edgekit.device.connect import connect
from edgekit.device.inventory import Inventory
from edgekit.device.provision import provision
from edgekit.emulators import EmulatedDevice
from edgekit.flows.emulator import machine_of, with_runtimes
from tests.integration.conftest import entry_for, usable
from tests.models.command import edgekit
from tests.models.phone_files import SAMPLES

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.emulated_phone

PATIENT = RunOptions(timeout_s=600)  # to import torch takes the emulated phone 10 s, and minutes on a busy computer
STEP_OF_THE_DIGITS = 0.25  # of the scores of examples/pytorch, which run over some 60
ONE_STEP = 0.005  # the answers of the quantized net are multiples of about 0.0018


@pytest.fixture(scope="session")
def emulated_phone(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[EmulatedDevice]:
    """One emulated phone for the whole session (qemu-user), its wheels unpacked once and cached."""
    found, state_dir, target = usable("user"), tmp_path_factory.mktemp("phone"), load_target("android_arm64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_CACHE_DIR", str(cache_dir))
        try:
            machine = with_runtimes(machine_of(target), target)
        except EdgekitError as refusal:
            pytest.skip(f"{refusal.message} ({refusal.hint})")
    device = found.up(machine, name="phone", state_dir=state_dir, cache_dir=cache_dir / "emulators")
    yield device
    found.down("phone", state_dir=state_dir)


@pytest.fixture
def phone(emulated_phone: EmulatedDevice) -> Iterator[DeviceClient]:
    with connect(entry_for(emulated_phone)) as client:
        yield client


def answers(phone: DeviceClient, model: Path, runtime: str, x: np.ndarray) -> np.ndarray:
    """Stage a model and let the phone run it on every sample."""
    digest = sha256_file(model)
    phone.stage(model, sha256=digest, size_bytes=model.stat().st_size)
    artifact = ArtifactRef(release=None, blob=digest, format=model.suffix[1:], runtime=runtime)
    return phone.evaluate([x], artifact=artifact, options=PATIENT).outputs[0].array


@pytest.fixture(scope="module")
def x(phone_files: Path) -> np.ndarray:
    return np.frombuffer((phone_files / "x.bin").read_bytes(), dtype=np.float32).reshape(SAMPLES, 1, 8, 8)


def expected(phone_files: Path, name: str) -> np.ndarray:
    return np.frombuffer((phone_files / f"{name}.expected.bin").read_bytes(), dtype=np.float32).reshape(SAMPLES, 3)


def test_qnnpack_model_answers_as_on_the_host(phone: DeviceClient, phone_files: Path, x: np.ndarray) -> None:
    there = answers(phone, phone_files / "qnnpack.ptl", "torch_mobile", x)

    assert np.abs(there - expected(phone_files, "qnnpack")).max() <= ONE_STEP


def test_int8_program_answers_as_on_the_host(phone: DeviceClient, phone_files: Path, x: np.ndarray) -> None:
    there = answers(phone, phone_files / "int8.pte", "executorch", x)

    assert np.abs(there - expected(phone_files, "int8")).max() <= ONE_STEP


def test_portable_program_answers_as_torch_on_the_host(phone: DeviceClient, phone_files: Path, x: np.ndarray) -> None:
    there = answers(phone, phone_files / "portable.pte", "executorch", x)

    assert np.abs(there - expected(phone_files, "float")).max() <= 1e-6


@pytest.mark.full
@pytest.mark.parametrize(
    ("recipe", "runtime"), [((), "qnnpack_static"), (("--recipe", "executorch_xnnpack"), "executorch_xnnpack")]
)
def test_pytorch_model_is_deployed_and_answers_as_on_the_host(
    emulated_phone: EmulatedDevice,
    torch_quickstart: Path,
    tmp_path: Path,
    recipe: tuple[str, ...],
    runtime: str,
) -> None:
    Inventory.find().add(entry_for(emulated_phone))

    document = edgekit(
        "deploy", "digits:make", "--weights", torch_quickstart / "digits.safetensors", "--target", "android_arm64",
        *recipe, "--calibration-data", torch_quickstart / "train.npz", "--eval-data", torch_quickstart / "test.npz",
        "--no-profile", "--output", tmp_path / "digits.edgekit", cwd=ROOT / "examples" / "pytorch",
    )  # fmt: skip

    status = edgekit("status", "--device", "phone", cwd=tmp_path)
    evaluation = document["evaluation"]
    assert document["recipe"] == runtime
    assert status["active"] == document["bundle"]["sha256"]
    assert evaluation["samples"] == evaluation["accuracy"]["n"] == 540
    assert evaluation["max_abs_difference"] <= 8 * STEP_OF_THE_DIGITS
    assert evaluation["agreement"] >= 0.99
    assert evaluation["accuracy"]["value"] >= document["accuracy"]["float"]["value"] - 0.005


@pytest.fixture
def bare_board(tmp_path: Path, cache_dir: Path) -> Iterator[DeviceClient]:
    """An emulated Raspberry Pi 4 without any runtime; its core is too old for PyTorch's wheels."""
    found = usable("user")
    device = found.up(
        machine_of(load_target("rpi4")), name="bare", state_dir=tmp_path, cache_dir=cache_dir / "emulators"
    )
    with connect(entry_for(device)) as client:
        yield client
    found.down("bare", state_dir=tmp_path)


def test_bare_board_gets_the_native_runner_and_needs_no_torch(
    bare_board: DeviceClient, phone_files: Path, x: np.ndarray
) -> None:
    proven = provision(bare_board, "executorch")

    there = answers(bare_board, phone_files / "int8.pte", "executorch", x)
    assert proven.runtimes["executorch"].versions == {"executorch": "1.5.1"}
    assert np.abs(there - expected(phone_files, "int8")).max() <= ONE_STEP
