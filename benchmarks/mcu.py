"""The four int8 models of MLPerf Tiny as images for microcontrollers, beside TensorFlow Lite Micro and bakenn."""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from numpy.typing import NDArray

from benchmarks import _mcu_bakenn as bakenn
from benchmarks._compression_bench import SHARED
from benchmarks._figures import Figure, at_most, with_unit
from benchmarks._folders import EDGEKIT, fresh_cache, own_folders
from benchmarks._mcu_board import Counted, count
from benchmarks._mcu_goals import MODELS
from benchmarks._mcu_own import HELIUM, M4, on_cores, on_settings
from benchmarks._mcu_tables import CMSIS_NN, PORTABLE, Mcu, Model, millions, tables
from benchmarks._mcu_tflm import ask
from benchmarks._missing import CannotRun, program
from benchmarks._runs import Run, in_turn, timed
from edgekit.config.targets import load_target
from edgekit.core.tflite.facts import multiply_accumulates
from edgekit.core.tflite.model import parse_model
from edgekit.emulators.cortex_m import EMULATOR
from edgekit.flows.samples import synthetic_inputs
from edgekit.mcu.toolchain import COMPILERS, versions

__all__ = ["RUNS", "figures", "measure", "tables"]

RUNS = 5
_SAMPLES = 100
_PEER_SAMPLES = 10
"""The first ones of the same: the peer's portable code is ten to twenty times slower to emulate."""
_SEED = 0
_CODE_GOAL_BYTES = 10 * 1024
_COMPILE_GOAL_S = 2.0
_BUILD = Path(__file__).with_name("_mcu_build.py")


def measure(runs: int) -> Mcu:
    """Count on every board, and time the compiler so many times.

    Raises:
        CannotRun: there are no models, no gcc, no QEMU, or no wheel of tflite-micro.
    """
    folder = SHARED / "models" / "mlperf_tiny"
    paths = {name: folder / f"{goals.file}.tflite" for name, goals in MODELS.items()}
    _need(paths.values())
    with own_folders() as own:
        models = {name: _model(path) for name, path in paths.items()}
        build, command = _timed(paths["KWS"], own, runs)
    return Mcu(models=models, emulator=EMULATOR.version(), build=build, command=command, lacks=_lacks())


def figures(found: Mcu) -> tuple[Figure, ...]:
    """The rows with goals; `tables` shows all there is."""
    rows: list[Figure] = []
    for name, model in found.models.items():
        rows += [_speed(name, model), _ram(name, model), _code(name, model), _helium(name, model)]
    own = [one for model in found.models.values() for one in model.all_own]
    right, asked = sum(one.right for one in own), sum(one.samples for one in own)
    return (
        *rows,
        Figure(
            what=f"answers equal to tflite-micro's bit for bit, {len(own)} images of {len(found.models)} models",
            value=f"{right:,} of {asked:,}",
            goal="all",
            met=right == asked,
        ),
        at_most(
            "KWS for a Cortex-M4, from .tflite to a linked image by gcc, a fresh process, wall, median",
            median(run.wall_s for run in found.build),
            _COMPILE_GOAL_S,
            "s",
            note=f"CPU {with_unit(median(run.cpu_s for run in found.build), 's')}, least wall "
            f"{with_unit(min(run.wall_s for run in found.build), 's')}; the whole `edgekit compile`, nothing cached, "
            f"takes {with_unit(median(run.wall_s for run in found.command), 's')} (CPU "
            f"{with_unit(median(run.cpu_s for run in found.command), 's')}): it also runs {_SAMPLES} samples on the "
            "emulated board and through tflite-micro, counts, and writes a bundle",
        ),
    )


def _need(paths: Any) -> None:
    for path in paths:
        if not path.is_file():
            raise CannotRun(f"needs models/mlperf_tiny/{path.name} in {SHARED.name}/ beside the repository")
    program(COMPILERS["gcc"])
    program("qemu-system-arm")
    if find_spec("tflite_micro") is None:
        raise CannotRun("needs the oracle: pip install 'edgekit-deploy[mcu]' brings tflite-micro")


def _lacks() -> tuple[str, ...]:
    absent = {
        f"bakenn is not installed: {bakenn.REMEDY}": bakenn.installed() is None,
        "zig is not installed: pip install 'edgekit-deploy[mcu]'": "zig" not in versions(),
    }
    return tuple(text for text, is_absent in absent.items() if is_absent)


def _model(path: Path) -> Model:
    network = parse_model(path.read_bytes())
    (inputs,) = synthetic_inputs(network.input_specs(), n=_SAMPLES, seed=_SEED)
    oracle = ask(path, inputs)
    return Model(
        macs=multiply_accumulates(network),
        tflm_arena_bytes=oracle.arena_bytes,
        tflm_activation_bytes=oracle.activation_bytes,
        settings=on_settings(path, inputs, oracle.answers),
        cores=on_cores(path, inputs, oracle.answers),
        peers={} if bakenn.installed() is None else _peers(path.read_bytes(), inputs[:_PEER_SAMPLES]),
    )


def _peers(model: bytes, inputs: NDArray[Any]) -> dict[str, Counted]:
    accepted, board = bakenn.accepted(model), load_target(M4).board
    assert board is not None
    found = {}
    for name, cmsis_nn in ((PORTABLE, False), (CMSIS_NN, True)):
        with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as folder:
            path = Path(folder) / "accepted.tflite"
            path.write_bytes(accepted)
            image = bakenn.build(accepted, Path(folder), board, cmsis_nn=cmsis_nn)
            found[name] = count(image, inputs, ask(path, inputs).answers)
    return found


def _timed(model: Path, folder: Path, runs: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The compiler alone, and the command with nothing cached, in turn."""

    def command() -> Run:
        fresh_cache(folder)
        return timed([*EDGEKIT, "compile", model, "--target", M4, "-o", folder / "kws.edgekit"])

    build, whole = in_turn(runs, lambda: timed([sys.executable, _BUILD, model, M4, folder / "kws.elf"]), command)
    return build, whole


def _speed(name: str, model: Model) -> Figure:
    goals, ours = MODELS[name], model.settings["speed"].instructions
    peer = f"bakenn + CMSIS-NN {millions(model.peers[CMSIS_NN].instructions)}" if model.peers else ""
    return Figure(
        what=f"{name} ({goals.title}), Cortex-M4, `--optimize speed`, instructions",
        value=f"{millions(ours)} ({ours:,})",
        goal=f"at most {millions(goals.goal)}; {millions(goals.must)} at the very most",
        met=ours <= goals.goal,
        note=peer,
    )


def _ram(name: str, model: Model) -> Figure:
    goals, ours = MODELS[name], model.settings["ram"].ram_bytes
    return Figure(
        what=f"{name}, Cortex-M4, `--optimize ram`, bytes of RAM",
        value=f"{ours:,} ({model.settings['speed'].ram_bytes:,} by `--optimize speed`)",
        goal=f"at most {goals.ram_goal:,}; {goals.ram_must:,} at the very most",
        met=ours <= goals.ram_goal,
    )


def _code(name: str, model: Model) -> Figure:
    setting, most = max(model.settings.items(), key=lambda item: item[1].code_bytes)
    return Figure(
        what=f"{name}, Cortex-M4, code without weights, the largest of the three settings",
        value=f"{most.code_bytes:,} bytes (`--optimize {setting}`)",
        goal=f"at most {_CODE_GOAL_BYTES:,} bytes",
        met=most.code_bytes <= _CODE_GOAL_BYTES,
    )


def _helium(name: str, model: Model) -> Figure:
    goal = MODELS[name].helium_goal
    one = min((one for core, one in model.cores.items() if core.startswith(HELIUM)), key=lambda one: one.instructions)
    return Figure(
        what=f"{name}, Cortex-M55, `--optimize speed`, instructions, the better compiler",
        value=f"{millions(one.instructions)} ({one.toolchain})",
        goal=f"at most {millions(goal)}",
        met=one.instructions <= goal,
    )
