"""Train the network of digits.py on scikit-learn's digits, and keep weights and data.

Usage: python train.py FOLDER: writes digits.safetensors, train.npz and test.npz into FOLDER.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from digits import make
from safetensors.torch import save_file
from sklearn.datasets import load_digits

EPOCHS, BATCH = 15, 32


def main(folder: Path) -> None:
    """Train, print the accuracy, write the files."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1257], order[1257:]
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    samples, targets = torch.from_numpy(x), torch.from_numpy(labels)
    shuffle = np.random.default_rng(1)
    for _ in range(EPOCHS):
        for at in torch.from_numpy(shuffle.permutation(train)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(samples[at]), targets[at]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        right = (model(samples[test]).argmax(1) == targets[test]).float().mean().item()
    print(f"{right:.2%} of {len(test)}")
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "train.npz", x=x[train], y=labels[train])
    np.savez(folder / "test.npz", x=x[test], y=labels[test])
    save_file(model.state_dict(), folder / "digits.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
