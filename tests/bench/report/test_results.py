"""Results: what a run or a store gives to a notebook."""

import base64
import re

import pytest

from bench.report.results import Figures, Results
from bench.report.table.render import render
from bench.report.table.rows import rows
from bench.store.store import Store, curve


@pytest.fixture
def results(finished):
    store = Store(finished)
    return Results(name="toy", store=store, records=store.records())


def test_rows_table_and_page_are_those_of_the_records(results):
    assert results.rows == rows(results.records)
    assert results.table() == render(results.records, "md")
    assert results.table("csv", methods=["ticket"]) == render(results.records, "csv", methods=["ticket"])
    assert results._repr_html_() == render(results.records, "html")
    assert repr(results) == f"<Results of toy: {len(results.records)} records in {results.store.root}>"


def test_curves_are_those_of_the_store(results):
    assert results.curves.keys() == {record["unit_id"] for record in results.records}
    for folder in results.store.folders():
        (ours,) = [each for unit, each in results.curves.items() if unit[:10] in folder.name]
        assert ours == curve(folder)


def test_figures_show_themselves_in_a_notebook(results, tmp_path):
    drawn = results.plot(tmp_path / "plots")
    assert [path.name for path in drawn] == ["toy-toy-chain.svg", "toy-toy-chain.png"]
    assert isinstance(drawn, Figures)
    (shown,) = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)">', drawn._repr_html_())
    assert base64.b64decode(shown) == drawn[0].read_bytes()
