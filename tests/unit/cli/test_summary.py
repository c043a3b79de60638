"""What a command sums up on a terminal of 80 columns."""

from __future__ import annotations

from tests.unit.cli.conftest import Cli


def test_deploy_shows_the_steps_that_its_compilation_took_and_none_of_a_finished_bundle(cli: Cli) -> None:
    flags = ("--device", "local", "--no-profile")

    compiled = cli("deploy", "dense.tflite", *flags, "--recipe", "dynamic", "-o", "dense.edgekit")
    bundled = cli("deploy", "dense.edgekit", *flags)

    lines = [line.rstrip() for line in compiled.stdout.splitlines()]
    assert compiled.returncode == bundled.returncode == 0, compiled.stderr + bundled.stderr
    assert "Steps" in lines
    assert [line.split()[0] for line in lines if line.startswith("dynamic ")] == ["dynamic"]
    assert any(line.startswith("dynamic: ") for line in lines)
    assert max(map(len, lines)) <= 80
    assert "Steps" not in bundled.stdout
