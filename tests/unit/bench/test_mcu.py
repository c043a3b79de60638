"""benchmarks/mcu.py: what counts as met, the tables, what is said of missing parts, and the peer's models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import _mcu_bakenn, mcu
from benchmarks._mcu_board import Counted
from benchmarks._mcu_goals import MODELS
from benchmarks._mcu_tables import CMSIS_NN, PORTABLE, Mcu, Model, millions
from benchmarks._missing import CannotRun
from benchmarks._runs import Run
from edgekit.core.tflite.model import parse_model

COUNTED = Counted(
    instructions=4_400_000,
    cycles=(4_000_000, 6_000_000),
    arena_bytes=9_600,
    ram_bytes=9_600,
    code_bytes=10_240,
    flash_bytes=40_000,
    stack_bytes=300,
    right=100,
    samples=100,
    toolchain="arm-none-eabi-gcc 12.2.1",
    flags=("-O2",),
)
HELIUM = replace(COUNTED, instructions=2_000_000)
MODEL = Model(
    macs=2_200_000,
    tflm_arena_bytes=24_272,
    tflm_activation_bytes=16_000,
    settings={"speed": COUNTED, "ram": COUNTED, "flash": COUNTED},
    cores={"cortex_m3": COUNTED, "cortex_m55": replace(HELIUM, instructions=3_000_000), "cortex_m55 zig": HELIUM},
    peers={PORTABLE: COUNTED, CMSIS_NN: replace(COUNTED, instructions=22_100_789)},
)
RUN = Run(wall_s=1.5, cpu_s=1.0)


def found(model: Model, *, lacks: tuple[str, ...] = (), build: Run = RUN) -> Mcu:
    return Mcu(models={"KWS": model}, emulator="QEMU", build=(build,), command=(RUN,), lacks=lacks)


def test_a_model_at_its_goals_meets_them_all() -> None:
    rows = mcu.figures(found(MODEL))

    assert all(row.met for row in rows)
    assert rows[0].value == "4.40 M (4,400,000)"
    assert rows[0].note == "bakenn + CMSIS-NN 22.10 M"


@pytest.mark.parametrize(
    ("place", "change"),
    [(0, {"instructions": 4_400_001}), (1, {"ram_bytes": 9_601}), (2, {"code_bytes": 10_241}), (4, {"right": 99})],
)
def test_one_more_than_the_goal_is_not_met(place: int, change: dict[str, int]) -> None:
    changed = replace(COUNTED, **change)
    model = replace(MODEL, settings={"speed": changed, "ram": changed, "flash": COUNTED})

    assert [row.met for row in mcu.figures(found(model))] == [number != place for number in range(6)]


def test_helium_and_the_compile_time_have_goals_of_their_own() -> None:
    slow = replace(MODEL, cores={"cortex_m55": replace(HELIUM, instructions=2_000_001)})

    rows = mcu.figures(found(slow, build=replace(RUN, wall_s=2.01)))

    assert [row.met for row in rows] == [True, True, True, False, True, False]


def test_tables_leave_cells_empty_and_say_why() -> None:
    text = mcu.tables(found(replace(MODEL, peers={}), lacks=("bakenn is not installed",)))

    _, made_with, speed, ram, flash, cores, lacks = text.split("\n\n")
    assert made_with.startswith("Emulated by QEMU, compiled by arm-none-eabi-gcc 12.2.1;")
    assert "| KWS | 2.200 M | 4.40 M | 4.40 M | 4.40 M | 2.00 |  |  | 6.50 M | 4.40 M |" in speed
    assert "| KWS | 9,600 | 9,600 | 9,600 |  |  | 24,272 (16,000) | 10,100 | 9,600 |" in ram
    assert "| 40,000 (10,240) |" in flash
    assert "| KWS |  | 4.40 M | 4.40 M |  |  | 3.00 M | 2.00 M | 2.00 M |" in cores
    assert lacks == "Empty cells: bakenn is not installed"


def test_every_row_of_a_table_has_the_columns_of_its_head() -> None:
    for table in mcu.tables(found(MODEL)).split("\n\n")[2:]:
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.mark.parametrize(("number", "text"), [(576_103, "0.576 M"), (3_078_315, "3.08 M"), (275_900_000, "275.90 M")])
def test_millions(number: int, text: str) -> None:
    assert millions(number) == text


def test_without_models_it_cannot_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mcu, "SHARED", tmp_path)

    with pytest.raises(CannotRun, match=r"needs models/mlperf_tiny/kws_ref_model\.tflite"):
        mcu.measure(1)


def test_the_peers_models_have_no_open_batch_and_no_softmax(shared: Path) -> None:
    pytest.importorskip("tflite_micro")
    model = (shared / "models" / "mlperf_tiny" / f"{MODELS['KWS'].file}.tflite").read_bytes()

    before, after = parse_model(model), parse_model(_mcu_bakenn.accepted(model))

    assert [op.name for op in before.main.operators] == [*(op.name for op in after.main.operators), "SOFTMAX"]
    assert before.input_specs()[0].shape == (-1, 49, 10, 1)
    assert after.input_specs()[0].shape == (1, 49, 10, 1)
