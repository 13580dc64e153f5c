import pytest
import toy

from bench.errors import SpecError, UnknownName
from bench.runs.selection import Selection

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
