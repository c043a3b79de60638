"""PyTorch to .tflite by litert-torch, in the child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.passes._torch.exporting import exported, first_line, read

_IMAGE_AXES = 4


def convert(job: dict[str, Any]) -> dict[str, Any]:
    """Convert a model.

    Args:
        job: as `edgekit.passes._torch_pass.TorchPass` makes it.

    Returns:
        {"notes": [...]}; the .tflite tells the rest itself.

    Raises:
        UnsupportedError: torch.export or the converter refuses the model, or it has no images to turn.
    """
    import litert_torch

    module, examples, name = read(job)
    notes = []
    if job["params"]["channel_last"]:
        images = [index for index, example in enumerate(examples) if example.dim() == _IMAGE_AXES]
        if not images or any(examples[index].shape[1] == examples[index].shape[3] for index in images):
            raise UnsupportedError(
                f"channel_last does not suit {name}: none of its inputs has channels, or as many as columns",
                hint="leave it out",
            )
        module = litert_torch.to_channel_last_io(module, args=images)
        examples = tuple(
            example.permute(0, 2, 3, 1).contiguous() if index in images else example
            for index, example in enumerate(examples)
        )
        notes.append("images go in as height x width x channels")
    exported(module, examples, name=name)  # refuses what cannot be exported with the line of the user's code
    try:
        litert_torch.convert(module, examples).export(job["output"])
    except Exception as cause:
        raise UnsupportedError(
            f"litert-torch cannot convert {name}: {first_line(cause)}",
            hint="--recipe executorch_xnnpack runs it without .tflite",
        ) from cause
    if not Path(job["output"]).is_file():
        raise UnsupportedError(f"litert-torch wrote nothing for {name}", hint="convert it by hand to see why")
    return {"notes": notes}
