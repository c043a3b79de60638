"""PyTorch Mobile: .ptl models of the lite interpreter, quantized for qnnpack, x86 or fbgemm, or float.

A .ptl is a ZIP archive of tensors and of two pickles, which name the classes and hold the bytecode of the model. They
are never given to Python's `pickle`, which would import and call whatever they name: torch's C++ reader knows the
opcodes of data, and resolves names to TorchScript's own types only, so a pickle with code in it is refused. What a
hostile file can still do is to crash that reader, or eat memory; that is why models run in limited children.

The model says in `extra/edgekit.json` inside the archive what it takes and gives, and for which engine its weights are
packed: {"inputs": [{"name", "shape", "dtype"}], "outputs": [...], "engine": "qnnpack"|"x86"|"fbgemm"|"none"}.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import tempfile
import warnings
import zipfile
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

from device_agents.linux import tensors
from device_agents.linux.runners import RunnerError, _torch_tensors
from device_agents.linux.runners._probe_models import ADD_PTL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORMATS = ("ptl",)

_FACTS = "/extra/edgekit.json"
_MOST_FACTS = 1024 * 1024
_FILE_OPERATORS = (b"aten::save", b"aten::from_file")
"""TorchScript's operators that write, or map, a file of any name."""

_NO_ENGINE = "none"
_HINT = "make it again with `edgekit compile`"


def versions() -> dict[str, str]:
    """Version of torch."""
    return {"torch": metadata.version("torch")}


def prepare() -> None:
    """Import torch and the lite interpreter."""
    _interpreter()


def probe() -> None:
    """Run x + x on 8-bit values, in QNNPACK where it is there: QNNPACK looks at the processor when it starts.

    Raises:
        RuntimeError: it computes something else, or does not start.
    """
    torch, load_model = _interpreter()
    engines = torch.backends.quantized
    before = engines.engine
    if "qnnpack" in engines.supported_engines:
        engines.engine = "qnnpack"
    try:
        x = torch.frombuffer(bytearray(b"\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40"), dtype=torch.float32).view(1, 4)
        with _quiet(), torch.no_grad():
            y = load_model(io.BytesIO(ADD_PTL))(x)
    finally:
        engines.engine = before
    if y.tolist() != [[0.0, 2.0, 4.0, 6.0]]:
        raise RuntimeError(f"x + x gives {y.tolist()}")


def load(path: str, options: dict[str, Any]) -> Session:
    """Load a model; its engine, which is one setting of the whole process, stays chosen for as long as that lives.

    Args:
        path: the .ptl file.
        options: `threads`, `kernels`, `delegate` as in docs/protocol.md; there are the default kernels only.

    Raises:
        RunnerError: E_UNSUPPORTED for a model, or an option, that this torch does not take.
    """
    if options["delegate"] is not None or options["kernels"] != "default":
        raise RunnerError(
            "E_UNSUPPORTED",
            "PyTorch Mobile has no delegate {!r} with kernels {!r}".format(options["delegate"], options["kernels"]),
        )
    facts = _facts(path)
    torch, load_model = _interpreter()
    torch.set_num_threads(options["threads"])
    torch.set_grad_enabled(False)
    with _engine(torch.backends.quantized, facts["engine"]):
        try:
            with _quiet():
                _refuse_files(torch, path)
                model = load_model(path)
        except RuntimeError as cause:
            reason = str(cause).partition("\n")[0]
            raise RunnerError(
                "E_UNSUPPORTED", f"torch {torch.__version__} refuses the model: {reason[:1000]}"
            ) from cause
    return Session(model, facts)


def _refuse_files(torch: Any, path: str) -> None:
    """Refuse a model that opens files; torch's own reader is asked, as a crafted archive shows Python another bytecode.

    Names of operators stand in it as plain text: the only kind that torch's reader of pickles takes.

    Raises:
        RunnerError: E_UNSUPPORTED, with the operator.
    """
    bytecode = torch._C.PyTorchFileReader(path).get_record("bytecode.pkl")  # noqa: SLF001  # what torch.load takes
    for operator in _FILE_OPERATORS:
        if operator in bytecode:
            raise RunnerError("E_UNSUPPORTED", "the model opens files, by {}".format(operator.decode("ascii")))


class Session:
    """A loaded model."""

    def __init__(self, model: Any, facts: dict[str, Any]) -> None:
        self.inputs: list[dict[str, Any]] = facts["inputs"]
        self.outputs: list[dict[str, Any]] = facts["outputs"]
        self._model = model

    def samples(self, index: int, data: memoryview, count: int) -> Iterable[Any]:
        """Tensors of the input's own shape; no copy."""
        return _torch_tensors.samples(data, self.inputs[index], count)

    def run(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """One inference."""
        result = self._model(*values)
        return [_torch_tensors.content(one) for one in (result if isinstance(result, (tuple, list)) else (result,))]


def _facts(path: str) -> dict[str, Any]:
    """What the model says of itself, checked."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(_FACTS) and name.count("/") == 2]
            if len(names) != 1:
                raise RunnerError("E_UNSUPPORTED", f"the .ptl does not hold extra/edgekit.json; {_HINT}")
            if archive.getinfo(names[0]).file_size > _MOST_FACTS:
                raise RunnerError("E_UNSUPPORTED", f"extra/edgekit.json in the .ptl is beyond 1 MiB; {_HINT}")
            facts = json.loads(archive.read(names[0]))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as cause:
        raise RunnerError("E_UNSUPPORTED", f"not a model of the lite interpreter: {cause}") from cause
    try:
        for spec in [*facts["inputs"], *facts["outputs"]]:
            tensors.size_bytes(spec["shape"], spec["dtype"])
            if not isinstance(spec["name"], str):
                raise TypeError("a name is no text")
        return {
            "engine": str(facts["engine"]),
            **{
                side: [{key: spec[key] for key in ("name", "shape", "dtype")} for spec in facts[side]]
                for side in ("inputs", "outputs")
            },
        }
    except (KeyError, TypeError, ValueError) as cause:
        raise RunnerError("E_UNSUPPORTED", f"extra/edgekit.json in the .ptl is damaged: {cause!r}; {_HINT}") from cause


@contextmanager
def _engine(engines: Any, wanted: str) -> Iterator[None]:
    """Choose the engine, and go back to the one before if the model cannot be loaded."""
    if wanted == _NO_ENGINE:
        yield
        return
    available = [name for name in engines.supported_engines if name != _NO_ENGINE]
    if wanted not in available:
        raise RunnerError(
            "E_UNSUPPORTED",
            "the model is quantized for the engine {!r}, and this torch has {} only".format(
                wanted, ", ".join(available) or "none"
            ),
        )
    before = engines.engine
    engines.engine = wanted
    try:
        if engines.engine != wanted:
            raise RunnerError("E_UNSUPPORTED", f"torch keeps the engine {engines.engine!r} when {wanted!r} is set")
        yield
    except BaseException:
        engines.engine = before
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """The lite interpreter and quantized tensors are deprecated, and say so at every use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _interpreter() -> tuple[Any, Any]:
    """The module torch and its loader; raises ImportError, also where this torch has no lite interpreter any more."""
    if tempfile.tempdir is None:  # dill, which torch imports where it is there, looks for one; none can be written to
        tempfile.tempdir = os.curdir
    with _quiet():
        torch = importlib.import_module("torch")
        mobile = importlib.import_module("torch.jit.mobile")
    try:
        return torch, mobile._load_for_lite_interpreter  # noqa: SLF001  # it has no other name
    except AttributeError as cause:
        raise ImportError(
            f"torch {torch.__version__} has no lite interpreter any more; an older torch or ExecuTorch does"
        ) from cause
