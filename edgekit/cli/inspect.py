"""edgekit inspect: what a model is, and on which targets it fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from edgekit.cli._options import model_argument, weights_option, with_output
from edgekit.cli._output import Output, shown
from edgekit.cli._settings import choose, project_options
from edgekit.cli._values import shape


@click.command()
@model_argument
@weights_option
@project_options
@with_output
def command(
    model: Path | None, weights: Path | None, input_shape: str | None, config: Path | None, console: Output
) -> None:
    """Show format, size, operators, inputs and outputs of MODEL, and for each target whether it fits."""
    from edgekit.config.targets import list_targets, load_target
    from edgekit.core.units import format_bytes
    from edgekit.flows.inspect import inspect_model

    chosen = choose(config)
    targets = [
        load_target(name, project_dir=chosen.project_dir) for name in list_targets(project_dir=chosen.project_dir)
    ]
    with console.progress() as on_event:
        document = inspect_model(
            chosen.model(model, weights), targets, input_shape=shape(input_shape), on_event=on_event
        )

    def tensors(specs: list[dict[str, object]]) -> str:
        return "; ".join(f"{spec['name']} {spec['shape']} {spec['dtype']}" for spec in specs)

    def told(value: int | None, text: Callable[[int], str]) -> str:
        return "unknown" if value is None else text(value)

    def draw() -> None:
        from edgekit.cli import _render

        _render.facts(
            document["path"],
            {
                "format": document["format"],
                "size": f"{format_bytes(document['size_bytes'])}, zipped {format_bytes(document['zip_bytes'])}",
                "sha256": document["sha256"],
                "parameters": told(document["parameters"], "{:,}".format),
                "MACs": told(document["macs"], "{:,}".format),
                "activations": told(document["activation_bytes"], lambda value: f"at least {format_bytes(value)}"),
                "inputs": tensors(document["inputs"]),
                "outputs": tensors(document["outputs"]),
            },
        )
        _render.table(
            "",
            ("operator", "count", "version"),
            [(op["name"], str(op["count"]), str(op["version"])) for op in document["ops"]],
        )
        verdicts = [
            (name, "fits" if found["ok"] else "no", "; ".join(found["reasons"]))
            for name, found in document["targets"].items()
        ]
        _render.table("", ("target", "", "why not"), verdicts)
        for warning in document["warnings"]:
            click.echo(shown(f"note: {warning}"))

    console.show(document, draw)
