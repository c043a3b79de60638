"""Tables for other programs: CSV by the standard library, Parquet by pyarrow, both written row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from edgekit.core.errors import UnsupportedError, UsageError
from edgekit.core.files import replacing

Row = Mapping[str, Any]

_ROWS_AT_ONCE = 65_536
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(path: Path, columns: Mapping[str, type], rows: Iterable[Row]) -> int:
    """Write rows to a file whose suffix says how.

    Args:
        path: ends with .csv or .parquet; an existing file is replaced whole or not at all.
        columns: names and types, str, int or float; every column may be empty.
        rows: values by column; what a row lacks is empty.

    Returns:
        The number of rows.

    Raises:
        UsageError: another suffix.
        UnsupportedError: pyarrow is not installed.
        StorageError: the disk is full.
        InputError: the folder cannot be written to.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise UsageError(f"{path.name} ends with neither {' nor '.join(writers)}", hint="name it like runs.csv")
    if path.suffix.lower() == ".parquet":
        _require_pyarrow()
    with replacing(path) as file:
        return write(file, columns, rows)


def _write_csv(file: BinaryIO, columns: Mapping[str, type], rows: Iterable[Row]) -> int:
    """UTF-8 with a header, as RFC 4180 has it; floats with all their digits, and no text that begins a formula."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    writer = csv.DictWriter(text, list(columns), restval="")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
        count += 1
    text.detach()
    return count


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula with an apostrophe before it (OWASP, "CSV Injection")."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write_parquet(file: BinaryIO, columns: Mapping[str, type], rows: Iterable[Row]) -> int:
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for some in _batches(rows):
            count += len(some)
            held = {name: [_of(kind, row.get(name)) for row in some] for name, kind in columns.items()}
            writer.write_table(pyarrow.table(held, schema=schema))
    return count


def _of(kind: type, value: Any) -> Any:
    if value is None:
        return None
    return value.encode("utf-8", "backslashreplace").decode() if kind is str else kind(value)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, _ROWS_AT_ONCE)):
        yield some


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as cause:
        raise UnsupportedError(
            "Parquet is written with pyarrow, which is not installed",
            hint="pip install 'edgekit-deploy[export]', or name the file .csv",
        ) from cause
