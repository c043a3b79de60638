"""The float model that a compressed one is held against, in a form that this computer runs."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.pack import Bundle, is_bundle
from edgekit.core.artifact import Artifact
from edgekit.core.errors import UnsupportedError
from edgekit.core.target import Target
from edgekit.flows.chain import float_pass
from edgekit.flows.formats import RUNNERS
from edgekit.flows.reading import Remembering
from edgekit.flows.subject import from_bundle
from edgekit.flows.workspace import Workspace
from edgekit.passes._base import PassContext
from edgekit.sources._base import load_source

_TIMEOUT_S = 1800.0


def float_artifact(path: Path, target: Target, tools: Workspace) -> Artifact:
    """A model as it is, where something runs it; else converted without changing a weight.

    Args:
        path: a model of a framework, a file that a runtime loads, or a bundle.
        target: for the conversion.
        tools: scratch folder, cache, child process.

    Raises:
        UnsupportedError: no pass makes something of it that can be run.
    """
    if is_bundle(path):
        return from_bundle(Bundle.open(path), tools).artifact()
    tools.tell("source", f"reading {path}")
    source, _ = load_source(path, work=tools.work, isolate=Remembering(tools.isolate, tools.cache, tools.work))
    if source.format in RUNNERS:
        return source
    converter = float_pass(source.format)
    if converter is None:
        raise UnsupportedError(f"no pass turns {source.format} into .tflite", hint="give a .tflite")
    made: Artifact
    made, _ = converter.run(source, {}, conversion_context(target, tools))
    return made


def conversion_context(target: Target, tools: Workspace) -> PassContext:
    """What a conversion without data may use."""
    return PassContext(
        isolate=tools.isolate, cache=tools.cache, work=tools.work, target=target, representative=None,
        timeout_s=_TIMEOUT_S,
    )  # fmt: skip
