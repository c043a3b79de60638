"""The float models of `scripts/bench pytorch`, trained once with fixed seeds and kept in build/bench.

Usage: python -m benchmarks._torch_models NAME SHARED FOLDER: writes torch-NAME.safetensors, torch-NAME-train.npz and
torch-NAME-eval.npz into FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from benchmarks import _lottery_net, _torch_nets
from benchmarks._log_mel import log_mel

SEED = 7
BATCH, RATE = 64, 2e-3
Data = tuple[NDArray[np.float32], NDArray[np.int64]]


def drawings(shared: Path) -> tuple[Data, Data]:
    """Quick, Draw! cats and rainbows: 1,600 to train, 400 to evaluate; the split of the Keras benchmark."""
    with np.load(shared / "data" / "quickdraw_cat_rainbow.npz") as data:
        order = np.random.default_rng(SEED).permutation(len(data["x"]))
        x, y = _images(data["x"][order]), data["y"][order].astype(np.int64)
    return (x[:1600], y[:1600]), (x[1600:], y[1600:])


def words(shared: Path) -> tuple[Data, Data]:
    """Spoken digits (FSDD): every fifth recording of each speaker and digit to evaluate, the others to train."""
    with np.load(shared / "data" / "fsdd_train.npz") as data:
        x, y = log_mel(data["wav"] / 32768.0), data["label"].astype(np.int64)
        held = data["index"] % 5 == 0
    mean, deviation = x[~held].mean(), x[~held].std()
    x = ((x - mean) / deviation).astype(np.float32)[:, np.newaxis]
    return (x[~held], y[~held]), (x[held], y[held])


def digits(shared: Path) -> tuple[Data, Data]:
    """MNIST: the first 12,000 to train, all 10,000 of the test set to evaluate."""
    with np.load(shared / "data" / "mnist.npz") as data:
        train = _images(data["x_train"][:12_000]), data["y_train"][:12_000].astype(np.int64)
        return train, (_images(data["x_test"]), data["y_test"].astype(np.int64))


def _images(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """0 to 255 as float32 in 0 to 1, shape [samples, 1, height, width]."""
    return (pixels[:, np.newaxis] / 255.0).astype(np.float32)


def trained(build: Any, epochs: int, x: NDArray[np.float32], y: NDArray[np.int64]) -> torch.nn.Module:
    """A network after so many epochs, the learning rate along half a cosine."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    module: torch.nn.Module = build()
    samples, labels = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.Adam(module.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for at in torch.randperm(len(samples)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(samples[at]), labels[at]).backward()
            optimizer.step()
        schedule.step()
    return module.eval()


MODELS = {
    "quickdraw": (_torch_nets.quickdraw, drawings, 12),
    "keywords": (_torch_nets.keywords, words, 20),
    "mobilenet": (_torch_nets.mobilenet, digits, 4),
    "lenet5": (_torch_nets.lenet5, digits, 6),
    "lenet_300_100": (_lottery_net.lenet_300_100, digits, 6),
}


def main(name: str, shared: str, folder: str) -> None:
    """Write data and weights."""
    build, load, epochs = MODELS[name]
    (x, y), (x_eval, y_eval) = load(Path(shared))
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target / f"torch-{name}-train.npz", x=x, y=y)
    np.savez_compressed(target / f"torch-{name}-eval.npz", x=x_eval, y=y_eval)
    module = trained(build, epochs, x, y)
    save_file(
        {key: value.contiguous() for key, value in module.state_dict().items()}, target / f"torch-{name}.safetensors"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
