"""The arenas of real models: known figures without overlaps, proven optima with them."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.tflite.model import read_model
from edgekit.mcu.layer import Core
from edgekit.mcu.memory_facts import memory_facts
from edgekit.mcu.plan import plan
from edgekit.mcu.read import read_network
from edgekit.mcu.schedule import Schedule, lower, schedule
from edgekit.mcu.storage import memory, resolve

_HOST = Core(name="host", optimize="ram")
_PLAIN = {
    "mlperf_tiny/kws_ref_model": 16_000,
    "mlperf_tiny/vww_96_int8": 55_296,
    "mlperf_tiny/pretrainedResnet_quant": 49_152,
    "mlperf_tiny/ad01_int8": 768,
    "tflm/person_detect": 55_296,
}
_AT_MOST = {
    "mlperf_tiny/kws_ref_model": 9_600,
    "mlperf_tiny/vww_96_int8": 39_400,
    "mlperf_tiny/pretrainedResnet_quant": 34_500,
    "mlperf_tiny/ad01_int8": 768,
}


def _schedule(shared: Path, name: str) -> Schedule:
    return schedule(read_network(read_model(shared / "models" / f"{name}.tflite")), _HOST)


@pytest.mark.parametrize("name", _PLAIN)
def test_arena_without_overlaps_is_the_liveness_bound(shared: Path, name: str) -> None:
    network = read_network(read_model(shared / "models" / f"{name}.tflite"))
    layers, storage = resolve(network, lower(network, _HOST))
    needed = memory([replace(layer, overlaps=(), scratch_bytes=0) for layer in layers], storage)

    made = plan(needed.blocks)

    assert (made.size_bytes, made.is_optimal) == (_PLAIN[name], True)


@pytest.mark.parametrize("name", _AT_MOST)
def test_arena_with_overlaps_is_proven_and_small(shared: Path, name: str) -> None:
    made = _schedule(shared, name).plan

    assert made.is_optimal
    assert made.size_bytes <= _AT_MOST[name]


def test_memory_facts_describe_every_block_and_step(shared: Path) -> None:
    made = _schedule(shared, "mlperf_tiny/kws_ref_model")

    facts = memory_facts(made)

    assert facts["arena_bytes"] == made.plan.size_bytes
    assert [step["name"] for step in facts["steps"]] == [layer.name for layer in made.layers]
    assert max(step["needs_bytes"] for step in facts["steps"]) == facts["steps"][facts["peak_step"]]["needs_bytes"]
    kinds = [block["kind"] for block in facts["blocks"]]
    assert kinds.count("input") == 1
    assert kinds.count("layer") == len(made.layers)
    assert kinds.count("scratch") == sum(bool(layer.scratch_bytes) for layer in made.layers)
    ends = [block["offset_bytes"] + block["size_bytes"] for block in facts["blocks"]]
    assert facts["arena_bytes"] - 4 < max(ends) <= facts["arena_bytes"]
