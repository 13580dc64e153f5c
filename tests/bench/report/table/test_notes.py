"""The sentences under a table."""

from dataclasses import replace

import pytest

from bench.report.table.notes import collapsed, notes
from bench.report.table.render import render
from bench.report.table.rows import sections
from bench.tickets.methods import METHODS

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}
BRACKETS = "Brackets: 95 % t interval over seeds."
VERSUS = "Columns `vs`: difference paired by seed, positive where the row's method is better."
MATCHING = "Matching: the lower bound against `dense` is at least -0.01."
VERDICT = (
    "Verdict: `winning` has its lower bounds against `random-ticket`, `reinit` and `shuffled` above zero, "
    "`better` the one against `random-ticket`; `worse` has that upper bound below zero."
)


def told(records, methods=None):
    (section,) = sections(records, methods)
    return notes(section)


def without(records, *keys):
    """Records but for those of (method, level, seed)."""
    return [
        record
        for record in records
        if (record["spec"]["method"]["name"], record["spec"]["level"], record["spec"]["seed"]) not in keys
    ]


def test_a_whole_table_needs_four_sentences(study):
    assert told(study(EFFECTS)) == [BRACKETS, VERSUS, MATCHING, VERDICT]


@pytest.mark.parametrize(("seeds", "said"), [(7, False), (8, True)])
def test_many_seeds_are_bootstrapped(study, seeds, said):
    first = "Brackets: 95 % t interval over seeds, bootstrapped from 8 seeds on."
    assert told(study(EFFECTS, seeds=seeds))[0] == (first if said else BRACKETS)


def test_one_arm_of_few_seeds_is_enough_to_explain_it(study):
    few = without(study(EFFECTS), ("reinit", 1, 2))
    assert told(few)[0] == f"{BRACKETS} Fewer than 3 seeds: no interval, `n < 3`."
    assert (
        "Compared on fewer seeds than n: ticket L1 with `reinit` (2); shuffled L1 with `reinit` (2); " in told(few)[-1]
    )


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (("ticket", "random-ticket"), [BRACKETS, VERSUS, VERDICT]),
        (("dense", "ticket"), [BRACKETS, VERSUS, MATCHING]),
        (("ticket",), [BRACKETS]),
    ],
)
def test_only_what_the_columns_hold_is_explained(study, methods, said):
    lines = told(study({name: EFFECTS[name] for name in methods}))
    assert lines[: len(said)] == said
    assert all(line.endswith("nothing to compare with.") for line in lines[len(said) :])


def test_what_was_not_run_is_told_by_level(study):
    found = study(EFFECTS, levels=(1, 2, 3))
    gone = without(found, *(("reinit", level, seed) for level in (1, 3) for seed in range(3)))
    gone = without(gone, *(("shuffled", 2, seed) for seed in range(3)))
    gone = without(gone, *(("random-ticket", level, seed) for level in (1, 2, 3) for seed in range(3)))
    gone = without(gone, *(("dense", 0, seed) for seed in range(3)))
    assert [line for line in told(gone) if "was not run" in line] == [
        "`dense` was not run: nothing to compare with.",
        "`random-ticket` was not run: nothing to compare with.",
        "`reinit` was not run at levels 1, 3: nothing to compare with.",
        "`shuffled` was not run at level 2: nothing to compare with.",
    ]
    assert not any("was not run" in line for line in told(study({"dense": 0.0})))


def test_scales_without_verdicts_and_tasks_that_need_more_seeds_say_so(study):
    assert told(study(EFFECTS, scale="quick"))[-1] == "Scale quick: no verdict on a claim."
    assert VERDICT not in told(study(EFFECTS, scale="smoke"))
    more = "Seeds of this task fall apart into good and bad ones: no verdict below 5."
    assert told(study(EFFECTS, fewest_seeds=5))[-1] == more
    alone = {"dense": 0.0, "ticket": 0.0}
    assert more in told(study(alone, fewest_seeds=5)), "it is not said to match dense either"
    assert more not in told(study(alone, fewest_seeds=5, seeds=5))


@pytest.mark.parametrize(("chance", "said"), [(0.95, True), (0.89, True), (0.85, False)])
def test_a_dense_network_at_chance_is_told(study, chance, said):
    line = (
        f"`dense` is within 0.02 of chance ({chance:g}): it learned nothing that a subnetwork could keep or lose, so "
        "nothing is normalised and there is no verdict."
    )
    assert (line in told(study(EFFECTS, chance=chance, tolerance=0.02))) is said


def test_a_network_without_a_path_is_told(study):
    found = study({"dense": 0.0, "ticket": 0.1, "random-ticket": 0.0})
    assert not any("path from input to output" in note for note in told(found))
    for record in found:
        record["effective_density"] = 0
    assert "`none (cut off)`: no path from input to output is left at any seed" in " ".join(told(found))


def test_marks_name_arms_layers_and_seeds(record):
    found = [record("ticket", level, seed, 0.9) for level in (1, 2, 3) for seed in range(3)]
    found += [record("snip", 2, seed, None if seed else 0.8) for seed in range(3)]
    found += [record("grasp", 2, 0, None)]
    for each in found:
        empty = {"ticket L2": ["fc2.weight"], "ticket L3": ["fc2.weight", "fc1.weight", "fc1.bias"]}
        label = f"{each['spec']['method']['name']} L{each['spec']['level']}"
        each["counts"]["collapsed"] = empty.get(label, []) if each["spec"]["seed"] == 1 else []
    assert told(found)[:3] == [
        "† Without a single weight: fc2.weight, in ticket L2.",
        "† Without a single weight: fc1.weight, fc2.weight, in ticket L3.",
        "‡ Diverged, counted at chance (0.1): snip L2 (seeds 1, 2); grasp L2 (seed 0).",
    ]
    (section,) = sections(found)
    assert [collapsed(arm) for arm in section.arms][:3] == [[], ["fc2.weight"], ["fc1.weight", "fc2.weight"]]


def test_layers_that_several_arms_lost_are_told_once(record):
    found = [record(method, 1, 0, 0.9) for method in ("ticket", "snip")]
    for each in found:
        each["counts"]["collapsed"] = ["fc2.weight"]
    assert told(found)[0] == "† Without a single weight: fc2.weight, in ticket L1, snip L1."


def test_records_without_the_score_are_told(record):
    found = [record("ticket", 1, seed, 0.9) for seed in range(3)]
    found[1]["metrics"] = []
    assert "Records without this score, not in n: ticket L1." in told(found)


def test_null_columns_are_told_by_reason(record):
    nulls = ({"flops": "no ones", "overlap": "no parent"}, {"effective_density": "no ones"}, {})
    found = [record("ticket", 1, seed, 0.9, nulls=dict(each)) for seed, each in enumerate(nulls)]
    assert told(found)[-2:] == ["Null: `effective_density`, `flops`: no ones", "Null: `overlap`: no parent"]


def test_what_cannot_run_is_told_unless_it_did(study):
    changes = {"unsupported": {"synflow": "it has gates.", "ticket": "no."}, "deviations": ("Adam.", "Less.")}
    assert told(study(EFFECTS, **changes))[-3:] == [
        "`synflow` cannot run here: it has gates.",
        "Deviation: Adam.",
        "Deviation: Less.",
    ]


def test_a_namesake_that_is_not_installed_was_not_run(record, study, task):
    forged = replace(METHODS["ticket-init"], version=99)
    theirs = record(forged, 1, 0, 0.9, task=task(rewind_step=0))
    (section,) = sections([*study({"dense": 0.0, "ticket": 0.01}, rewind_step=0), theirs])
    assert "`ticket-init` is `ticket` here (rewind step 0)." in notes(section)


def test_only_what_is_shown_is_marked(record, study):
    found = [*study(EFFECTS), record("snip", 1, 0, None), record("zebra", 1, 0, 0.5)]
    assert any(line.startswith("‡") for line in told(found))
    assert any(line.startswith("‖") for line in told(found))
    assert not any(line.startswith(("‡", "‖")) for line in told(found, methods=("ticket",)))


def test_an_imported_ticket_is_marked(study):
    own = study({"dense": 0.0, "ticket": 0.0, "random-ticket": 0.0})
    some = [{**each, "imported": "0" * 64} if each["spec"]["method"]["name"] == "ticket" else each for each in own]
    text = render(some, "md")
    assert "- ¶ From an imported file, believed and not made here: ticket L1 (seeds 0, 1, 2)." in text
    assert [line.split("|")[4].strip() for line in text.splitlines() if line.startswith("| ticket ")] == ["3 ¶"]
    assert "¶" not in render(own, "md")
