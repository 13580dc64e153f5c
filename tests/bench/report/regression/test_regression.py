"""Two gates, cell by cell: what is flagged, what is not, and how often by mistake."""

import csv
import io
import json
import re
import zlib

import numpy as np
import pytest
from markdown_it import MarkdownIt

from bench.digests import json_digest
from bench.errors import StoreError
from bench.report.regression.gates import ALARM, compare_sides
from bench.report.regression.review import COLUMNS, outcome, review
from bench.report.regression.side import of_records, of_table
from bench.report.table.render import render
from bench.spec import Method, unit_id

ARMS = {"dense": 0.0, "ticket": 0.0, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}
WIGGLE = (-1.0, 0.5, 1.0, -0.5, 0.0)


@pytest.fixture(name="verdicts")
def of_one_cell(record, task):
    """Deltas per seed -> the cell of a ticket that scored 0.9 before."""

    def judged(deltas, *, seeds=None, base=0.9, spread=0.0, **changes):
        asked = task(**{"tolerance": 0.01, **changes})
        before = {seed: base + spread * WIGGLE[seed % 5] for seed in range(len(deltas))}
        after = {seed: base + delta for seed, delta in zip(seeds or before, deltas, strict=True)}
        one, two = ([record("ticket", 1, s, v, task=asked) for s, v in each.items()] for each in (before, after))
        (cell,) = compare_sides(of_records("before", one), of_records("after", two)).cells
        return cell

    return judged


def around(mean, spread, n=5):
    return [mean + spread * WIGGLE[index] for index in range(n)]


CASES = [
    (around(-0.05, 0.001), "worse"),
    (around(0.05, 0.001), "better"),
    (around(-0.005, 0.0005), "same"),  # certain, and too small to matter
    (around(0.0, 0.001), "same"),
    (around(-0.009, 0.004), "inconclusive"),  # certain, and perhaps too large
    (around(-0.05, 0.08), "inconclusive"),  # large, and perhaps luck
    (around(-0.05, 0.001, 2), "inconclusive"),
    ([-0.01] * 5, "same"),  # as much as is tolerated is tolerated
    ([-0.05] * 5, "worse"),
]


@pytest.mark.parametrize(("deltas", "expected"), CASES)
def test_two_gates(verdicts, deltas, expected):
    cell = verdicts(deltas)
    assert cell.verdict == expected
    assert cell.difference == pytest.approx(np.mean(deltas))
    assert cell.test == "paired"


@pytest.mark.parametrize(("deltas", "expected"), CASES)
def test_where_less_is_better_it_is_the_other_way_round(verdicts, deltas, expected):
    turned = {"worse": "better", "better": "worse"}.get(expected, expected)
    cell = verdicts(deltas, metric="loss", chance=2.0)
    assert (cell.verdict, cell.direction) == (turned, "min")
    assert cell.difference == pytest.approx(-np.mean(deltas))


def test_other_seeds_are_compared_by_welch(verdicts):
    cell = verdicts(around(-0.05, 0.002), seeds=range(5, 10), spread=0.002)
    assert (cell.verdict, cell.test) == ("worse", "Welch")
    assert verdicts(around(-0.05, 0.05), seeds=range(5, 10), spread=0.05).verdict == "inconclusive"
    assert verdicts(around(-0.001, 0.001), seeds=range(5, 10), spread=0.001).verdict == "same"


def test_seeds_that_fall_apart_need_more_of_them(verdicts):
    cell = verdicts(around(-0.05, 0.001), fewest_seeds=6)
    assert (cell.verdict, cell.p) == ("inconclusive", None)
    assert cell.reason.startswith("n < 6; ")
    assert cell.deciding == 6, "by their spread three would do"


@pytest.mark.parametrize(("fewest", "verdict"), [((3, 1_000_000), "worse"), ((6, 3), "inconclusive")])
def test_the_seeds_that_a_verdict_needs_are_the_baselines(record, task, fewest, verdict):
    sides = [
        of_records("x", [record("ticket", 1, s, 0.9 - side / 4 + s / 1e4, task=task(fewest_seeds=n)) for s in range(5)])
        for side, n in enumerate(fewest)
    ]
    (cell,) = compare_sides(*sides).cells
    assert (cell.verdict, cell.fewest) == (verdict, fewest[0])


@pytest.mark.parametrize(
    ("seeds", "verdict", "reason"),
    [
        ((6, 4), "worse", ""),
        ((5, 8), "worse", ""),
        ((2, 5), "inconclusive", "n < 3; mean worse than tolerated, perhaps by chance"),
        ((5, 2), "missing", "2 of 5 seeds: n < 3"),
    ],
)
def test_either_side_needs_enough_seeds_and_no_more(record, seeds, verdict, reason):
    sides = [
        of_records("x", [record("ticket", 1, s, 0.9 - side / 4 + s / 1e4) for s in range(n)])
        for side, n in enumerate(seeds)
    ]
    (cell,) = compare_sides(*sides).cells
    assert (cell.verdict, cell.reason) == (verdict, reason)


def test_too_few_seeds_of_either_side_are_too_few_for_a_task_that_asks_for_more(record, task):
    asked = task(fewest_seeds=6)
    few, many = (
        of_records("x", [record("ticket", 1, s, 0.9 - n / 40 + s / 1e4, task=asked) for s in range(n)]) for n in (5, 8)
    )
    (cell,) = compare_sides(few, many).cells
    assert (cell.verdict, cell.p) == ("inconclusive", None)
    assert cell.reason.startswith("n < 6; ")


def test_the_distance_from_a_control_is_good_where_it_is_large_whatever_the_metric(run):
    turned = {"directions": {"accuracy": "min"}, "chance": 3.0, "noise": 1e-4}
    arms = {name: -gain for name, gain in ARMS.items()}
    before = run(range(6), arms=arms, **turned)
    after = run(range(500, 506), arms=arms, drops={("ticket", 1): 0.0125, ("ticket", 2): -0.0125}, **turned)
    found = {
        (c.key.level, c.quantity): c
        for c in compare_sides(of_records("a", before), of_records("b", after)).cells
        if c.key.method == "ticket"
    }
    for level, verdict in ((1, "worse"), (2, "better"), (3, "same")):
        for quantity in ("accuracy final", "vs_reinit"):
            assert found[level, quantity].verdict == verdict
    assert found[1, "vs_reinit"].baseline > 0 > found[1, "vs_reinit"].difference


def test_the_tolerance_is_the_baselines(record, task):
    before = [record("ticket", 1, s, 0.9, task=task(tolerance=0.01)) for s in range(3)]
    after = [record("ticket", 1, s, 0.85, task=task(tolerance=0.5)) for s in range(3)]
    (cell,) = compare_sides(of_records("a", before), of_records("b", after)).cells
    assert (cell.verdict, cell.tolerance) == ("worse", 0.01)


def test_diverged_seeds_count_at_chance(record):
    before = [record("ticket", 1, s, 0.9 + s / 1e4) for s in range(4)]
    after = [record("ticket", 1, s, None) for s in range(4)]
    (cell,) = compare_sides(of_records("a", before), of_records("b", after)).cells
    assert (cell.verdict, cell.candidate) == ("worse", pytest.approx(0.1))
    assert cell.reason == "diverged: 0 → 4"


def test_the_same_to_the_bit_is_the_same_at_any_number_of_seeds(record):
    records = [record(method, level, 0, 0.9) for method, level in (("dense", 0), ("ticket", 1))]
    found = compare_sides(of_records("a", records), of_records("b", records))
    assert [(cell.verdict, cell.reason) for cell in found.cells] == [("same", "the same to the bit")] * 2
    assert found.tests == 0


@pytest.fixture(name="run")
def honest_run(record, task):
    """A run of every arm with seeds of its own and noise, part of it shared by the arms of a seed."""
    templates = {}

    def scored(method, level, seed, value, asked):
        arm = method, level, repr(asked)
        template = templates.setdefault(arm, None) or record(method, level, 0, 0.0, task=asked)  # 0.5 ms, 20,000 times
        templates[arm] = template
        name = json_digest([template["unit_id"], seed])
        return {
            **template,
            "unit_id": name,
            "spec": {**template["spec"], "seed": seed},
            "metrics": [{**each, "value": value} for each in template["metrics"]],
            "digests": {**template["digests"], "result": json_digest([name, value])},
        }

    def make(seeds, *, levels=(1, 2, 3), noise=0.004, arms=ARMS, drops=None, **changes):
        asked = task(**{"tolerance": 0.002, **changes})
        drops = drops or {}
        records = []
        for method, gain in arms.items():
            for level in (0,) if method == "dense" else levels:
                for seed in seeds:
                    shared = np.random.default_rng(seed).normal(scale=noise)
                    own = np.random.default_rng([seed, level, zlib.crc32(method.encode())]).normal(scale=noise)
                    value = 0.9 + gain + shared + own + drops.get((method, level), 0.0)
                    records.append(scored(method, level, seed, value, asked))
        return records

    return make


def flagged(before, after, verdicts=("worse",)):
    return [
        (cell.key.method, cell.key.level, cell.quantity)
        for cell in compare_sides(of_records("a", before), of_records("b", after)).cells
        if cell.verdict in verdicts
    ]


@pytest.mark.parametrize("tolerance", [0.0, 0.002])
def test_two_honest_runs_with_other_seeds_are_rarely_told_apart(run, tolerance):
    """The chance of any alarm in one comparison of 22 cells; without a tolerance Holm's correction stands alone."""
    simulations = 200
    alarms = {"worse": 0, "better": 0}
    for each in range(simulations):
        first = 1000 * each
        before, after = (run(range(at, at + 5), tolerance=tolerance) for at in (first, first + 500))
        found = {cell.verdict for cell in compare_sides(of_records("a", before), of_records("b", after)).cells}
        for verdict in alarms:
            alarms[verdict] += verdict in found
    assert alarms["worse"] <= ALARM * simulations
    assert alarms["better"] <= ALARM * simulations


def test_a_real_drop_of_one_cell_is_found_among_the_others(run):
    """Four standard deviations of a seed, five seeds a side, 22 cells."""
    simulations, hits = 60, 0
    drop = -4 * 0.004 * 2**0.5
    for each in range(simulations):
        first = 1000 * each
        after = run(range(first + 500, first + 505), drops={("reinit", 2): drop})
        hits += ("reinit", 2, "accuracy final") in flagged(run(range(first, first + 5)), after)
    assert hits >= 0.8 * simulations


def test_a_side_is_the_same_as_itself_at_any_number_of_seeds(run):
    """The ticket's distances from its controls, and what masks share with shuffled ones, too."""
    side = of_records("a", run(range(2)))
    found = compare_sides(side, side)
    assert {cell.quantity for cell in found.cells} > {"vs_random"}
    assert {(cell.verdict, cell.reason) for cell in found.cells} == {("same", "the same to the bit")}


def test_with_the_same_seeds_smaller_drops_are_found(run):
    before = run(range(5))
    after = [
        *run(range(5), arms={name: gain + 1e-6 for name, gain in ARMS.items()}, drops={("ticket", 2): -0.003}),
    ]
    assert ("ticket", 2, "accuracy final") in flagged(before, after), "less than one standard deviation of a seed"


def test_a_control_that_is_too_good_is_seen_in_the_distance_from_it(run):
    before = run(range(6))
    after = run(range(500, 506), drops={("shuffled", level): 0.03 for level in (1, 2, 3)})
    found = flagged(before, after)
    assert {("ticket", level, "vs_shuffled") for level in (1, 2, 3)} <= {*found}
    assert not any(quantity == "accuracy final" for *_, quantity in found), "its own score got better"
    assert ("shuffled", 1, "accuracy final") in flagged(before, after, ("better",))


def test_the_correction_is_holms_over_everything_that_was_tested(run):
    found = compare_sides(of_records("a", run(range(5))), of_records("b", run(range(5, 10))))
    assert found.tests == len(found.cells) == 13 + 9
    assert "over the 22 tests" in review(found, "md")
    alone = compare_sides(
        of_records("a", run(range(5), arms={"dense": 0.0})), of_records("b", run(range(5, 10), arms={"dense": 0}))
    )
    (dense,) = [cell for cell in found.cells if cell.key.method == "dense"]
    assert alone.cells[0].p < dense.p


def test_a_changed_protocol_is_named_and_not_compared(run):
    before = run(range(3), levels=(1,), arms={"dense": 0, "ticket": 0})
    after = run(range(3), levels=(1,), arms={"dense": 0, "ticket": -0.5}, budget=2000, version=2)
    with pytest.raises(
        StoreError, match=r"protocol changed everywhere .* task.budget: 1000 → 2000; task.version: 1 → 2"
    ):
        compare_sides(of_records("a", before), of_records("b", after))
    both = compare_sides(of_records("a", before), of_records("b", [*before, *after]))
    assert [cell.verdict for cell in both.cells] == ["same", "new", "same", "new"]


def test_versions_are_compared_with_their_own(run):
    old, new = (run(range(3), arms={"dense": 0.0}, version=version) for version in (1, 2))
    found = compare_sides(of_records("a", new), of_records("b", [*old, *new]))
    assert [cell.verdict for cell in found.cells] == ["same", "new"]


def test_an_option_that_only_one_side_has_is_a_changed_protocol(run):
    before, after = (
        run(range(3), arms={"dense": 0.0}, config=config) for config in ({"model": "toy"}, {"model": "toy", "width": 2})
    )
    with pytest.raises(StoreError, match=r"dense L0: task.config.width: nothing → 2\)"):
        compare_sides(of_records("a", before), of_records("b", after))


def test_a_changed_method_is_named_and_its_distance_not_compared(record, run):
    before = run(range(3), levels=(1,))
    moved = Method(name="reinit", mask="ticket", weights="fresh", training="full", parents=("ticket",), version=2)
    after = [
        record(moved, 1, each["spec"]["seed"], 0.5) if each["spec"]["method"]["name"] == "reinit" else each
        for each in before
    ]
    found = compare_sides(of_records("a", before), of_records("b", after))
    assert {(cell.key.method, cell.quantity): cell.verdict for cell in found.cells} == {
        ("dense", "accuracy final"): "same",
        ("ticket", "accuracy final"): "same",
        ("ticket", "vs_random"): "same",
        ("ticket", "vs_shuffled"): "same",
        ("reinit", "accuracy final"): "protocol changed",
        ("shuffled", "accuracy final"): "same",
        ("random-ticket", "accuracy final"): "same",
    }
    assert "method.version: 1 → 2" in next(cell.reason for cell in found.cells if cell.verdict == "protocol changed")


def test_what_the_candidate_lacks_is_missing_and_what_it_adds_is_new(run):
    before, after = run(range(3)), run(range(3), arms={"dense": 0.0, "ticket": 0.0, "snip": 0.0})
    found = compare_sides(of_records("a", before), of_records("b", after))
    assert {cell.key.method: cell.verdict for cell in found.cells if cell.verdict != "same"} == {
        **dict.fromkeys(("reinit", "shuffled", "random-ticket"), "missing"),
        "snip": "new",
    }
    assert outcome(found) == "9 missing of 16 cells (4 same, 3 new)"
    with pytest.raises(StoreError, match="nothing in common; they have vision/toy@small and vision/other@small"):
        compare_sides(of_records("a", before), of_records("b", run(range(3), name="vision/other")))


def table(records, name="t.csv", tasks=()):
    return of_table(name, render(records, "csv").splitlines(), tasks={task.key: task for task in tasks})


@pytest.mark.parametrize("n", [5, 10])
def test_a_table_gives_the_verdicts_that_its_records_give(run, n):
    before = run(range(n), noise=0.001)
    after = run(range(500, 500 + n), noise=0.001, drops={("ticket", 2): -0.03, ("reinit", 1): 0.03})
    full = compare_sides(of_records("a", before), of_records("b", after))
    for one, two in (
        (table(before), of_records("b", after)),
        (of_records("a", before), table(after)),
    ):
        found = compare_sides(one, two)
        assert [(c.key, c.quantity, c.verdict) for c in found.cells] == [
            (c.key, c.quantity, c.verdict) for c in full.cells
        ]
        for cell, other in zip(found.cells, full.cells, strict=True):
            assert cell.difference == pytest.approx(other.difference, abs=2e-6)
            assert (cell.low, cell.high) == pytest.approx((other.low, other.high), abs=3e-4)
        assert "nothing is paired between the sides" in review(found, "md")


def test_another_density_in_a_table_is_worse_whatever_the_score(run):
    before = run(range(5))
    after = [{**record, "density": 0.98 * record["density"]} for record in run(range(500, 505))]
    found = compare_sides(table(before), of_records("b", after))
    assert {cell.verdict for cell in found.cells if cell.quantity == "density"} == {"worse"}
    assert len([cell for cell in found.cells if cell.quantity == "density"]) == 13


def test_a_table_of_the_same_seeds_is_not_paired_and_says_so(run):
    before = run(range(5))
    assert {cell.test for cell in compare_sides(table(before), of_records("b", run(range(5)))).cells} == {"Welch"}


def test_two_tables_need_an_installed_task_to_know_what_is_tolerated(run, task):
    before, after = run(range(5), noise=1e-4), run(range(5), noise=1e-4, drops={("ticket", 1): -0.05})
    unknown = compare_sides(table(before), table(after))
    assert {cell.verdict for cell in unknown.cells} == {"inconclusive"}
    assert unknown.cells[0].reason == "no table tells the tolerance"
    known = compare_sides(table(before, tasks=[task()]), table(after))
    assert ("ticket", 1) in {(c.key.method, c.key.level) for c in known.cells if c.verdict == "worse"}
    other = compare_sides(table(before, tasks=[task(version=2)]), table(after))
    assert {cell.verdict for cell in other.cells} == {"inconclusive"}


def test_a_table_tells_versions_of_what_changed(run):
    before, after = run(range(3), arms={"dense": 0.0}), run(range(3), arms={"dense": 0.0}, version=2, budget=2000)
    with pytest.raises(StoreError, match=r"vision/toy@small dense L0: task.version: 1 → 2\)"):
        compare_sides(table(before), of_records("b", after))


def test_a_table_may_tell_of_tasks_and_methods_that_are_not_installed(run, install):
    records = run(range(3), arms={"dense": 0.0})
    install()
    assert "task 1 (not installed)" in render(records, "csv")
    assert {cell.key.task for cell in compare_sides(table(records), of_records("b", records)).cells} == {"vision/toy"}


def test_names_in_a_table_are_those_in_the_records(run):
    for name in ("=vision/toy", "vision/a, b\"c'", "-x/<b>"):
        records = run(range(3), arms={"dense": 0.0}, name=name)
        assert compare_sides(table(records), of_records("b", records)).cells[0].key.task == name


HOSTILE = ["a|b", "</summary><script>alert(1)</script>", "**bold** [x](http://y)", "`<b>`", "\u202egnp\x1b[31m\n\n# no"]


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_hostile_names_and_never_obeys_them(run, name):
    task = f"vision/{name}"
    before, after = run(range(5), name=task), run(range(5), name=task, drops={("ticket", 1): -0.5})
    found = compare_sides(of_records(name, before), of_records(name, after))
    text = review(found, "md")
    kinds = {token.type for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)}
    assert not kinds & {"heading_open", "fence", "code_block"}
    assert "<script" not in text.replace("\\<", "")
    assert not re.search(r"[\u202e\x1b]", text)
    assert [
        line for line in text.splitlines() if "<" in line.replace("\\<", "") and not line.startswith(("|", "-", "Cand"))
    ] == [
        "<details>",
        "<summary>The rest, and how it was judged</summary>",
        "</details>",
    ]
    cells = [re.split(r"(?<!\\)(?:\\\\)*\|", line) for line in text.splitlines() if line.startswith("| ")]
    assert {len(each) for each in cells} == {12}


def test_markdown_begins_with_what_matters(run):
    before, after = run(range(5)), run(range(5), noise=0.0041, drops={("ticket", 1): -0.5})
    found = compare_sides(of_records("main", before), of_records("change", after))
    lines = review(found, "md").splitlines()
    assert lines[0] == f"**{outcome(found)}**"
    assert re.match(r"\*\*\d worse of 22 cells \(", lines[0])
    worse = lines.index("<details>")
    assert all("| worse |" in line for line in lines[6 : worse - 1])
    assert not any("| worse |" in line for line in lines[worse:])
    assert (
        outcome(compare_sides(of_records("a", before), of_records("b", before)))
        == "Nothing worse or missing in 22 cells (22 same)"
    )


def test_csv_and_json_give_every_cell(run):
    found = compare_sides(
        of_records("a", run(range(3))), of_records("b", run(range(3), arms={"dense": 0, "ticket": -0.5}))
    )
    rows = list(csv.DictReader(io.StringIO(review(found, "csv"))))
    told = json.loads(review(found, "json"))
    assert tuple(rows[0]) == COLUMNS == tuple(told["cells"][0])
    assert len(rows) == len(told["cells"]) == len(found.cells)
    assert [row["verdict"] for row in rows] == [cell["verdict"] for cell in told["cells"]]
    assert told["summary"] == found.counts


@pytest.fixture(name="published")
def records_file(tmp_path):
    def write(records, name):
        path = tmp_path / name
        lines = (json.dumps({**each, "unit_id": unit_id(each["spec"])}) + "\n" for each in records)
        path.write_text(render(records, "csv") if name.endswith(".csv") else "".join(lines))
        return path

    return write


def test_exit_codes(command, finished, published, run):
    before = published(run(range(5)), "before.jsonl")
    after = published(run(range(5), noise=0.0041, drops={("ticket", 1): -0.5}), "after.jsonl")
    for one, two, told in (
        (before, before, "Nothing worse or missing in 22 cells (22 same)"),
        (published(run(range(5)), "before.csv"), before, "Nothing is shown to be worse in 22 cells (22 inconclusive)"),
        (finished, finished, "Nothing worse or missing in 12 cells (12 same)"),
    ):
        code, out, err = command("compare", one, two)
        assert (code, err) == (0, "")
        assert out.startswith(f"**{told}")
    code, out, err = command("compare", before, after, "--format", "json")
    assert (code, err) == (1, "")
    assert json.loads(out)["summary"]["worse"] >= 1
    assert command("compare", after, before)[0] in (0, 1)


def test_a_run_that_crashed_half_way_fails_unless_that_is_allowed(command, published, run):
    whole, half = (published(run(seeds), f"{len(seeds)}.jsonl") for seeds in (range(5), range(2)))
    dense = published(run(range(5), arms={"dense": 0.0}), "dense.jsonl")
    for lacking, told in (
        (dense, "12 missing of 13 cells (1 same)**"),
        (half, "13 missing of 22 cells (9 inconclusive); 3 are undecided, their means worse than tolerated (worst: "),
    ):
        code, out, err = command("compare", whole, lacking)
        assert (code, err) == (1, "")
        assert out.startswith(f"**{told}")
        assert "Missing: not run by the candidate, or at too few seeds; fails like worse, unless --allow-missing" in out
        assert command("compare", whole, lacking, "--allow-missing")[0] == 0
    assert "2 of 5 seeds: n < 3" in out
    assert command("compare", dense, whole)[0] == 0, "what is new fails nobody"
    worse = published(run(range(5), arms={"dense": -0.5}), "worse.jsonl")
    assert command("compare", whole, worse, "--allow-missing")[0] == 1


def test_a_candidate_without_scores_is_missing_them(run):
    before = run(range(3), arms={"dense": 0.0})
    after = [{**record, "metrics": []} for record in before]
    (cell,) = compare_sides(of_records("a", before), of_records("b", after)).cells[:1]
    assert (cell.verdict, cell.reason) == ("missing", "0 of 3 seeds: n < 3")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nowhere", None, "run a suite first, or name another store, records (*.jsonl) or a table (*.csv)"),
        ("x.jsonl", "{", "x.jsonl, line 1: not a record"),
        ("x.jsonl", "\n[]\n", "x.jsonl, line 2: not a record"),
        ("x.jsonl", '{"spec": {"task": {}}}\n', "x.jsonl, line 1: not a record"),
        ("x.jsonl", '{"a": NaN}\n', "line 1: not a record"),
        ("x.jsonl", "\udcff", "x.jsonl, line 1: not a record"),
        ("x.jsonl", "", "nothing in common; they have toy/chain@smoke and nothing"),
        ("x.csv", "", "nothing in common"),
        ("x.csv", "task,scale\na,b\n", "KeyError('versions')"),
        ("x.csv", f"a\n{'x' * 200_000}\n", "field larger than field limit"),
        ("x.txt", "", "is neither a store, nor records (*.jsonl), nor a table (*.csv): name one of them"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_code_2(command, finished, tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content.encode(errors="surrogateescape"))
    code, out, err = command("compare", finished, tmp_path / name)
    assert (code, out) == (2, "")
    assert said in err
    assert "--store" not in err, "the verb has no such option"
    assert err.count("\n") == 1


def test_numbers_of_a_table_are_finite(command, finished, published, run):
    path = published(run(range(3)), "t.csv")
    path.write_text(path.read_text().replace("0.5,0.5", "nan,0.5"))
    code, _, err = command("compare", path, path)
    assert code == 2
    assert "nan is not a finite number, or larger than 1e+60" in err


def test_a_format_that_does_not_exist(command, finished):
    code, _, err = command("compare", finished, finished, "--format", "pdf")
    assert (code, err) == (2, "ticketbench: unknown format 'pdf': known are csv, json, md\n")
