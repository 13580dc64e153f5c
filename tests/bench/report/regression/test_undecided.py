"""What is neither shown to be worse nor within what is tolerated: the headline says so, and how many seeds would decide."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from bench.errors import SpecError, StoreError, UnknownName
from bench.report.regression.gates import compare_sides
from bench.report.regression.review import outcome, review
from bench.report.regression.side import of_records
from bench.report.statistics.seeds import deciding, deciding_apart, estimate
from bench.report.table.render import render
from bench.runs.planning.selection import Selection
from bench.spec import Method

SHAPE = (-1.0, 0.0, 1.0)
"""Of standard deviation 1, as three seeds are."""
NEGATED = {4: (-0.0314, 0.01025), 3: (-0.0169, 0.00376), 2: (-0.0005, 0.0004), 1: (0.0003, 0.0004)}
"""Level -> mean difference and its standard deviation: a method whose score was negated, LeNet, three seeds."""
WORST = "vision/toy@small ticket L4, accuracy final -0.0314 [-0.0569, -0.00594]"


def deltas(level):
    mean, spread = NEGATED[level]
    return [mean + spread * each for each in SHAPE]


@pytest.fixture(name="sides")
def three_seeds(record, task):
    """Records of the dense network and a chain of four rounds, before and after."""
    asked = task(tolerance=0.002)

    def make(seeds=range(3)):
        before, after = [], []
        for place, seed in enumerate(seeds):
            before += [record("dense", 0, place, 0.97 + place / 1e4, task=asked)]
            after += [record("dense", 0, seed, 0.97 + place / 1.01e4, task=asked)]
            for level in NEGATED:
                before += [record("ticket", level, place, 0.96 + place / 1e4, task=asked)]
                after += [record("ticket", level, seed, 0.96 + place / 1e4 + deltas(level)[place], task=asked)]
        for each in after:
            each["provenance"] = {**each["provenance"], "machine": "another"}
        return before, after

    return make


@pytest.fixture(name="files")
def published(sides, tmp_path):
    """Both sides as published records."""

    def write(**changes):
        paths = [tmp_path / "before.jsonl", tmp_path / "after.jsonl"]
        for path, records in zip(paths, sides(**changes), strict=True):
            path.write_text("".join(json.dumps(each) + "\n" for each in records))
        return paths

    return write


def compared(before, after):
    return compare_sides(of_records("before", before), of_records("after", after))


def test_the_headline_tells_what_is_undecided_and_how_many_seeds_would_decide(sides):
    found = compared(*sides())
    seeds = deciding(deltas(4), tests=found.tests)
    assert found.tests == 5
    assert 3 < seeds < 20
    assert outcome(found) == (
        "Nothing is shown to be worse in 5 cells (3 same, 2 inconclusive); 2 are undecided, their means worse than "
        f"tolerated (worst: {WORST}; about {seeds} seeds would decide)"
    )
    text = review(found, "md")
    assert text.startswith(f"**{outcome(found)}**\n")
    shown = text[: text.index("<details>")]
    assert [line.split(" | ")[2] for line in shown.splitlines() if "| inconclusive |" in line] == ["4", "3"]


def test_a_row_says_why_it_is_undecided(sides):
    found = {cell.key.level: cell for cell in compared(*sides()).cells}
    for level in (3, 4):
        seeds = deciding(deltas(level), tests=5)
        told = f"worse by itself, but not after Holm's correction over 5 tests; about {seeds} seeds would decide"
        assert (found[level].verdict, found[level].reason, found[level].deciding) == ("inconclusive", told, seeds)
    assert [found[level].reason for level in (1, 2)] == ["", ""]


@pytest.mark.parametrize(
    ("mean", "spread", "verdict", "why"),
    [
        (-0.004, 0.004, "inconclusive", "mean worse than tolerated, perhaps by chance; about {} seeds would decide"),
        (-0.004, 0.05, "inconclusive", "mean worse than tolerated, perhaps by chance; 100 seeds would not decide"),
        (-0.0015, 0.004, "inconclusive", ""),  # within what is tolerated
        (+0.004, 0.004, "inconclusive", ""),  # better, if anything
        (-0.004, 0.0001, "worse", ""),
    ],
)
def test_undecided_is_what_has_a_worse_mean_than_tolerated_and_no_more(record, task, mean, spread, verdict, why):
    asked, gaps = task(tolerance=0.002), [mean + spread * each for each in SHAPE]
    before = [record("ticket", 1, seed, 0.9, task=asked) for seed in range(3)]
    after = [record("ticket", 1, seed, 0.9 + gap, task=asked) for seed, gap in enumerate(gaps)]
    (cell,) = compared(before, after).cells
    assert (cell.verdict, cell.reason) == (verdict, why.format(deciding(gaps)))
    assert cell.undecided is bool(why)


def test_other_seeds_are_told_for_either_side(sides):
    before, after = sides(seeds=range(5, 8))
    (cell,) = (cell for cell in compared(before, after).cells if cell.key.level == 4)
    values = [[each["metrics"][0]["value"] for each in side if each["spec"]["level"] == 4] for side in (after, before)]
    seeds = deciding_apart(*map(estimate, values), tests=5)
    assert cell.reason.endswith(f"about {seeds} seeds on either side would decide")


def test_two_seeds_tell_no_number_of_seeds(record, task):
    before, after = (
        [record("ticket", 1, seed, score + seed / 100, task=task(tolerance=0.002)) for seed in range(2)]
        for score in (0.9, 0.8)
    )
    found = compared(before, after)
    assert outcome(found) == (
        "Nothing is shown to be worse in 1 cell (1 inconclusive); 1 is undecided, its mean worse than tolerated "
        "(vision/toy@small ticket L1, accuracy final -0.1)"
    )


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_an_overlap_may_be_undecided_in_either_direction(record, share):
    before, after = ([record("shuffled", 1, 0, 0.9, overlap=each)] for each in (0.5, 0.5 + (share - 0.5) / 10))
    (cell,) = (cell for cell in compared(before, after).cells if cell.quantity == "overlap")
    assert (cell.verdict, cell.undecided) == ("inconclusive", True)


def test_programs_read_it_too(sides):
    found = compared(*sides())
    told = json.loads(review(found, "json"))
    assert (told["headline"], told["undecided"]) == (outcome(found), 2)
    rows = list(csv.DictReader(io.StringIO(review(found, "csv"))))
    assert {row["level"]: row["undecided"] for row in rows} == {
        **dict.fromkeys("012", "False"),
        **dict.fromkeys("34", "True"),
    }
    assert {row["level"]: row["deciding"] for row in rows if row["deciding"]} == {
        str(level): str(deciding(deltas(level), tests=5)) for level in (3, 4)
    }


def test_strict_fails_for_what_is_undecided(command, files):
    before, after = files()
    assert command("compare", before, after)[0] == 0
    code, out, err = command("compare", before, after, "--strict")
    assert (code, err) == (1, "")
    assert "which fails with --strict" in out
    assert command("compare", before, before, "--strict")[0] == 0
    assert command("compare", after, before, "--strict")[0] == 0, "better than before is no alarm"


def test_only_what_is_asked_for_is_tested_and_corrected_over(command, files):
    """Level 4 alone: its interval lies beyond the tolerance, and one test needs no correction."""
    before, after = files()
    code, out, err = command("compare", before, after, "--methods", "ticket", "--levels", "4")
    assert (code, err) == (1, "")
    assert out.startswith("**1 worse of 1 cell**")
    assert "over the 1 tests" in out
    code, out, _ = command("compare", before, after, "--levels", "3-4", "--format", "json")
    found = [(cell["method"], cell["level"]) for cell in json.loads(out)["cells"]]
    assert found == [("dense", 0), ("ticket", 3), ("ticket", 4)], "as in other verbs dense stays"


def test_a_method_that_only_the_baseline_has_is_missing_if_it_is_asked_for(command, files, record, task):
    before, after = files()
    with before.open("a") as file:
        file.writelines(json.dumps(record("snip", 4, s, 0.9, task=task(tolerance=0.002))) + "\n" for s in range(3))
    assert "1 missing of 1 cell" not in command("compare", before, after, "--methods", "ticket")[1]
    code, out, err = command("compare", before, after, "--methods", "snip")
    assert (code, err) == (1, ""), "all that is asked for is missing, although the sides can be compared"
    assert out.startswith("**1 missing of 1 cell**")
    code, out, _ = command("compare", before, after, "--methods", "ticket,snip", "--levels", "1,4", "--format", "json")
    verdicts = {(cell["method"], cell["level"]): cell["verdict"] for cell in json.loads(out)["cells"]}
    assert (code, verdicts["snip", 4]) == (1, "missing")
    assert set(verdicts) == {("snip", 4), ("ticket", 1), ("ticket", 4)}


def test_a_table_is_narrowed_like_records(command, sides, tmp_path):
    paths = [tmp_path / "before.csv", tmp_path / "after.jsonl"]
    before, after = sides()
    paths[0].write_text(render(before, "csv"))
    paths[1].write_text("".join(json.dumps(each) + "\n" for each in after))
    code, out, _ = command("compare", *paths, "--tasks", "vision/toy", "--levels", "4", "--scale", "small")
    assert code == 0
    assert " in 2 cells " in out
    assert "on either side would decide" in out


def test_the_tickets_distance_from_controls_that_are_not_asked_for_stays(record):
    arms = {"ticket": 0.9, "reinit": 0.85}
    sides = [[record(m, 1, s, v + s / 1e3 - d) for m, v in arms.items() for s in range(3)] for d in (0.0, 0.02)]
    wanted = Selection(methods=("ticket",))
    known = of_records("x", sides[0])
    assert {key.method for key in wanted.of_arms(known.arms)} == {"ticket"}
    (arm,) = known.arms[next(iter(wanted.of_arms(known.arms)))]
    assert set(arm.gaps) == {"vs_reinit"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--methods", "tickt"), "unknown method among the records 'tickt': did you mean 'ticket'?"),
        (("--tasks", "vision/none"), "unknown task among the records 'vision/none'"),
        (("--scale", "paper"), "unknown scale among the records 'paper'"),
        (("--levels", "4,9"), "levels 9 asked, there are 0, 1, 2, 3, 4"),
        (("--levels", "4", "--methods", "dense", "--scale", "small"), None),
    ],
)
def test_what_there_is_not_cannot_be_asked_for(command, files, asked, said):
    code, _, err = command("compare", *files(), *asked)
    assert code == (0 if said is None else 2)
    assert (said or "") in err
    assert err.count("\n") == (said is not None)


def test_nothing_on_either_side(command, files, record, task):
    before, after = files()
    with before.open("a") as file:
        file.writelines(json.dumps(record("snip", 2, s, 0.9, task=task(tolerance=0.002))) + "\n" for s in range(3))
    code, out, err = command("compare", before, after, "--methods", "snip", "--levels", "4")
    assert (code, out) == (2, "")
    assert "--methods snip --levels 4 selects nothing on either side" in err


def test_arms_that_do_not_exist_are_refused():
    arms = [("vision/toy", "small", "ticket", 1)]
    assert Selection().of_arms(arms) == set(arms)
    with pytest.raises(UnknownName):
        Selection(methods=("reinit",)).of_arms(arms)
    with pytest.raises(SpecError, match="levels 2 asked, there are 1"):
        Selection(levels=(2,)).of_arms(arms)


def test_the_page_tells_which_drops_so_many_seeds_show():
    page = (Path(__file__).parents[4] / "docs" / "regressions.md").read_text()
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert [row[0] for row in rows] == ["3", "5", "10"]
    for n, *drops in rows:
        for tests, drop in zip((1, 5, 20), map(float, drops), strict=True):
            more, less = (deciding([factor * drop + each for each in SHAPE], tests=tests) for factor in (1.06, 0.94))
            assert more <= int(n) < less


def test_arms_whose_protocol_changed_are_no_comparison_though_others_are_one(record):
    moved = Method(name="reinit", mask="ticket", weights="fresh", training="full", parents=("ticket",), version=2)
    before, after = (
        of_records("x", [record(method, 1, seed, 0.9) for method in ("ticket", arm) for seed in range(3)])
        for arm in ("reinit", moved)
    )
    assert {cell.verdict for cell in compare_sides(before, after).cells} == {"same", "protocol changed"}
    with pytest.raises(StoreError, match=r"protocol changed everywhere .*method.version: 1 → 2"):
        compare_sides(before, after, wanted={key for key in before.arms if key.method == "reinit"})
