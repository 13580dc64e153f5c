"""The sentences about tickets of other tasks."""

from dataclasses import replace

import pytest

from bench import registry
from bench.report.table.notes import notes
from bench.report.table.rows import sections
from bench.spec import Pruning

SHARED = "a seed gives source and target the same initial weights, of which 1906.02773 says nothing."
OWN_HEAD = "under an output layer of its own"
SAME_HEAD = "the output layer's among them, as outputs mean the same"


@pytest.fixture
def told(record, task, install, as_told):
    """What is said of `vision/toy` with arms from `vision/there`, whose fields and those of the target are given."""

    def say(*methods, levels=(1,), own=None, **there):
        target = task(**(own or {}))
        install(target, task(name="vision/there", **there))
        records = [record("dense", 0, seed, 0.9, task=target) for seed in range(3)]
        records += [
            record(registry.method(name), level, seed, 0.9, task=target, search_cost=1000 + 2500 * level)
            for name in methods
            for level in levels
            for seed in range(3)
        ]
        (section,) = sections(records)
        return [note for note in notes(section) if "+there" in note]

    return say


def test_the_sources_share_is_told_level_by_level_and_once_for_all_arms_of_a_source(told):
    (note,) = told("transfer+there", "transfer-reinit+there", levels=(1, 3))
    assert note.startswith(
        "`transfer+there`, `transfer-reinit+there`: 2,500 updates (L1), 7,500 updates (L3) of the search cost are the "
        "source's, paid once for all targets. "
    )


def test_a_namesake_that_is_not_installed_says_nothing_of_the_cost(record, task, install, told):
    (honest,) = told("transfer+there")
    records = [
        record(each, level, seed, 0.9, search_cost=cost)
        for each, level, cost in (
            (registry.method("dense"), 0, 1000),
            (registry.method("transfer+there"), 1, 3500),
            (replace(registry.method("transfer+there"), version=99), 1, 9000),
        )
        for seed in range(3)
    ]
    (section,) = sections(records)
    assert [note for note in notes(section) if note.startswith("`transfer")] == [honest]


def test_the_mask_alone_brings_no_weights_to_tell_of(told):
    (note,) = told("transfer-reinit+there")
    assert note.endswith("are the source's, paid once for all targets.")


@pytest.mark.parametrize(
    ("there", "head"),
    [({}, SAME_HEAD), ({"data": {"set": "ab"}}, OWN_HEAD), ({"config": {"model": "toy", "classes": 2}}, OWN_HEAD)],
)
def test_where_the_output_layer_comes_from_is_told(told, there, head):
    exempt = Pruning(rate=0.5, exempt=("output.*",))  # else tasks of other classes have other networks
    (note,) = told("transfer+there", own={"pruning": exempt}, rewind_step=50, pruning=exempt, **there)
    assert note.endswith(f"`transfer+there` starts from the source's weights of step 50, {head}; {SHARED}")


@pytest.mark.parametrize(("own", "there", "said"), [(0, 0, True), (0, 50, False), (100, 0, False)])
def test_where_both_rewind_to_the_beginning_only_masks_differ(told, own, there, said):
    (note,) = told("transfer+there", own={"rewind_step": own}, rewind_step=there)
    assert note.endswith("Both rewind to step 0, so that it differs from `ticket` by its mask alone.") == said


def test_of_a_source_that_is_not_installed_nothing_is_told(record, as_told):
    (section,) = sections([record(registry.method("transfer+nowhere"), 1, seed, 0.9) for seed in range(3)])
    (note,) = [note for note in notes(section) if "nowhere" in note]
    assert "Not installed here, or another version of it: transfer+nowhere (version 1);" in note


def test_a_table_without_transfers_says_nothing_of_them(told):
    assert told("ticket") == []
