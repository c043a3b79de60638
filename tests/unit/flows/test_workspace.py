"""The tools of a flow: while another command holds this computer's device, a flow goes on with one of its own."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import numpy as np

from edgekit.core.events import ignore
from edgekit.flows import localhost
from edgekit.flows.workspace import workspace
from tests.models import tflite_files
from tests.models.digits_models import artifact


def test_outputs_are_computed_while_another_command_holds_the_local_device(tmp_path):
    path = tmp_path / "dense.tflite"
    path.write_bytes(tflite_files.packed(tflite_files.dense()))
    samples = np.ones((2, tflite_files.INPUTS), np.float32)

    with workspace(ignore) as tools:
        tools.localhost.stage(b"the first write makes the root")
        lock = Path(os.environ["EDGEKIT_LOCAL_ROOT"]) / "lock"
        with lock.open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            (scores,) = localhost.outputs(artifact(path, "tflite"), [samples], runtime="litert", tools=tools)

    assert scores.shape[0] == 2
