import shutil
from contextlib import suppress

import pytest
import toy

from bench.errors import StoreError
from bench.runs.clean import clean
from bench.runs.planning.plan import plan as make_plan
from bench.store.attempt import STATES
from bench.store.claims import Claims
from bench.store.integrity import verify


def with_states(store, plan):
    units = plan.units.values()
    return {
        unit.label.split(" ", 1)[1] for unit in units if any((store.folder(unit) / name).exists() for name in STATES)
    }


def test_a_finished_plan_keeps_no_states(filled):
    store, plan = filled
    size = sum((store.folder(unit) / name).stat().st_size for unit in plan.units.values() for name in STATES
               if (store.folder(unit) / name).exists())  # fmt: skip
    assert clean(store, plan) == (6, size, [])
    assert with_states(store, plan) == set()
    assert verify(store) == []
    assert clean(store, plan) == (0, 0, [])


def test_states_that_a_unit_of_the_plan_waits_for_stay(filled):
    store, plan = filled
    longer = make_plan(toy.suite(("ticket",), levels=(4,)))
    clean(store, longer)
    assert with_states(store, plan) == {"dense L0 s0", "ticket L3 s0"}
    clean(store, make_plan(toy.suite(("ticket", "one-shot"), levels=(3,))))
    assert with_states(store, plan) == {"dense L0 s0"}


def test_states_that_only_a_control_waits_for_go(filled):
    """It reads its ticket's mask, and masks stay."""
    store, plan = filled
    clean(store, make_plan(toy.suite(("ticket", "shuffled"), levels=(1, 3))))
    assert with_states(store, plan) == set()


def test_without_a_plan_dense_and_the_end_of_a_chain_stay(filled):
    """Any method may still start from dense; from a level of a chain only the next one does."""
    store, plan = filled
    clean(store)
    assert with_states(store, plan) == {"dense L0 s0", "ticket L3 s0"}
    clean(store, plan)
    assert with_states(store, plan) == set()


@pytest.mark.parametrize("trouble_is", ["full", "fail", "diverge"])
@pytest.mark.parametrize("with_plan", [True, False])
def test_what_unfinished_units_start_from_stays(store, go, trouble, trouble_is, with_plan):
    """After a full disk nothing in the store tells what else was to be trained."""
    suite = toy.suite(("dense", "ticket", "one-shot"), levels=(1, 3))
    plan = make_plan(suite)
    trouble({f"toy/chain@smoke {unit}": trouble_is for unit in ("ticket L2 s0", "one-shot L3 s0")})
    for _ in range(2):  # the other may have come first
        with suppress(StoreError):
            go(suite, workers=1)
    done = {unit.id for unit in plan.units.values() if store.record(unit)}
    before = with_states(store, plan)
    clean(store, plan if with_plan else None)
    gone = {"ticket L1 s0"} if trouble_is == "diverge" else set()
    assert with_states(store, plan) == before - gone
    assert "dense L0 s0" in before
    trouble({})
    _, watch = go(suite)
    assert len(watch.labels) == (0 if trouble_is == "diverge" else len(plan.units) - len(done)), "nothing twice"


@pytest.mark.parametrize("with_plan", [True, False])
def test_what_a_unit_that_is_trained_again_starts_from_stays(filled, with_plan):
    store, plan = filled
    again = next(unit for unit in plan.units.values() if unit.label.endswith("ticket L3 s0"))
    assert Claims(store.root).take(again.id) is None
    clean(store, plan if with_plan else None)
    assert with_states(store, plan) >= {"dense L0 s0", "ticket L2 s0"}
    assert "ticket L1 s0" not in with_states(store, plan)


@pytest.mark.parametrize("with_plan", [True, False])
def test_nothing_is_removed_while_a_unit_is_trained_that_nobody_here_knows(filled, toys, with_plan):
    """It reads its twin's trained weights after its own training, and dense's; its claim does not tell which those are."""
    store, plan = filled
    wider = make_plan(toy.suite(("ticket", "ticket-reordered"), levels=(1, 3)))
    stranger = next(unit for unit in wider.units.values() if unit.label.endswith("ticket-reordered L1 s0"))
    claims = Claims(store.root)
    assert claims.take(stranger.id) is None
    before = with_states(store, plan)
    with pytest.raises(StoreError, match=r"^1 unit that is not known here is being trained in .*: clean when"):
        clean(store, plan if with_plan else None)
    assert with_states(store, plan) == before
    clean(store, wider)
    assert with_states(store, plan) == {"dense L0 s0", "ticket L1 s0", "ticket L3 s0"}, (
        "a plan that knows it tells what"
    )
    claims.release(stranger.id)
    clean(store, plan if with_plan else None)
    assert "ticket L1 s0" not in with_states(store, plan)


def test_what_a_parent_that_must_be_trained_again_starts_from_stays(filled):
    """Level 4 waits for level 3, whose mask is gone: it takes level 2 and dense to make it again."""
    store, plan = filled
    longer = make_plan(toy.suite(("ticket",), levels=(4,)))
    last = next(unit for unit in plan.units.values() if unit.label.endswith("ticket L3 s0"))
    (store.folder(last) / "mask.safetensors").unlink()
    clean(store, longer)
    assert with_states(store, plan) == {"dense L0 s0", "ticket L2 s0", "ticket L3 s0"}


def snapshot(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("level", "damage", "told", "left"),
    [
        (0, lambda folder: toy.flip(folder / "rewind.safetensors"), "rewind.safetensors was changed", [0, 1, 2, 3]),
        (1, lambda folder: toy.flip(folder / "final.safetensors"), "final.safetensors was changed", [1, 2, 3]),
        (2, lambda folder: toy.flip(folder / "mask.safetensors"), "mask.safetensors was changed", [2, 3]),
        (2, lambda folder: (folder / "mask.safetensors").unlink(), "mask.safetensors is missing", [2, 3]),
        (2, lambda folder: (folder / "more").touch(), "more is not in the record", [2, 3]),
        (1, lambda folder: (folder / "record.json").write_text("{"), "record.json cannot be read", [1, 2, 3]),
    ],
)  # fmt: skip
def test_what_does_not_match_its_record_is_left_alone_and_what_came_of_it(filled, level, damage, told, left):
    store, plan = filled
    other = make_plan(toy.suite(("ticket",), levels=(3,), seeds=(1,)))
    for unit in other.units.values():
        toy.finish(unit, store, other)
    chain = [unit for unit in plan.units.values() if unit.method.name in ("dense", "ticket")]
    damage(store.folder(chain[level]))
    both = make_plan(toy.suite(("dense", "ticket"), levels=(1, 3), seeds=(0, 1)))
    before = snapshot(store.root)
    cleaned = clean(store, both)
    wanted = {0} if "record.json" in told else set()  # it is trained again, from dense
    assert with_states(store, both) == {chain[each].label.partition(" ")[2] for each in {*left, *wanted}}
    after = snapshot(store.root)
    assert {path for path in before.keys() - after.keys() if path.name not in STATES} == set()
    known = [each for each in left if each != level or "record.json" not in told]
    assert len(cleaned.kept) == len(known)
    for each, line in zip(known, sorted(cleaned.kept), strict=True):
        why = told if each == level else f"it comes from {store.folder(chain[level]).name}, where {told}"
        assert line.startswith(f"{chain[each].path}: {why}")
        assert "\n" not in line
    assert clean(store, both) == (0, 0, cleaned.kept)


def test_without_a_plan_too_what_does_not_match_is_left_alone(filled):
    store, plan = filled
    damaged = next(unit for unit in plan.units.values() if unit.label.endswith("ticket L1 s0"))
    toy.flip(store.folder(damaged) / "mask.safetensors")
    assert len(clean(store).kept) == 2
    assert with_states(store, plan) == {"dense L0 s0", *(f"ticket L{level} s0" for level in (1, 2, 3))}


def test_a_record_from_another_version_is_left_alone(filled):
    store, plan = filled
    folder = store.folder(next(iter(plan.units.values())))
    (folder / "record.json").write_text(
        (folder / "record.json").read_text().replace('"spec_version": 1', '"spec_version": 2')
    )
    clean(store)
    assert (folder / "final.safetensors").exists()


def test_the_command_names_what_it_left_alone_and_ends_with_1(command, finished):
    asked = ("clean", "--store", finished)
    (folder,) = (finished / "toy/chain/ticket/s1").glob("L02-*")
    toy.flip(folder / "final.safetensors")
    code, out, _ = command(*asked)
    named, *more, last = out.splitlines()
    assert code == 1
    assert named.startswith(f"left alone: toy/chain/ticket/s1/{folder.name}: final.safetensors was changed")
    assert more == []
    assert last.startswith("removed 3 files, 0.0 MB; records, curves and masks stay; so do weights of dense")
    shutil.rmtree(folder)
    assert command(*asked)[0] == 0
