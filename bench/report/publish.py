"""Puts a suite's records, tables and figures where readers find them: `results/`, without weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from bench.digests import canonical_json
from bench.errors import StoreError
from bench.record import Record
from bench.report.claims.definitions import load
from bench.report.claims.text import markdown
from bench.report.claims.verdicts import judge, shown
from bench.report.table.render import Style, render, resamples

STYLES: tuple[Style, ...] = ("csv", "md")


def publish(records: Iterable[Record], folder: Path, *, name: str) -> list[Path]:
    """Write `records/<name>.jsonl`, `tables/<name>.csv` and `.md`, and `plots/<name>-<task>.svg`.

    `tables/<name>-bootstrap.csv` comes with them where records keep their test items.

    What was published under that name before stays, so that a suite can be published task by task, from several
    machines; a unit that comes again replaces its record.

    Args:
        records: of a suite, in any order; the files do not depend on it.
        folder: `results`.
        name: of the suite.

    Returns:
        The files, in that order.
    """
    from bench.report.figures.plots import plot  # noqa: PLC0415  reading what is published must not wait for matplotlib

    path = folder / "records" / f"{name}.jsonl"
    before = published(path) if path.exists() else []
    by_unit = {record["unit_id"]: record for record in (*before, *records)}
    ordered = [by_unit[unit_id] for unit_id in sorted(by_unit)]
    lines = "".join(canonical_json(record) + "\n" for record in ordered)
    written = [_write(path, lines)]
    written += [_write(folder / "tables" / f"{name}.{style}", render(ordered, style)) for style in STYLES]
    if bootstrap := resamples(ordered):
        written.append(_write(folder / "tables" / f"{name}-bootstrap.csv", bootstrap))
    return written + plot(ordered, folder / "plots", stem=name)


def refresh(folder: Path) -> list[Path]:
    """Make every table and figure again from the records that are published, and `tables/claims.md` from all of them.

    Args:
        folder: `results`.

    Returns:
        The files.

    Raises:
        StoreError: if nothing is published there.
    """
    paths = sorted((folder / "records").glob("*.jsonl"))
    if not paths:
        raise StoreError(f"no records/*.jsonl in {folder}: publish a suite first, or name another --output")
    written = [file for path in paths for file in publish([], folder, name=path.stem)]
    return [
        *written,
        _write(folder / "tables" / "claims.md", verdicts([each for path in paths for each in published(path)])),
    ]


def verdicts(records: Iterable[Record]) -> str:
    """Every claim at the largest scale at which the records tell something, as a Markdown table."""
    return markdown(shown(judge(load(), records)))


def published(path: Path) -> list[Record]:
    """The records that `publish` wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
