"""A run meets a store that lost files, or whose bits flipped: what can be made again is, and nothing is trained on damage."""

import shutil

import pytest
import toy

from bench import registry
from bench.runs.clean import clean
from bench.runs.planning.plan import plan as make_plan
from bench.store.attempt import CONFLICTS
from bench.store.integrity import verify

WIDER = toy.suite(("dense", "ticket", "reinit", "shuffled", "random-ticket"), levels=(1, 3, 4))


def folder_of(store, method, level):
    (unit,) = (unit for unit in make_plan(WIDER).units.values() if (unit.method.name, unit.level) == (method, level))
    return store.folder(unit)


@pytest.mark.parametrize("name", ["mask", "final"])
def test_a_lost_file_that_children_need_is_made_again_once(filled, go, name):
    store, _ = filled
    path = folder_of(store, "ticket", 3) / f"{name}.safetensors"
    was = path.read_bytes()
    path.unlink()
    frontier, watch = go(WIDER)
    assert "toy/chain@smoke ticket L3 s0" in watch.labels
    assert (frontier.failed, frontier.blocked) == ({}, {})
    assert path.read_bytes() == was
    assert verify(store) == []
    assert not (store.root / CONFLICTS).exists()
    assert go(WIDER)[1].labels == []


@pytest.mark.parametrize(
    ("method", "level", "name", "failed", "blocked"),
    [
        ("dense", 0, "rewind", {"ticket L4 s0"}, {"reinit L4 s0", "shuffled L4 s0"}),
        ("ticket", 3, "final", {"ticket L4 s0"}, {"reinit L4 s0", "shuffled L4 s0"}),
        ("ticket", 3, "mask", {"ticket L4 s0", "shuffled L3 s0"}, {"reinit L4 s0", "shuffled L4 s0"}),
        ("ticket", 1, "mask", {"shuffled L1 s0"}, set()),
    ],
)  # fmt: skip
def test_nothing_is_trained_on_flipped_bits(filled, go, method, level, name, failed, blocked):
    """The children fail and say why, as often as it is tried; the rest goes on; what is made again is as good as new."""
    store, _ = filled
    damaged = folder_of(store, method, level)
    toy.flip(damaged / f"{name}.safetensors")
    for _ in range(2):
        frontier, _ = go(WIDER)
        told = f"{damaged}: {name}.safetensors was changed since it was recorded: its sha256 is not the record's; "
        told += "look with `ticketbench verify`, then remove this folder and run again"
        assert {frontier.plan.units[each].label.partition(" ")[2]: why for each, why in frontier.failed.items()} == (
            dict.fromkeys(failed, told)
        )
        assert {frontier.plan.units[each].label.partition(" ")[2] for each in frontier.blocked} == blocked
        done = len(frontier.plan.units) - len(failed) - len(blocked)
        assert len(frontier.finished) == len(store.records()) == done
    shutil.rmtree(damaged)
    frontier, _ = go(WIDER)
    assert len(frontier.finished) == len(frontier.plan.units)
    assert verify(store) == []


def test_what_a_transfer_needs_of_a_source_that_was_cleaned_is_made_again(store, go, toys):
    source = toy.suite(("dense", "ticket"), levels=(2,), of=registry.task("toy/slow", "smoke"))
    go(source)
    assert clean(store, make_plan(source)).files == 5, "three states of dense, and the last of two rounds"
    frontier, watch = go(toy.suite(("dense", "transfer+slow"), levels=(2,)))
    assert (frontier.failed, frontier.blocked) == ({}, {})
    assert "toy/slow@smoke dense L0 s0" in watch.labels
    assert "toy/slow@smoke ticket L2 s0" not in watch.labels, "its mask is there"
    assert watch.labels[-1] == "toy/chain@smoke transfer+slow L2 s0"
    assert verify(store) == []


@pytest.mark.parametrize("trouble_is", ["fail", "diverge"])
def test_a_transfer_waits_for_its_source_and_is_blocked_with_it(store, go, toys, trouble, trouble_is):
    suite = toy.suite(("dense", "transfer+slow", "transfer-reinit+slow"), levels=(1, 2))
    trouble({"toy/slow@smoke ticket L2 s0": trouble_is})
    frontier, _ = go(suite)
    blocked = {frontier.plan.units[each].label for each in frontier.blocked}
    assert blocked == {f"toy/chain@smoke {name}+slow L2 s0" for name in ("transfer", "transfer-reinit")}
    if trouble_is == "fail":
        trouble({})
        assert go(suite)[0].blocked == {}
