"""Records, or rows of the table, as a data frame of whichever library is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bench.errors import MissingPackage, UnknownName
from bench.record import Record
from bench.report.table.rows import Row

LIBRARIES = ("pandas", "polars")

_MEASURED = ("split", "at", "step", "direction", "value")
_KEPT = (
    *("density", "density_weights", "density_total", "effective_density", "flops", "flops_dense", "overlap"),
    *("steps", "updates", "env_steps", "search_cost", "wall_seconds"),
)


def frame(found: Iterable[Record] | Iterable[Row], library: str | None = None) -> Any:
    """A data frame: of rows a line each; of records a line per unit and measurement.

    Args:
        found: records or rows, not both.
        library: `pandas` or `polars`; the first of them that is installed unless given.

    Raises:
        MissingPackage: if it is not installed.
        UnknownName: if it is another.
    """
    if library not in (None, *LIBRARIES):
        raise UnknownName("library", str(library), LIBRARIES)
    chosen = library or next((name for name in LIBRARIES if find_spec(name)), None)
    if chosen is None or not find_spec(chosen):
        raise MissingPackage("a data frame", chosen or " or ".join(LIBRARIES), install=chosen or LIBRARIES[0])
    columns = _columns(found)
    made = import_module(chosen).DataFrame
    return made(columns) if chosen == "pandas" else made(columns, strict=False)  # whole numbers beside others


def _columns(found: Iterable[Record] | Iterable[Row]) -> dict[str, list[Any]]:
    lines = [line for each in found for line in (_of_row(each) if isinstance(each, Row) else _of_record(each))]
    return {name: [line[name] for line in lines] for name in (lines[0] if lines else ())}


def _of_row(row: Row) -> Iterator[dict[str, Any]]:
    yield {column.name: getattr(row, column.name) for column in fields(row)}


def _of_record(record: Record) -> Iterator[dict[str, Any]]:
    """A line per measurement; one without, if training diverged before any."""
    spec, told = record["spec"], dict(record)
    task = spec["task"]
    known = {"task": task["name"], "scale": task["scale"], "task_version": task["version"]}
    known |= {"method": spec["method"]["name"], "level": spec["level"], "seed": spec["seed"], "status": told["status"]}
    kept = {name: told[name] for name in (*_KEPT, "unit_id")}
    measured: list[Any] = list(record["metrics"]) or [{}]
    for metric in measured:
        yield {**known, "metric": metric.get("name"), **{name: metric.get(name) for name in _MEASURED}, **kept}
