"""How people name a function of theirs: `package.module:function`."""

from __future__ import annotations

import re

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


def is_function_name(text: str) -> bool:
    """Whether a text names a function and not a path: a `:` between two Python names."""
    return bool(_NAME.fullmatch(text))
