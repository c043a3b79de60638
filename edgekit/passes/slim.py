"""Remove whole channels, so that tensors, parameters and multiply-accumulates shrink, then fine-tune."""

from __future__ import annotations

from edgekit.passes._slimming import Slimming


class Slim(Slimming):
    """The pass `slim`."""

    name = "slim"
    version = "1"
    function = "edgekit.passes._keras.slim.slimming:slim"


PASS = Slim()
