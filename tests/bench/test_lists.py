"""What is installed, as the command lists it: filtered, within a screen on a terminal, in whole lines elsewhere."""

import re
import sys

import pytest

from bench import registry, suitefile
from bench.__main__ import main
from bench.report.claims.definitions import load_claims
from bench.runs.planning.plan import refusal
from bench.spec import SCALES

ESCAPES = re.compile("\x1b\\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def listed(monkeypatch, capsys):
    """What the command prints with everything that is built in; on a terminal of so many characters."""

    def run(*args, columns=None):
        monkeypatch.setattr(sys, "argv", ["ticketbench", *args])
        capsys.readouterr()
        if columns:
            monkeypatch.setattr("sys.stdout.isatty", lambda: True)
            monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return left.value.code or 0, ESCAPES.sub("", out), err

    return run


def names(out):
    return [line.split()[0] for line in out.splitlines()[1:]]


def test_every_task_has_one_line_with_its_scales_and_largest_budget(listed):
    code, out, _ = listed("tasks")
    tasks = registry.tasks().values()
    assert code == 0
    assert names(out) == list(dict.fromkeys(task.name for task in tasks))
    (line,) = (line for line in out.splitlines() if line.startswith("vision/lenet-mnist "))
    assert line.split() == ["vision/lenet-mnist", *SCALES, "50,000", "updates", "accuracy"]


def test_tasks_are_chosen_by_a_part_of_their_name_their_domain_and_their_scale(listed):
    tasks = registry.tasks().values()
    assert names(listed("tasks", "lenet")[1]) == ["vision/lenet-mnist", "vision/lenet-fashion"]
    assert set(names(listed("tasks", "--domain", "teacher")[1])) == {
        task.name for task in tasks if task.domain == "teacher"
    }
    out = listed("tasks", "--scale", "quick")[1]
    assert set(names(out)) == {task.name for task in tasks if task.scale == "quick"}
    assert {line.split()[1] for line in out.splitlines()[1:]} == {"quick"}
    assert "    800 updates" in listed("tasks", "lenet-mnis", "--scale", "quick")[1].replace("quick  ", "quick    ")
    assert names(listed("tasks", "cartpole", "--domain", "rl")[1]) == [
        f"rl/cartpole-{each}" for each in ("a2c", "a2c-steps", "noise-a2c", "ppo", "dqn", "cloning")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lennet"], "unknown task 'lennet'"),
        (["vision/lenet-mnit"], "unknown task 'vision/lenet-mnit': did you mean 'vision/lenet-mnist'?"),
        (["--domain", "vison"], "unknown domain 'vison': did you mean 'vision'?"),
        (["--scale", "smal"], "unknown scale 'smal': did you mean 'small'?"),
    ],
)
def test_what_no_task_has_is_one_line(listed, words, said):
    code, out, err = listed("tasks", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_whole_name_tells_everything_of_a_task(listed):
    code, out, _ = listed("tasks", "vision/lenet-mnist")
    task = registry.task("vision/lenet-mnist", "paper")
    assert code == 0
    assert out.startswith(f"vision/lenet-mnist\n  source      {task.source}\n")
    assert "accuracy, more is better, on test, final" in out
    assert "10 at chance; matching dense: no worse by more than 0.2" in out
    assert "20% of what is left at each level, layer by layer; output.weight: 10%" in out
    for each in (registry.task(task.name, scale) for scale in SCALES):
        assert (
            f"{each.scale:5}  {each.budget:,} updates, rewind step 0, evaluated every {each.evaluate_every:,}," in out
        )
        assert all(sentence in out for sentence in each.deviations)
    assert "quick: Trained for 800 updates" in out
    assert f"  deviations  {task.deviations[0]}\n" in out, "of all scales: first, and of none by name"


def test_a_task_is_found_as_tables_and_options_write_it(listed):
    """`name@scale`, as `check --task` takes it: everything of it, at that scale."""
    out = listed("tasks", "vision/lenet-mnist@quick")[1]
    assert out == listed("tasks", "vision/lenet-mnist", "--scale", "quick")[1]
    assert out.startswith("vision/lenet-mnist\n")


def test_the_methods_that_a_task_refuses_are_told_with_their_reasons(listed):
    out = listed("tasks", "rl/cartpole-dqn")[1]
    task, known = registry.task("rl/cartpole-dqn", "paper"), registry.methods()
    refused = {name: refusal(task, method) for name, method in known.items() if refusal(task, method)}
    assert refused
    assert f"{len(known) - len(refused)} of the {len(known)} that" in out
    told = [line.split("not ", 1)[1].split(": ", 1) for line in out.splitlines() if "  not " in line]
    assert {name: why for names, why in told for name in names.split(", ")} == refused


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize("words", [["tasks"], ["tasks", "rl/cartpole-a2c-steps"], ["claims"], ["methods"], ["plan"]])
def test_a_list_fits_a_terminal_and_loses_no_word(listed, words, columns):
    _, whole, _ = listed(*words)
    _, shown, _ = listed(*words, columns=columns)
    assert max(map(len, shown.splitlines())) <= min(columns, 100)
    assert "…" not in shown
    assert columns < 100 or words == ["methods"] or set(whole.split()) <= set(shown.split()), (
        "only long words, or on narrow ones, are broken"
    )


def test_a_plan_of_nothing_lists_the_suites(listed):
    code, out, err = listed("plan")
    assert (code, err) == (0, "")
    assert names(out) == list(suitefile.names())
    (line,) = (line for line in out.splitlines() if line.startswith("first "))
    assert re.split(" {2,}", line) == ["first", "2", suitefile.load_suite("first").title]


def test_on_a_terminal_the_list_of_tasks_says_how_to_see_one_of_them(listed):
    assert listed("tasks", "lenet", columns=100)[1].endswith("\nall of one: ticketbench tasks vision/lenet-mnist\n")


def test_claims_are_chosen_by_paper_and_verdict(listed):
    of = {claim.id for claim in load_claims() if claim.paper == "1905.13405"}
    assert set(names(listed("claims", "1905.13405")[1])) == of
    records = ("--records", "results/records/masks.jsonl")
    verdicts = ("holds", "fails", "inconclusive", "no verdict", "not run")
    told = {verdict: listed("claims", *records, "--verdict", verdict)[1] for verdict in verdicts}
    found = {
        verdict: set(re.findall(rf"^(\S+) +{verdict}(?: at|$)", out, re.MULTILINE)) for verdict, out in told.items()
    }
    assert set.union(*found.values()) == {claim.id for claim in load_claims()}
    assert min(len(found[verdict]) for verdict in ("holds", "fails", "inconclusive")) > 0
    whole = listed("claims", *records)[1]
    assert all(f"{name:<7} holds" in whole for name in found["holds"])
    assert "fails at" not in told["holds"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--verdict", "hold", "--records", "results/records"], "unknown verdict 'hold': did you mean 'holds'?"),
        (["--verdict", "holds"], "--verdict 'holds' is about records, and none are named: add --records "),
    ],
)
def test_a_verdict_that_cannot_be_told_is_one_line(listed, words, said):
    code, out, err = listed("claims", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_no_claim_of_a_verdict_says_so(listed):
    code, out, _ = listed("claims", "F1-4", "--records", "results/records/levels.jsonl", "--verdict", "fails")
    assert (code, re.fullmatch(r"none of \d+: fails\n", out) is not None) == (0, True)
