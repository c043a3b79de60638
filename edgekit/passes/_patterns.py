"""Layers that people choose by regular expressions over their names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgekit.core.errors import ConfigurationError


def check_patterns(parameter: str, patterns: Iterable[str]) -> None:
    """Refuse what is no regular expression.

    Raises:
        ConfigurationError: it is none.
    """
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as cause:
            raise ConfigurationError(
                f"{parameter}: {pattern!r} is no regular expression: {cause}", hint="put a \\ before each of ()[]+*?.|"
            ) from cause
