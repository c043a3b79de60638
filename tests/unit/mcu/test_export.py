"""What an export holds: it compiles, runs, and its files name each other rightly."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.core.tflite.accelerators import MCU_OPS
from edgekit.core.tflite.model import parse_model
from edgekit.mcu.export import FORMATS, Content, tflm
from edgekit.mcu.generate import compile_library
from edgekit.mcu.layer import Core
from edgekit.mcu.tflm_arena import measure
from tests.models.mcu_models import Op, Spec, build, constant, options

_GCC = pytest.mark.skipif(shutil.which("g++") is None, reason="apt-get install g++")
_WARNINGS = ("-Wall", "-Wextra", "-Werror")
_FACTS = {
    "flash_bytes": 12345, "stack_bytes": 88, "instructions": 98765, "exact": True, "exact_samples": 100,
    "oracle": "tflite-micro 1", "toolchain": "gcc 12", "profile": "tflm",
    "cycles_estimate": {"value": 120000, "low": 100000, "high": 140000},
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> bytes:
    x = Spec(shape=(1, 6), scales=(0.05,), zero_points=(3,))
    y = Spec(shape=(1, 4), scales=(0.1,), zero_points=(-7,))
    out = Spec(shape=(1, 4), scales=(1 / 256,), zero_points=(-128,))
    weights = constant(np.arange(24).reshape(4, 6) - 12, dtype="int8", scales=[0.02])
    bias = constant(np.arange(4) * 100, dtype="int32", scales=[0.001])
    return build(
        [
            Op(
                name="FULLY_CONNECTED", inputs=[x, weights, bias], outputs=[y], options=options("FullyConnectedOptions")
            ),
            Op(name="SOFTMAX", inputs=[y], outputs=[out], options=options("SoftmaxOptions", beta=1.0)),
        ]
    )


@pytest.fixture(scope="module")
def content(model: bytes) -> Content:
    library = compile_library(parse_model(model), Core(name="cortex-m0plus"), name="digits")
    return Content(
        generated=library, core="cortex-m0plus", model="digits.tflite", digest="ab" * 32, version="1.2.3", facts=_FACTS
    )


def _write(files: dict[str, str], folder: Path) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _run(*command: object, cwd: Path | None = None) -> None:
    ran = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", FORMATS)
def test_readme_lists_the_files_the_signature_and_the_figures(content: Content, name: str) -> None:
    files = FORMATS[name](content)

    text = files["README.md"]
    listed = re.findall(r"^- `([^`]+)`:", text, re.MULTILINE)
    for path in listed:
        assert path in files or any(other.startswith(f"{path}/") for other in files)
    for path in files:
        assert path == "README.md" or any(path == one or path.startswith(f"{one}/") for one in listed)
    assert "| 0 | t0 | int8 | [1, 6] | 0.05000000074505806 | 3 |" in text
    assert f"arena: {content.generated.schedule.plan.size_bytes:,} bytes (no plan is smaller)" in text
    assert "counted under emulation: 98,765" in text
    assert "estimated, not measured: 120,000 (100,000 to 140,000)" in text
    assert "bit-exact with tflite-micro 1 on 100 inputs" in text


@pytest.mark.parametrize("name", FORMATS)
def test_export_is_the_same_every_time_and_holds_the_library(content: Content, name: str) -> None:
    files = FORMATS[name](content)

    assert files == FORMATS[name](content)
    assert [text for path, text in files.items() if path.endswith("digits.c")] == [content.generated.files["digits.c"]]
    assert [text for path, text in files.items() if path.endswith("digits.h")] == [content.generated.files["digits.h"]]
    assert not any(path.startswith(("/", "..")) for path in files)


@_GCC
def test_c_example_compiles_and_runs(content: Content, tmp_path: Path) -> None:
    _write(FORMATS["c"](content), tmp_path)

    _run("gcc", "-std=c99", "-O2", *_WARNINGS, "-o", "example", "main.c", "digits.c", cwd=tmp_path)

    _run(tmp_path / "example")


@pytest.mark.skipif(shutil.which("cmake") is None, reason="apt-get install cmake")
def test_cmake_project_builds_its_example(content: Content, tmp_path: Path) -> None:
    _write(FORMATS["cmake"](content), tmp_path)

    _run("cmake", "-S", ".", "-B", "build", "-DDIGITS_EXAMPLE=ON", cwd=tmp_path)
    _run("cmake", "--build", "build", cwd=tmp_path)

    _run(tmp_path / "build" / "digits_example")


@_GCC
def test_arduino_sketch_compiles_as_cpp_and_links_with_the_c(content: Content, tmp_path: Path) -> None:
    folder = _write(FORMATS["arduino"](content), tmp_path)
    (folder / "Arduino.h").write_text(
        "struct Printer { void begin(long) {} void println(unsigned long) {} };\n"
        "inline Printer Serial;\nstatic inline void delay(unsigned long) {}\n"
    )
    (folder / "core.cc").write_text("void setup();\nvoid loop();\nint main() { setup(); loop(); }\n")
    sketch = folder / "examples" / "Infer" / "Infer.ino"

    _run("gcc", "-std=c99", *_WARNINGS, "-c", "src/digits.c", "-o", "digits.o", cwd=folder)
    flags = ("-std=c++17", *_WARNINGS, "-include", "Arduino.h", "-Isrc", "-o", "s")
    _run("g++", *flags, "-x", "c++", sketch, "core.cc", "-x", "none", "digits.o", cwd=folder)

    _run(folder / "s")
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines())
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert required <= set(properties)


@_GCC
def test_zephyr_sample_compiles_and_its_option_is_one(content: Content, tmp_path: Path) -> None:
    folder = _write(FORMATS["zephyr"](content), tmp_path)
    (folder / "zephyr" / "sys").mkdir()
    (folder / "zephyr" / "sys" / "printk.h").write_text("#include <stdio.h>\n#define printk printf\n")

    main = "samples/infer/src/main.c"
    _run("gcc", "-std=c99", *_WARNINGS, "-I.", "-Iinclude", "-o", "s", main, "src/digits.c", cwd=folder)

    _run(folder / "s")
    option = re.search(r"^config (\w+)$", (folder / "Kconfig").read_text(), re.MULTILINE)
    assert option is not None
    assert f"CONFIG_{option[1]}" in (folder / "CMakeLists.txt").read_text()
    assert (folder / "samples" / "infer" / "prj.conf").read_text() == f"CONFIG_{option[1]}=y\n"
    assert (folder / "zephyr" / "module.yml").read_text().startswith("name: digits\nbuild:\n")


def test_platformio_manifest_names_files_that_are_there(content: Content) -> None:
    files = FORMATS["platformio"](content)

    manifest = json.loads(files["library.json"])
    assert f"{manifest['build']['includeDir']}/{manifest['headers']}" in files
    for example in manifest["examples"]:
        assert {f"{example['base']}/{name}" for name in example["files"]} <= set(files)


@_GCC
def test_tflm_array_is_the_model_and_its_resolver_has_its_operators(model: bytes, tmp_path: Path) -> None:
    files = tflm.files(
        model, name="digits", origin="digits.tflite", digest="ab" * 32, arena_bytes=1001, interpreter="tflite-micro 1"
    )
    folder = _write(files, tmp_path)
    micro = folder / "tensorflow" / "lite" / "micro"
    micro.mkdir(parents=True)
    (micro / "micro_mutable_op_resolver.h").write_text(
        "enum TfLiteStatus { kTfLiteOk, kTfLiteError };\nnamespace tflite {\ntemplate <unsigned n>\n"
        "struct MicroMutableOpResolver {\n  unsigned left = n;\n"
        "  TfLiteStatus Add() { return left-- > 0 ? kTfLiteOk : kTfLiteError; }\n"
        "  TfLiteStatus AddFullyConnected() { return Add(); }\n  TfLiteStatus AddSoftmax() { return Add(); }\n};\n}\n"
    )
    (folder / "check.cc").write_text(
        '#include "digits_data.h"\n#include "digits_ops.h"\n#include <cstdint>\n#include <cstdio>\nint main() {\n'
        "  digits_resolver resolver;\n  fwrite(digits_data, 1, digits_data_size, stdout);\n"
        "  return digits_add_ops(&resolver) != kTfLiteOk || resolver.left != 0 || digits_arena_size != 1008 ||\n"
        "         reinterpret_cast<std::uintptr_t>(digits_data) % 16 != 0;\n}\n"
    )

    _run("g++", "-std=c++17", *_WARNINGS, "-I.", "-o", "check", "check.cc", "digits_data.cc", cwd=folder)

    ran = subprocess.run([folder / "check"], capture_output=True, timeout=60)
    assert ran.returncode == 0
    assert ran.stdout == model
    assert "1,001 bytes" in files["README.md"]


def test_tflm_refuses_operators_that_it_does_not_have() -> None:
    x, y = (Spec(shape=(1, 6), scales=(0.05,), zero_points=(0,)) for _ in range(2))
    model = build([Op(name="GELU", inputs=[x], outputs=[y], options=options("GeluOptions"))])

    with pytest.raises(UnsupportedError, match="does not have GELU"):
        tflm.operators(model)


def test_tflm_methods_are_spelled_as_in_the_resolver() -> None:
    spelled = {tflm._method(op) for op in MCU_OPS | {"BATCH_MATMUL"}}

    assert {
        "AddConv2D", "AddDepthwiseConv2D", "AddAveragePool2D", "AddL2Pool2D", "AddPadV2", "AddSplitV", "AddSelectV2",
        "AddRelu6", "AddSvdf", "AddUnidirectionalSequenceLSTM", "AddBatchMatMul", "AddCumSum", "AddSpaceToBatchNd",
        "AddL2Normalization", "AddVarHandle", "AddHardSwish", "AddTransposeConv",
    } <= spelled  # fmt: skip


def test_tflm_arena_is_the_smallest_that_the_interpreter_accepts(model: bytes, tmp_path: Path) -> None:
    runtime = pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform").runtime
    path = tmp_path / "model.tflite"
    path.write_bytes(model)

    found = measure(str(path))

    assert found["interpreter"].startswith("tflite-micro ")
    runtime.Interpreter.from_bytes(model, arena_size=found["arena_bytes"]).invoke()
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(model, arena_size=found["arena_bytes"] - 1)


def test_tflm_arena_of_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))

    with pytest.raises(UnsupportedError, match=r"does not take model\.tflite"):
        measure(str(path))
