"""What lives when, what may lie over what, and in which order layers run."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from edgekit.mcu.ir import Network, Value
from edgekit.mcu.layer import Layer, Overlap, View
from edgekit.mcu.order import reorder
from edgekit.mcu.plan import plan
from edgekit.mcu.storage import memory, resolve


class _Graph:
    """Values by name, and layers between them."""

    def __init__(self) -> None:
        self.lowered: list[Layer | View] = []
        self.values: dict[str, Value] = {}

    def value(self, name: str, size: int = 8, *, dtype: str = "int8", data=None, is_variable: bool = False) -> Value:
        made = Value(index=len(self.values), name=name, shape=(size,), dtype=dtype, data=data, is_variable=is_variable)
        return self.values.setdefault(name, made)

    def layer(self, inputs: str, outputs: str, *, overlaps: Sequence[Overlap] = (), scratch: int = 0) -> None:
        self.lowered.append(
            Layer(
                name=outputs,
                kernel="any",
                params={},
                inputs=tuple(self.value(name) for name in inputs.split()),
                outputs=tuple(self.value(name) for name in outputs.split()),
                scratch_bytes=scratch,
                overlaps=tuple(overlaps),
            )
        )

    def view(self, given: str, made: str) -> None:
        self.lowered.append(View(input=self.value(given), output=self.value(made)))

    def resolve(self, inputs: str, outputs: str):
        variables = tuple(value for value in self.values.values() if value.is_variable)
        network = Network(
            nodes=(),
            inputs=tuple(self.value(name) for name in inputs.split()),
            outputs=tuple(self.value(name) for name in outputs.split()),
            variables=variables,
        )
        return resolve(network, self.lowered)

    def memory(self, inputs: str, outputs: str):
        layers, storage = self.resolve(inputs, outputs)
        needed = memory(layers, storage)
        names = [block.name for block in needed.blocks]
        lives = {block.name: (block.first, block.last) for block in needed.blocks}
        over = {(names[one.earlier], names[one.later]): one.distance for one in needed.overlaps}
        return lives, over


_IN_PLACE = (Overlap(input=0),)


def test_value_lives_from_its_layer_to_its_last_reader() -> None:
    graph = _Graph()
    graph.layer("x", "a", scratch=16)
    graph.layer("a", "b")
    graph.layer("a b", "y")

    lives, _ = graph.memory("x", "y")

    assert lives == {"x": (0, 0), "a": (0, 2), "b": (1, 2), "y": (2, 2), "scratch of a": (0, 0)}


def test_input_that_nothing_reads_is_there_before_the_first_layer() -> None:
    graph = _Graph()
    graph.layer("x", "y", overlaps=_IN_PLACE)

    lives, over = graph.memory("x unused", "y")

    assert lives["unused"] == (0, 0)
    assert over == {("x", "y"): 0}


def test_output_that_nothing_reads_lives_while_its_layer_runs() -> None:
    graph = _Graph()
    graph.layer("x", "a unread")
    graph.layer("a", "y")

    lives, _ = graph.memory("x", "y")

    assert lives["unread"] == (0, 0)


def test_second_input_is_kept_until_it_is_read() -> None:
    graph = _Graph()
    graph.layer("x", "a")
    graph.layer("a late", "y")

    lives, _ = graph.memory("x late", "y")

    assert lives["late"] == (0, 1)


def test_output_that_the_last_layer_reads_is_not_written_over() -> None:
    graph = _Graph()
    graph.layer("x", "a")
    graph.layer("a", "y", overlaps=_IN_PLACE)

    lives, over = graph.memory("x", "a y")

    assert lives["a"] == (0, 1)
    assert over == {}


def test_value_that_is_needed_later_is_not_written_over() -> None:
    graph = _Graph()
    graph.layer("x", "a", overlaps=_IN_PLACE)
    graph.layer("x a", "y", overlaps=(Overlap(input=0), Overlap(input=1)))

    _, over = graph.memory("x", "y")

    assert over == {("x", "y"): 0, ("a", "y"): 0}


def test_value_read_twice_by_a_layer_needs_both_overlaps() -> None:
    graph = _Graph()
    graph.layer("x x", "a", overlaps=_IN_PLACE)
    graph.layer("a a", "y", overlaps=(Overlap(input=0, distance=4), Overlap(input=1, distance=2)))

    _, over = graph.memory("x", "y")

    assert over == {("a", "y"): 4}


def test_view_read_beside_what_it_views_counts_as_the_same_value() -> None:
    graph = _Graph()
    graph.view("x", "flat")
    graph.layer("x flat", "y", overlaps=_IN_PLACE)

    lives, over = graph.memory("x", "y")

    assert set(lives) == {"x", "y"}
    assert over == {}


def test_view_of_the_input_as_the_output_is_the_same_memory() -> None:
    graph = _Graph()
    graph.view("x", "y")

    layers, storage = graph.resolve("x", "y")

    assert layers == []
    assert storage.owner(graph.values["y"]) == graph.values["x"].index
    assert [(block.first, block.last) for block in memory(layers, storage).blocks] == [(0, 0)]


def test_view_of_an_output_keeps_it() -> None:
    graph = _Graph()
    graph.layer("x", "a")
    graph.view("a", "y")
    graph.layer("a", "b", overlaps=_IN_PLACE)

    lives, over = graph.memory("x", "y b")

    assert lives == {"x": (0, 0), "a": (0, 1), "b": (1, 1)}
    assert over == {}


def test_view_of_a_constant_is_a_constant() -> None:
    graph = _Graph()
    graph.value("weights", data=np.arange(8, dtype=np.int8))
    graph.view("weights", "flat")
    graph.layer("x flat", "y")

    layers, _ = graph.resolve("x", "y")

    assert layers[0].inputs[1].data is not None
    assert layers[0].inputs[1].data.tolist() == list(range(8))
    assert set(graph.memory("x", "y")[0]) == {"x", "y"}


def test_constant_output_is_copied_into_the_arena() -> None:
    graph = _Graph()
    graph.value("fixed", data=np.arange(8, dtype=np.int8))
    graph.layer("x", "y")

    layers, _ = graph.resolve("x", "y fixed")
    lives, _ = graph.memory("x", "y fixed")

    assert layers[1].kernel == "copy"
    assert lives["fixed"] == (1, 1)


def test_state_lives_for_ever_and_nothing_lies_over_it() -> None:
    graph = _Graph()
    graph.value("state", is_variable=True)
    graph.layer("x", "a")
    graph.layer("a", "state", overlaps=_IN_PLACE)
    graph.layer("state", "y", overlaps=_IN_PLACE)

    lives, over = graph.memory("x", "y")

    assert lives["state"] == (0, 2)
    assert over == {}


def test_wide_numbers_are_aligned_to_their_size() -> None:
    graph = _Graph()
    graph.value("wide", dtype="int64")
    graph.layer("wide", "y")

    layers, storage = graph.resolve("wide", "y")

    assert [block.align for block in memory(layers, storage).blocks] == [8, 4]


def _branches() -> _Graph:
    """Two branches that begin large and end small: one after the other is better than side by side."""
    graph = _Graph()
    for name, size in {"x": 10, "a": 1000, "b": 1000, "p": 10, "q": 10, "y": 10}.items():
        graph.value(name, size)
    graph.layer("x", "a")
    graph.layer("x", "b")
    graph.layer("a", "p")
    graph.layer("b", "q")
    graph.layer("p q", "y")
    return graph


def _arena(layers, storage) -> int:
    needed = memory(layers, storage)
    return plan(needed.blocks, needed.overlaps).size_bytes


def test_branches_run_one_after_the_other_where_that_needs_less() -> None:
    layers, storage = _branches().resolve("x", "y")

    moved = reorder(layers, storage)

    assert [layer.name for layer in moved] == ["a", "p", "b", "q", "y"]
    assert (_arena(layers, storage), _arena(moved, storage)) == (2012, 1024)


def test_order_stays_where_none_is_better() -> None:
    graph = _Graph()
    graph.layer("x", "a")
    graph.layer("x", "b")
    graph.layer("a b", "y")
    layers, storage = graph.resolve("x", "y")

    assert reorder(layers, storage) == layers


def test_state_is_read_before_it_is_written_even_if_that_needs_more() -> None:
    graph = _Graph()
    graph.value("state", 10, is_variable=True)
    graph.value("old", 1000)
    graph.value("new", 600)
    graph.layer("state x", "old")
    graph.layer("x", "new")
    graph.layer("new", "state")
    layers, storage = graph.resolve("x", "old")

    assert reorder(layers, storage) == layers


def _random_graph(seed: int, count: int) -> _Graph:
    draw = np.random.default_rng(seed)
    graph = _Graph()
    names = ["x"]
    for number in range(count):
        graph.value(f"v{number}", int(draw.integers(1, 200)))
        reads = draw.choice(names, size=min(len(names), int(draw.integers(1, 3))), replace=False)
        graph.layer(" ".join(reads), f"v{number}", overlaps=_IN_PLACE if draw.random() < 0.5 else ())
        names.append(f"v{number}")
    return graph


def _peak(layers, storage) -> int:
    needed = memory(layers, storage)
    return max(plan(needed.blocks, needed.overlaps).step_bytes)


def _is_runnable(order) -> bool:
    there = {"x"}
    for layer in order:
        if not there.issuperset(value.name for value in layer.inputs):
            return False
        there.add(layer.name)
    return True


@pytest.mark.parametrize("seed", range(8))
def test_order_is_the_best_of_all_orders(seed: int) -> None:
    layers, storage = _random_graph(seed, 6).resolve("x", "v5")

    moved = reorder(layers, storage)

    assert _is_runnable(moved)
    orders = [list(order) for order in itertools.permutations(layers) if _is_runnable(order)]
    assert _peak(moved, storage) == min(_peak(order, storage) for order in orders)


@pytest.mark.parametrize("seed", range(4))
def test_order_respects_what_layers_read_and_never_needs_more(seed: int) -> None:
    layers, storage = _random_graph(seed, 14).resolve("x", "v13")

    moved = reorder(layers, storage)

    assert sorted(layer.name for layer in moved) == sorted(layer.name for layer in layers)
    assert _is_runnable(moved)
    before, after = _peak(layers, storage), _peak(moved, storage)
    assert after <= before
    assert (after < before) == (moved != layers)
