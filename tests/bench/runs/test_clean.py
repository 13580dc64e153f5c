import toy

from bench.runs.clean import clean
from bench.runs.plan import plan as make_plan
from bench.store.attempt import STATES
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
    assert clean(store, plan) == (6, size)
    assert with_states(store, plan) == set()
    assert verify(store) == []
    assert clean(store, plan) == (0, 0)


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


def test_without_a_plan_the_end_of_a_chain_stays(filled):
    store, plan = filled
    clean(store)
    assert with_states(store, plan) == {"ticket L3 s0"}


def test_a_record_from_another_version_is_left_alone(filled):
    store, plan = filled
    folder = store.folder(next(iter(plan.units.values())))
    (folder / "record.json").write_text(
        (folder / "record.json").read_text().replace('"spec_version": 1', '"spec_version": 2')
    )
    clean(store)
    assert (folder / "final.safetensors").exists()
