"""The child's part of the pass `vela`: Vela's compiler, and what its summary estimates."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.tflite.integer_facts import integer_facts
from edgekit.core.tflite.model import read_model

_CONFIGURATION = "Arm/vela.ini"
_CUSTOM_OPERATOR = "ethos-u"


def build(source: str, output: str, accelerator: str, system_config: str, memory_mode: str) -> dict[str, Any]:
    """Compile a model.

    Args:
        source: an integer .tflite.
        output: the file to write: a .tflite for TensorFlow Lite Micro with Arm's driver.
        accelerator, system_config, memory_mode: as `VelaParams` names them.

    Returns:
        What `PassResult` holds; `facts["npu"]` is what Vela estimates.

    Raises:
        ConfigurationError: Vela knows no such accelerator, system configuration or memory mode.
        UnsupportedError: Vela refuses the model, or gives nothing of it to the NPU.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-vela-") as name:
        folder = Path(name)
        chosen = {
            "--accelerator-config": accelerator,
            "--system-config": system_config,
            "--memory-mode": memory_mode,
            "--config": _CONFIGURATION,
            "--output-dir": name,
        }
        _compile([source, *(word for option in chosen.items() for word in option)])
        (compiled,) = folder.glob("*.tflite")
        (summary,) = folder.glob("*_summary_*.csv")
        shutil.copyfile(compiled, output)
        with summary.open(encoding="utf-8", newline="") as rows:
            (row,) = csv.DictReader(rows)
    left = [operator.name for operator in read_model(Path(output)).main.operators if operator.name != _CUSTOM_OPERATOR]
    model = read_model(Path(source))
    if len(left) == len(model.main.operators):
        raise UnsupportedError(
            f"{accelerator} takes none of the model's {len(left)} operators",
            hint="it computes int8, uint8 and int16: compile a quantized model, or name a recipe that quantizes",
        )
    npu = _estimates(row, accelerator) | {"cpu_ops": left}
    return {
        "notes": _notes(npu),
        "inputs": [spec.as_json() for spec in model.input_specs()],
        "outputs": [spec.as_json() for spec in model.output_specs()],
        "facts": integer_facts(model, activation_bytes=npu["sram_bytes"]) | {"npu": npu},
    }


def _compile(arguments: list[str]) -> None:
    from ethosu.vela.errors import CliOptionError, ConfigOptionError, VelaError
    from ethosu.vela.vela import main

    try:
        with redirect_stdout(io.StringIO()) as said:
            status = main(arguments)
    except (CliOptionError, ConfigOptionError) as cause:
        hint = f"vela --list-configs {_CONFIGURATION} shows what there is"
        raise ConfigurationError(str(cause), hint=hint) from cause
    except SystemExit as cause:  # argparse: the accelerator is the only word of ours that it checks
        raise ConfigurationError(
            f"vela knows no accelerator {arguments[2]!r}", hint="one of vela --help, e.g. ethos-u55-128"
        ) from cause
    except VelaError as cause:
        raise UnsupportedError(f"vela refuses the model: {cause}", hint="another recipe or target") from cause
    if status:
        raise UnsupportedError(f"vela failed ({status}): {said.getvalue()[-500:]}", hint="another recipe or target")


def _estimates(row: Mapping[str, str], accelerator: str) -> dict[str, Any]:
    def size_bytes(*names: str) -> int:
        return round(1024 * sum(float(row[f"{name}_memory_used"]) for name in names))

    return {
        "provenance": "estimated",
        "compiler": f"ethos-u-vela {version('ethos-u-vela')}",
        "accelerator": accelerator,
        "system_config": row["system_config"],
        "memory_mode": row["memory_mode"],
        "clock_hz": int(float(row["core_clock"])),
        "cycles": int(float(row["cycles_total"])),
        "sram_bytes": size_bytes("sram"),
        "dram_bytes": size_bytes("dram"),
        "flash_bytes": size_bytes("on_chip_flash", "off_chip_flash"),
    }


def _notes(npu: Mapping[str, Any]) -> list[str]:
    estimated = (
        f"{npu['compiler']} estimates for {npu['system_config']}, {npu['memory_mode']}: {npu['cycles']:,} cycles, "
        f"{npu['sram_bytes']:,} bytes of SRAM, {npu['flash_bytes']:,} of flash; nothing ran"
    )
    notes = [estimated]
    if npu["cpu_ops"]:
        notes.append(f"left to the CPU: {', '.join(npu['cpu_ops'])}; the cycles are without them")
    return notes
