"""edgekit sbom: what a bundle is made of, and how it was made."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import PATH
from edgekit.core.errors import UsageError


@click.command()
@click.argument("bundle", type=PATH)
@click.option("-o", "--output", type=PATH, help="What the files' names begin with; default BUNDLE.")
@click.option("--sign-key", help="Sign the provenance with this key (edgekit keys list).")
@click.option("--verify", "files", type=PATH, multiple=True, help="Check this file instead; may be repeated.")
@click.option("--public-key", help="With --verify: the key, in base64, that has signed it.")
@with_output
def command(
    bundle: Path,
    output: Path | None,
    sign_key: str | None,
    files: tuple[Path, ...],
    public_key: str | None,
    console: Output,
) -> None:
    """Write the parts list of BUNDLE (CycloneDX 1.6, with a model card) and its provenance (in-toto, SLSA).

    Both are made of the bundle alone: the same bundle gives the same files, and --verify compares them with it.
    """
    from edgekit.flows.sbom import verify_sbom, write_sbom

    if files and (output is not None or sign_key is not None):
        raise UsageError("--verify writes nothing", hint="leave out --output and --sign-key")
    if not files and public_key is not None:
        raise UsageError("--public-key goes with --verify", hint="to sign, give --sign-key NAME")
    if files:
        document = verify_sbom(bundle, files, key=public_key)
    else:
        document = write_sbom(bundle, output=output, sign_key=sign_key)

    def draw() -> None:
        for file in document["verified"]:
            click.echo(f"{file} is about {document['sha256'][:12]}")
        if not files:
            click.echo(f"parts list  {document['sbom']}")
            click.echo(f"provenance  {document['provenance']}")

    console.show(document, draw)
