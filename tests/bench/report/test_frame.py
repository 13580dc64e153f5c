"""Records and rows as data frames: the same numbers, whichever library is installed."""

import sys

import pytest

from bench.errors import MissingPackage, UnknownName
from bench.report import frame as module
from bench.report.frame import frame
from bench.report.table.rows import COLUMNS, rows

pytestmark = pytest.mark.usefixtures("as_told")


@pytest.fixture
def lists(monkeypatch):
    """A library that is installed everywhere; it keeps columns as they come."""

    class Library:
        @staticmethod
        def DataFrame(columns, **options):  # noqa: N802  their name
            return columns, options

    installed = {"pandas"}
    monkeypatch.setattr(module, "find_spec", lambda name: name in installed or None)
    monkeypatch.setattr(module, "import_module", lambda name: Library)
    return installed


def test_a_line_for_every_measurement_of_every_unit(record, lists):
    columns, _ = frame([record("dense", 0, 0, 0.9), record("ticket", 2, 1, 0.8)])
    assert columns["method"] == ["dense"] * 3 + ["ticket"] * 3
    assert columns["metric"] == ["accuracy", "accuracy", "other"] * 2
    assert columns["value"] == [0.9, 0.9, 7.0, 0.8, 0.8, 7.0]
    assert columns["split"] == ["test", "val", "test"] * 2
    assert columns["level"] == [0] * 3 + [2] * 3
    assert columns["seed"] == [0] * 3 + [1] * 3
    assert columns["density"][3] == 0.25
    assert len({len(values) for values in columns.values()}) == 1


def test_a_unit_that_diverged_before_any_measurement_keeps_a_line(record, lists):
    columns, _ = frame([record("snip", 1, 0, None)])
    assert (columns["status"], columns["metric"], columns["value"]) == (["diverged"], [None], [None])


def test_rows_have_the_columns_of_the_table(study, lists):
    table = rows(study({"dense": 0.0, "ticket": 0.01, "random-ticket": -0.05}))
    columns, _ = frame(table)
    assert tuple(columns) == COLUMNS
    assert columns["mean"] == [row.mean for row in table]


def test_nothing_gives_an_empty_frame(lists):
    assert frame([])[0] == {}


def test_the_library_is_the_first_that_is_installed_or_the_one_that_is_asked_for(record, lists):
    found = [record("dense", 0, 0, 0.9)]
    assert frame(found)[1] == {}
    lists.add("polars")
    assert frame(found)[1] == {}
    assert frame(found, "polars")[1] == {"strict": False}
    lists.remove("pandas")
    assert frame(found)[1] == {"strict": False}
    lists.clear()
    with pytest.raises(
        MissingPackage, match="a data frame needs pandas or polars, which is not installed: pip install 'pandas'"
    ):
        frame(found)
    with pytest.raises(MissingPackage, match="a data frame needs polars, which is not installed: pip install 'polars'"):
        frame(found, "polars")
    with pytest.raises(UnknownName, match="unknown library 'panda': did you mean 'pandas'"):
        frame(found, "panda")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_real_libraries_take_them(record, study, library):
    pytest.importorskip(library)
    found = frame([record("dense", 0, 0, 0.9), record("snip", 1, 0, None)], library)
    assert type(found).__module__.partition(".")[0] == library
    assert found.shape[0] == 4
    assert list(found["value"])[:3] == [0.9, 0.9, 7.0]
    assert frame(rows(study({"dense": 0.0, "ticket": 0.01})), library).shape[1] == len(COLUMNS)
    assert library in sys.modules
