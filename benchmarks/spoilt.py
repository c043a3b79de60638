"""Networks that plain int8 breaks, mended: the fewest layers left in float that keep an accuracy budget."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._compression_bench import KEPT, Files, Row, compiled, files, lasting_cache, plain, spoken
from benchmarks._figures import Figure
from benchmarks._missing import CannotRun
from benchmarks._spoilt_models import build_once, spoilt_lenet5

RUNS = 1
WEIGHTS_GOAL = 0.2
_SPOKEN = {
    "spoilt": "Digits, one channel 4,000 times louder",
    "unscaled": "Digits, inputs unscaled, every fourth 10,000 times larger",
    "lenet5": "LeNet-5 on MNIST, one channel 4,000 times louder",
}
MAX_DROP = {"spoilt": 0.02, "unscaled": 0.02, "lenet5": 0.01}
"""By network; 540 digits prove no less than about 2 points."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One network: its float reference, plain int8, and what a budget makes of it."""

    float_model: Row
    int8: Row
    mended: Row


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """Raw figures, by network; LeNet-5 only where MNIST is there."""

    networks: dict[str, Broken]


def measure(_runs: int) -> Spoilt:
    """Compile each with a budget and without: all seeds are fixed."""
    networks = {}
    with lasting_cache() as folder:
        for given in _given():
            float_model, int8 = compiled(given, folder, "int8")
            _, mended = compiled(given, folder, "int8", "--max-drop", MAX_DROP[given.name])
            networks[given.name] = Broken(float_model=float_model, int8=int8, mended=mended)
    return Spoilt(networks=networks)


def figures(found: Spoilt) -> tuple[Figure, ...]:
    """The rows."""
    rows = []
    for name, each in found.networks.items():
        network, max_drop = _SPOKEN[name], MAX_DROP[name]
        lost = each.float_model.correct - each.mended.correct
        kept = [*each.mended.kept, *(["inputs and outputs (float32)"] if "int8.io" in each.mended.chosen else [])]
        rows += [
            plain(f"{network}: float", each.float_model),
            plain(f"{network}: plain int8", each.int8),
            Figure(
                what=f"{network}: `edgekit compile --recipe int8 --max-drop {max_drop:g}`",
                value=f"{spoken(each.mended)}, {each.mended.kept_weights:.1%} of the weights in float",
                goal=f"{max_drop * 100:g} points lost at most, {WEIGHTS_GOAL:.0%} of the weights in float at most",
                met=lost <= max_drop * each.mended.n and each.mended.kept_weights <= WEIGHTS_GOAL,
                note=f"{each.mended.size_bytes:,} bytes, {each.int8.size_bytes:,} in plain int8, "
                f"{each.float_model.size_bytes:,} in float; left out of int8: {', '.join(kept)}",
            ),
        ]
    return tuple(rows)


def _given() -> list[Files]:
    folder = build_once(KEPT)
    given = [
        Files(
            name=name,
            model=folder / f"{name}.keras",
            train=folder / f"{data}_train.npz",
            evaluation=folder / f"{data}_test.npz",
        )
        for name, data in (("spoilt", "images"), ("unscaled", "features"))
    ]
    try:
        whole = files("lenet5", "data/mnist.npz")
    except CannotRun:
        return given
    spoilt = spoilt_lenet5(whole.model, KEPT)
    return [*given, Files(name="lenet5", model=spoilt, train=whole.train, evaluation=whole.evaluation)]
