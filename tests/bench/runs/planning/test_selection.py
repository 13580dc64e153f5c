import pytest
import toy

from bench.errors import SpecError, UnknownName
from bench.runs.planning.selection import Selection

SUITE = toy.suite(("dense", "ticket", "reinit"), levels=(1, 3), seeds=(0, 1))


def test_nothing_asked_keeps_everything():
    assert Selection().of_suite(SUITE) == SUITE


def test_parts_of_a_suite():
    wanted = Selection(tasks=("toy/chain",), methods=("reinit",), levels=(3,), seeds=(1,))
    (entry,) = wanted.of_suite(SUITE).entries
    assert ([each.name for each in entry.methods], entry.levels, entry.seeds) == (["reinit"], (3,), (1,))


def test_another_scale_is_another_task(toys):
    (entry,) = Selection(scale="quick").of_suite(SUITE).entries
    assert (entry.task.key, entry.task.budget) == ("toy/chain@quick", 60)
    with pytest.raises(UnknownName, match="unknown scale of toy/chain 'paper'"):
        Selection(scale="paper").of_suite(SUITE)


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        ({"tasks": ("toy/chian",)}, UnknownName, "unknown task of suite toy 'toy/chian': did you mean 'toy/chain'"),
        ({"methods": ("snip",)}, UnknownName, "unknown method of suite toy 'snip': .*known are dense, reinit, ticket"),
        ({"levels": (1, 2)}, SpecError, "levels 2 asked, suite toy has 1, 3: copy its file"),
        ({"seeds": (7,)}, SpecError, "seeds 7 asked, suite toy has 0, 1"),
    ],
)
def test_what_the_suite_lacks_is_an_error_and_no_empty_run(wanted, error, said):
    with pytest.raises(error, match=said):
        Selection(**wanted).of_suite(SUITE)


def test_parts_of_records(filled):
    records = filled[0].records()
    kept = Selection(methods=("ticket", "dense"), levels=(3,)).of_records(records)
    assert sorted((each["spec"]["method"]["name"], each["spec"]["level"]) for each in kept) == [
        ("dense", 0),
        ("ticket", 3),
    ]
    assert Selection(scale="paper").of_records(records) == []
    with pytest.raises(UnknownName, match="unknown method among the records 'snip'"):
        Selection(methods=("snip",)).of_records(records)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"levels": (3, 99)}, "levels 99 asked, the records have 0, 1, 2, 3: ask for some of these"),
        ({"seeds": (0, 7)}, "seeds 7 asked, the records have 0:"),
    ],
)
def test_numbers_that_no_record_has_are_an_error_and_no_table_of_dense_alone(filled, wanted, said):
    with pytest.raises(SpecError, match=said):
        Selection(**wanted).of_records(filled[0].records())


def test_levels_are_looked_for_in_the_records_of_the_tasks_that_are_asked_for(filled):
    records = filled[0].records()
    other = [
        {**each, "spec": {**each["spec"], "task": {**each["spec"]["task"], "name": "toy/other"}}} for each in records
    ]
    other = [each for each in other if each["spec"]["level"] < 3]
    with pytest.raises(SpecError, match="levels 3 asked, the records have 0, 1, 2:"):
        Selection(tasks=("toy/other",), levels=(3,)).of_records([*records, *other])
    assert Selection(levels=(3,)).of_records([]) == [], "that there is no record at all is told by others"
