"""The child's side of `scripts/bench lottery`: one ticket, and its right answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgekit.passes._torch.loading import load
from edgekit.passes._torch.lottery import find
from edgekit.passes._torch.source import make

_AT_ONCE = 1000


def ticket(folder: str, params: dict[str, Any]) -> int:
    """Find and train a ticket from new weights.

    Args:
        folder: with x.npy, y.npy, x_test.npy and y_test.npy.
        params: of `edgekit.passes.lottery_ticket.LotteryTicketParams`, every one.

    Returns:
        Right answers on the test samples.
    """
    here = Path(folder)
    dense, sparse = str(here / "dense.torch"), str(here / "ticket.torch")
    make("benchmarks._lottery_net:lenet_300_100", None, "", [[1, 28, 28]], ["float32"], dense)
    find(
        {
            "source": dense,
            "source_format": "torch",
            "output": sparse,
            "params": params,
            "inputs": [str(here / "x.npy")],
            "labels": str(here / "y.npy"),
            "checkpoint": None,
        }
    )
    module = load(sparse).module
    x, y = np.load(here / "x_test.npy"), np.load(here / "y_test.npy")
    with torch.no_grad():
        answers = [module(part).argmax(1) for part in torch.from_numpy(x).split(_AT_ONCE)]
    return int((torch.cat(answers).numpy() == y).sum())
