"""The generated C, built for this machine under sanitizers, beside tflite-micro: both answer the same calls."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.tflite.model import parse_model
from edgekit.mcu.emit import Library, kernel_text
from edgekit.mcu.generate import compile_library
from edgekit.mcu.layer import Core
from edgekit.mcu.rows import is_chain

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Werror", "-std=c99")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_ARENA_BYTES = 4 << 20
_ROOT = Path(__file__).parents[2]
_KERNELS = _ROOT / "edgekit" / "mcu" / "kernels"
_OWN_NAMES = re.compile(r"\bek_(constant|params|layer|reset)_(?=\d)")
_MAIN = Path(__file__).with_name("mcu_main.c")

Calls = Sequence[Sequence[Any]]
"""Inputs of successive calls; state is kept from one to the next."""

Answers = Sequence[Sequence[Sequence[Any]]]
"""Of each question, of each call, of each output, an array."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A model and what it is called with."""

    name: str
    model: bytes
    calls: Calls


def ask_tflm(questions: Sequence[Question], folder: Path) -> Answers:
    """Outputs of tflite-micro.

    Raises:
        RuntimeError: it refuses a model, or its process dies; the message names the question.
    """
    asked, answered = folder / "questions.pickle", folder / "answers.pickle"
    asked.write_bytes(pickle.dumps([(one.name, one.model, one.calls) for one in questions]))
    ran = subprocess.run(
        [sys.executable, __file__, str(asked), str(answered)], capture_output=True, text=True, timeout=600
    )
    if ran.returncode:
        raise RuntimeError(f"tflite-micro stopped with {ran.returncode}: {ran.stderr[-600:]} {ran.stdout[-200:]}")
    return pickle.loads(answered.read_bytes())


def ask_library(
    questions: Sequence[Question], folder: Path, *, core: Core, flags: Sequence[str] = ("-O1", *SANITIZERS)
) -> Answers:
    """The same from the generated C, all models in one program, each in an arena of exactly the planned size.

    Raises:
        RuntimeError: gcc or a sanitizer complains; the message names the question.
    """
    libraries = [_compiled(one, core, f"m{place}") for place, one in enumerate(questions)]
    program = build_program(libraries, folder, flags=flags)
    stream = b"".join(call_stream(place, one) for place, one in enumerate(questions))
    ran = subprocess.run([program], input=stream, capture_output=True, timeout=600)
    if ran.returncode:
        began = re.findall(rb"^case (\d+)$", ran.stderr, re.MULTILINE)
        name = questions[int(began[-1])].name if began else "the start"
        complaint = re.sub(rb"^case \d+\n", b"", ran.stderr, flags=re.MULTILINE)[:3000].decode()
        raise RuntimeError(f"the generated C stopped with {ran.returncode} in {name}: {complaint}")
    return parse_answers(questions, ran.stdout)


def differences(questions: Sequence[Question], answered: Answers, expected: Answers) -> list[str]:
    """The outputs that are not bit for bit as expected, each with its question, call and number of values."""
    found = []
    for question, own, theirs in zip(questions, answered, expected, strict=True):
        for call, (mine, right) in enumerate(zip(own, theirs, strict=True)):
            for place, (got, wanted) in enumerate(zip(mine, right, strict=True)):
                if got.tobytes() != np.ascontiguousarray(wanted).tobytes():
                    wrong = int(np.sum(got.ravel() != wanted.ravel()))
                    found.append(f"{question.name}: call {call}, output {place}: {wrong} of {got.size} values")
    return found


def compile_model(model: bytes, core: Core, *, name: str = "model") -> Library:
    """As the compiler does, from the bytes of a .tflite file."""
    return compile_library(parse_model(model), core, name=name)


def merged_source(libraries: Sequence[Library], folder: Path) -> Path:
    """One C file of several libraries, their headers beside it: kernels once, all else under the library's prefix."""
    parts = [_without_kernels(library) for library in libraries]
    kernels = list(dict.fromkeys(stem for stems, _ in parts for stem in stems))
    for library in libraries:
        (folder / f"{library.name}.h").write_text(library.files[f"{library.name}.h"], encoding="utf-8")
    specialise = "#define EK_SPECIALISE\n"
    own = "\n".join(part for _, part in parts)
    source = folder / "merged.c"
    source.write_text(
        (specialise if specialise in own else "")
        + "".join(_kernel(stem) for stem in kernels)
        + own.replace(specialise, ""),
        encoding="utf-8",
    )
    return source


def build_program(libraries: Sequence[Library], folder: Path, *, flags: Sequence[str] = ()) -> Path:
    """One executable of several libraries, which answers calls on its standard input (mcu_main.c)."""
    source = merged_source(libraries, folder)
    cases = "".join(case_row(library) for library in libraries)
    with source.open("a", encoding="utf-8") as end:
        end.write(_MAIN.read_text(encoding="utf-8").replace("/* cases */", cases))
    program = folder / "cases"
    built = subprocess.run(
        ["gcc", *flags, *WARNINGS, "-o", program, source], capture_output=True, text=True, timeout=600
    )
    if built.returncode:
        raise RuntimeError(f"gcc refuses the generated C: {built.stderr[:4000]}")
    return program


def draw_calls(model: bytes, rng: np.random.Generator, count: int) -> Calls:
    """Random inputs for a model: mostly uniform over the type, some of only its two ends."""
    return [[_draw(tensor, rng) for tensor in _inputs(model)] for _ in range(count)]


def _inputs(model: bytes) -> list[Any]:
    main = parse_model(model).main
    return [main.tensors[index] for index in main.inputs]


def _outputs(model: bytes) -> list[Any]:
    main = parse_model(model).main
    return [main.tensors[index] for index in main.outputs]


def _draw(tensor: Any, rng: np.random.Generator) -> Any:
    if tensor.dtype == "float32":
        return rng.normal(scale=4.0, size=tensor.shape).astype(np.float32)
    if tensor.dtype == "bool":
        return rng.integers(0, 2, tensor.shape).astype(np.bool_)
    limits = np.iinfo(tensor.dtype)
    low, high = (-1000, 1000) if limits.bits > 16 else (limits.min, limits.max)
    if rng.random() < 0.2:
        return rng.choice([low, high], tensor.shape).astype(tensor.dtype)
    return rng.integers(low, high, tensor.shape, dtype=tensor.dtype, endpoint=True)


def _compiled(question: Question, core: Core, name: str) -> Library:
    try:
        return compile_model(question.model, core, name=name)
    except Exception as error:
        error.add_note(f"in {question.name}")
        raise


@cache
def _kernel(stem: str) -> str:
    return re.sub(r"/\* needs: [a-z0-9_ ]+ \*/\n", "", kernel_text(stem))


def _without_kernels(library: Library) -> tuple[list[str], str]:
    source = library.files[f"{library.name}.c"]
    found = []
    chains = {layer.kernel for layer in library.schedule.layers if is_chain(layer.kernel)}
    for stem in (*(path.stem for path in _KERNELS.glob("*.h")), *sorted(chains)):
        text = _kernel(stem)
        if text in source:
            found.append((source.index(text), stem))
    for _, stem in found:
        source = source.replace(_kernel(stem), "")
    return [stem for _, stem in sorted(found)], _OWN_NAMES.sub(rf"ek_\1_{library.name}_", source)


def case_row(library: Library) -> str:
    upper = library.name.upper()
    header = library.files[f"{library.name}.h"]

    def table(kind: str) -> str:
        count = len(re.findall(rf"#define {upper}_{kind}_\d+_OFFSET", header))
        return ", ".join(f"{{{upper}_{kind}_{i}_OFFSET, {upper}_{kind}_{i}_BYTES}}" for i in range(count)) + ", {0, 0}"

    return (
        f"  {{{library.name}_reset, {library.name}_invoke, {upper}_ARENA_BYTES, "
        f"{{{table('INPUT')}}}, {{{table('OUTPUT')}}}}},\n"
    )


def call_stream(place: int, question: Question) -> bytes:
    head = np.array([place, len(question.calls)], "<u4").tobytes()
    return head + b"".join(np.ascontiguousarray(given).tobytes() for call in question.calls for given in call)


def parse_answers(questions: Sequence[Question], data: bytes) -> Answers:
    at = 0
    answers = []
    for question in questions:
        outputs = _outputs(question.model)
        answer = []
        for _ in question.calls:
            made = []
            for tensor in outputs:
                made.append(np.frombuffer(data, tensor.dtype, tensor.elements, at).reshape(tensor.shape))
                at += made[-1].nbytes
            answer.append(made)
        answers.append(answer)
    if at != len(data):
        raise RuntimeError(f"the program wrote {len(data)} bytes where {at} were expected")
    return answers


def _tflm_child(asked: Path, answered: Path) -> None:
    from tflite_micro import runtime

    answers = []
    for name, model, calls in pickle.loads(asked.read_bytes()):
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=_ARENA_BYTES + 10 * len(model))
        answer = []
        for call in calls:
            for place, given in enumerate(call):
                interpreter.set_input(given, place)
            interpreter.invoke()
            answer.append([np.array(interpreter.get_output(place)) for place in range(_count_outputs(model))])
        answers.append(answer)
    answered.write_bytes(pickle.dumps(answers))


def _count_outputs(model: bytes) -> int:
    from ai_edge_litert import schema_py_generated as schema

    return int(schema.Model.GetRootAs(model).Subgraphs(0).OutputsLength())


if __name__ == "__main__":
    _tflm_child(Path(sys.argv[1]), Path(sys.argv[2]))
