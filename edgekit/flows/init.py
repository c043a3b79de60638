"""A first edgekit.toml, with what the user knows already filled in and the rest as comments."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.config.project import FILE_NAME
from edgekit.config.targets import load_target
from edgekit.core.errors import InputError
from edgekit.core.files import require_readable, write_atomically

_TEMPLATE = """\
schema = 1
{target}
# recipe = "int8"                # without it the target's own; edgekit recipes lists them
# device = "kitchen"             # edgekit devices list

[model]
{model}

[data]                           # .npz, .npy, a folder of images per class, or package.module:function
{calibration}
{evaluation}
# representative_samples = 100
# seed = 0

# [preprocess]                   # y = (x * scale + offset - mean) / std
# scale = "1/255"

# [budgets]                      # checked after the deploy
# flash = "1MB"
# latency_p90 = "20ms"
# accuracy_drop = "1%"
"""


def write_project(
    folder: Path,
    *,
    model: Path | None,
    target: str | None,
    calibration: str | None,
    evaluation: str | None,
    force: bool,
) -> Path:
    """Write edgekit.toml.

    Raises:
        InputError: there is one already, or the model is not there.
        ConfigurationError: there is no such target.
    """
    path = folder / FILE_NAME
    if path.exists() and not force:
        raise InputError(f"{path} is there already", hint="edit it, or replace it with --force")
    if model is not None:
        require_readable(model, what="model", folder_allowed=True)
    if target is not None:
        load_target(target, project_dir=folder)
    text = _TEMPLATE.format(
        target=_line("target", target, "my_board"),
        model=_line("path", None if model is None else str(model), "model.keras"),
        calibration=_line("calibration", calibration, "train.npz"),
        evaluation=_line("evaluation", evaluation, "test.npz"),
    )
    write_atomically(path, text.encode())
    return path


def _line(key: str, value: str | None, example: str) -> str:
    return f"# {key} = {json.dumps(example)}" if value is None else f"{key} = {json.dumps(value, ensure_ascii=False)}"
