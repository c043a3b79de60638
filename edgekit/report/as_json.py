"""The run document and its raw samples as one JSON text, so that every number can be computed again."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgekit.core.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.core.measurement import Measurement


def render(document: Mapping[str, Any], measurement: Measurement | None = None) -> str:
    """Indented JSON with sorted keys; the samples, in nanoseconds, stand under `measurement`.

    Raises:
        InternalError: the document holds what JSON cannot, such as NaN.
    """
    whole = {**document, "measurement": asdict(measurement)} if measurement else dict(document)
    try:
        return json.dumps(whole, indent=2, sort_keys=True, allow_nan=False) + "\n"
    except (TypeError, ValueError) as cause:
        raise InternalError(f"a run document is not plain JSON: {cause}") from cause
