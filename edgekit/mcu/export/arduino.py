"""An Arduino library: to unpack into the sketchbook's `libraries`, with a sketch."""

from __future__ import annotations

from edgekit.mcu.export import _example, _readme
from edgekit.mcu.export._content import Content


def files(content: Content) -> dict[str, str]:
    """`library.properties`, `src/`, `examples/Infer/Infer.ino`, `README.md`.

    Source of the form: the Arduino library specification, 1.5 format (arduino.github.io/arduino-cli).
    """
    name = content.name
    properties = "".join(
        f"{key}={value}\n"
        for key, value in {
            "name": name,
            "version": "1.0.0",
            "author": "edgekit",
            "maintainer": "edgekit",
            "sentence": content.sentence.replace("\n", " "),
            "paragraph": f"A neural network without an interpreter, SHA-256 of the model {content.digest}.",
            "category": "Data Processing",
            "url": "https://www.arduino.cc/reference/en/libraries/",
            "architectures": "*",
            "includes": f"{name}.h",
        }.items()
    )
    prints = "".join(f"  Serial.println(best_{place});\n" for place in range(len(content.generated.network.outputs)))
    sketch = (
        f"// One inference of {content.name} a second; prints the place of the largest output.\n"
        f"#include <{name}.h>\n\n{_example.arena(content)}\n"
        f"void setup() {{\n  Serial.begin(115200);\n  {name}_reset(arena);\n}}\n\n"
        f"void loop() {{\n{_example.inference(content)}{prints}  delay(1000);\n}}\n"
    )
    use = (
        f"Move this folder to `libraries/{name}` in your sketchbook and open File, Examples, {name}, Infer. The code\n"
        f"was made for {content.core}: choose a board with this core."
    )
    tree = (
        ("library.properties", "what Arduino shows of it"),
        (f"src/{name}.c", "the model"),
        (f"src/{name}.h", "its interface"),
        ("examples/Infer/Infer.ino", "a sketch"),
    )
    return {
        "library.properties": properties,
        f"src/{name}.c": content.source,
        f"src/{name}.h": content.header,
        "examples/Infer/Infer.ino": sketch,
        "README.md": _readme.readme(content, use, tree),
    }
