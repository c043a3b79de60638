"""Weights of a parent for a net of another shape."""

from __future__ import annotations

import numpy as np

from edgekit.passes._train.inheritance import inherited

SPATIAL = {"Conv2D": (0, 1)}


def kernel(*shape: int, start: float = 0.0) -> np.ndarray:
    return start + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_same_shapes_are_copied_whole():
    parent = [("Conv2D", {"kernel": kernel(3, 3, 1, 2)}), ("Dense", {"kernel": kernel(4, 2), "bias": kernel(2)})]
    heir = [(kind, {name: np.full_like(array, -1.0) for name, array in arrays.items()}) for kind, arrays in parent]

    new, share = inherited(heir, parent, SPATIAL)

    assert share == 1.0
    for (_, theirs), ours in zip(parent, new, strict=True):
        assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_smaller_kernel_lies_in_the_middle_of_a_larger_one_and_channels_count_from_the_first():
    parent = [("Conv2D", {"kernel": kernel(3, 3, 1, 2)})]
    heir = [("Conv2D", {"kernel": np.full((5, 5, 2, 3), -1.0, np.float32)})]

    (new,), share = inherited(heir, parent, SPATIAL)

    assert (new["kernel"][1:4, 1:4, :1, :2] == parent[0][1]["kernel"]).all()
    new["kernel"][1:4, 1:4, :1, :2] = -1.0
    assert (new["kernel"] == -1.0).all()
    assert share == 18 / 150


def test_larger_kernel_gives_its_middle():
    (new,), _ = inherited(
        [("Conv2D", {"kernel": np.zeros((3, 3, 1, 1), np.float32)})],
        [("Conv2D", {"kernel": kernel(5, 5, 1, 1)})],
        SPATIAL,
    )

    assert (new["kernel"] == kernel(5, 5, 1, 1)[1:4, 1:4]).all()


def test_the_nth_layer_of_a_kind_inherits_from_the_nth_and_other_kinds_and_ranks_keep_their_own():
    parent = [("Dense", {"kernel": kernel(2, 2, start=100)}), ("Dense", {"kernel": kernel(2, 2, start=200)})]
    own = kernel(2, 2, start=-50)
    heir = [
        ("Conv2D", {"kernel": kernel(1, 1, 2, 2)}),
        ("Dense", {"kernel": own}),
        ("Dense", {"kernel": own}),
        ("Dense", {"kernel": own, "bias": kernel(2)}),
    ]

    new, share = inherited(heir, parent, SPATIAL)

    assert [float(each["kernel"].flat[0]) for each in new] == [0.0, 100.0, 200.0, -50.0]
    assert share == 8 / 18
    assert own.flat[0] == -50  # the heir's own arrays stay


def test_without_a_parent_nothing_is_copied():
    own = [("Dense", {"kernel": kernel(2, 2)})]

    new, share = inherited(own, [], SPATIAL)

    assert share == 0.0
    assert (new[0]["kernel"] == own[0][1]["kernel"]).all()
