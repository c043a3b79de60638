"""Plain C: two files for any project, and an example."""

from __future__ import annotations

from edgekit.mcu.export import _example, _readme
from edgekit.mcu.export._content import Content


def files(content: Content) -> dict[str, str]:
    """`<name>.c`, `<name>.h`, `main.c`, `README.md`."""
    name = content.name
    use = (
        f"Add `{name}.c` to your build, as C99, with the flags of {content.core}, optimized (`-O2`) and with\n"
        "`-fno-strict-aliasing`, as the arena holds several types. The example:\n\n"
        f"```sh\ncc -std=c99 -O2 -fno-strict-aliasing -o example main.c {name}.c\n```"
    )
    tree = ((f"{name}.c", "the model"), (f"{name}.h", "its interface"), ("main.c", "an example"))
    return {
        f"{name}.c": content.source,
        f"{name}.h": content.header,
        "main.c": _example.program(content),
        "README.md": _readme.readme(content, use, tree),
    }
