"""The finished units of a run or a store: their records, and what is made of them."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.record import CurvePoint, Record
from bench.report.folder import fill
from bench.report.frame import frame
from bench.report.table.render import Style, render
from bench.report.table.rows import Row, rows
from bench.store.store import Store, curves


@dataclass(frozen=True, kw_only=True, repr=False)
class Results:
    """Finished units, to be looked at; in a notebook they show themselves as the table.

    Args:
        name: of the suite; it begins the names of figures.
        store: where they are.
        records: of the units that were asked for and have finished.
        failed: label of a unit -> why it failed, or what it waits for in vain; the next run tries it again.
    """

    name: str
    store: Store
    records: list[Record]
    failed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def rows(self) -> list[Row]:
        """The uniform table, a row per task, method, level, metric and way of reading it."""
        return rows(self.records)

    @cached_property
    def curves(self) -> Mapping[str, list[CurvePoint]]:
        """Unit id -> every evaluation while it was trained."""
        return curves(self.store, self.records)

    def table(self, style: Style = "md", *, methods: Collection[str] | None = None) -> str:
        """The table as text.

        Args:
            style: `md`, `csv`, `tex`, `json`, `html` or `rliable`.
            methods: shown; all if None.
        """
        return render(self.records, style, methods=methods)

    def frame(self, library: str | None = None) -> Any:
        """The records as a data frame, a line per unit and measurement; see `bench.frame`."""
        return frame(self.records, library)

    def plot(self, folder: str | Path = "plots") -> Figures:
        """Draw the score of every method over density into a folder, as SVG and PNG."""
        from bench.report.figures.plots import plot  # noqa: PLC0415  a table must not wait for matplotlib

        noded = curves(self.store, (record for record in self.records if "nodes" in record))
        return Figures(fill(Path(folder), lambda draft: plot(self.records, draft, stem=self.name, curves=noded)))

    def __repr__(self) -> str:
        """How many there are."""
        failed = f", {len(self.failed)} failed or blocked" if self.failed else ""
        return f"<Results of {self.name}: {len(self.records)} records in {self.store.root}{failed}>"

    def _repr_html_(self) -> str:
        return self.table("html")


class Figures(tuple[Path, ...]):
    """The files that were drawn; in a notebook the figures themselves."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        drawn = (base64.b64encode(path.read_bytes()).decode() for path in self if path.suffix == ".svg")
        return "\n".join(f'<img src="data:image/svg+xml;base64,{each}">' for each in drawn)
