"""A PlatformIO library: to unpack into a project's `lib`, with an example."""

from __future__ import annotations

import json

from edgekit.mcu.export import _example, _readme
from edgekit.mcu.export._content import Content


def files(content: Content) -> dict[str, str]:
    """`library.json`, `include/`, `src/`, `examples/infer/main.c`, `README.md`.

    Source of the form: PlatformIO's documentation, "library.json".
    """
    name = content.name
    manifest = {
        "name": name,
        "version": "1.0.0",
        "description": content.sentence,
        "keywords": ["neural network", "tinyml"],
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{name}.h",
        "build": {"includeDir": "include", "srcDir": "src", "flags": ["-O2", "-fno-strict-aliasing"]},
        "examples": [{"name": "infer", "base": "examples/infer", "files": ["main.c"]}],
    }
    use = (
        f"Move this folder to `lib/{name}` of a project whose board has a {content.core}, and\n"
        f"`#include <{name}.h>`. The example's `main.c` goes to the project's `src`."
    )
    tree = (
        ("library.json", "what PlatformIO knows of it"),
        (f"src/{name}.c", "the model"),
        (f"include/{name}.h", "its interface"),
        ("examples/infer/main.c", "an example"),
    )
    return {
        "library.json": json.dumps(manifest, indent=2) + "\n",
        f"src/{name}.c": content.source,
        f"include/{name}.h": content.header,
        "examples/infer/main.c": _example.program(content),
        "README.md": _readme.readme(content, use, tree),
    }
