"""The noise of the test set: two networks of one seed on resampled test items, beside the interval over seeds."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from bench.record import MOST_ITEMS
from bench.report.publish import publish
from bench.report.published import read
from bench.report.table import bootstrap
from bench.report.table.bootstrap import bleu, cells, p_value, resampled, statistics
from bench.report.table.render import render, resamples
from bench.report.table.rows import sections
from bench.spec import task_from_json
from bench.tickets.methods import METHODS

GAINS = {"dense": 0.3, "ticket": 0.3, "reinit": 0.15, "random-ticket": 0.0}
N = 200


def items(quality, seed, n=N):
    """Outputs of ten tokens; `quality` is the chance that a token is right, and n-grams follow from it."""
    rng = np.random.default_rng([seed, round(100 * quality)])
    rows = []
    for chance in rng.uniform(0.5, 1, n) * quality:
        matched = [rng.binomial(10 - order, chance ** (order + 1)) for order in range(4)]
        rows.append(" ".join(map(str, (10, 11, *matched))))
    return {"metric": "bleu", "split": "test", "signature": "tok:13a|version:2.6.0", "statistics": rows}


@pytest.fixture(name="world", scope="module")
def world_builder(record, task):
    """Two levels of translations; seed 2 of the random ticket kept no items at level 2."""
    asked = task(name="nlp/toy", metric="bleu", directions={"bleu": "max"}, chance=0.0, tolerance=0.5)
    found = []
    for method, gain in GAINS.items():
        for level in (0,) if method == "dense" else (1, 2):
            for seed in range(3):
                kept = items(0.5 + gain, seed)
                extra = {} if (method, level, seed) == ("random-ticket", 2, 2) else {"items": kept}
                value = float(bleu(statistics(kept).sum(0)))
                found.append(record(method, level, seed, value, task=asked, **extra))
    return found


@pytest.fixture(name="rows")
def rows_of_the_world(world):
    (section,) = sections(world)
    return {(row.method, row.level, row.opponent, row.seed): row for row in resampled(section.comparison, section.arms)}


def test_every_pair_of_one_seed_that_has_items_is_compared(rows):
    assert ("ticket", 1, "random-ticket", 2) in rows
    assert ("ticket", 2, "random-ticket", 1) in rows
    assert ("ticket", 2, "random-ticket", 2) not in rows
    assert ("reinit", 2, "dense", 0) in rows
    assert not any(method == opponent for method, _, opponent, _ in rows)
    assert len(rows) == 2 * 3 * (3 + 2 + 2) - 4


def test_the_difference_is_that_of_the_recorded_scores(rows, world):
    scores = {
        (each["spec"]["method"]["name"], each["spec"]["level"], each["spec"]["seed"]): each["metrics"][0]["value"]
        for each in world
    }
    row = rows["ticket", 1, "reinit", 2]
    assert row.difference == pytest.approx(scores["ticket", 1, 2] - scores["reinit", 1, 2])
    assert rows["reinit", 1, "random-ticket", 0].difference > 0 > rows["random-ticket", 1, "reinit", 0].difference
    assert (row.items, row.resamples, row.bootstrap_seed) == (N, 1_000, 12345)


def test_the_interval_is_that_of_resampling_item_by_item(world, rows):
    """The long way round: draw items with replacement, add up both networks' statistics of the same items, subtract."""
    chosen = {
        (each["spec"]["method"]["name"], each["spec"]["level"]): each for each in world if each["spec"]["seed"] == 1
    }
    own, other = (statistics(chosen[method, 1]["items"]) for method in ("ticket", "reinit"))
    draws = np.random.default_rng(12345).choice(N, size=(1_000, N), replace=True)
    differences = [float(bleu(own[draw].sum(0)) - bleu(other[draw].sum(0))) for draw in draws]
    row = rows["ticket", 1, "reinit", 1]
    assert (row.low, row.high) == pytest.approx(tuple(np.percentile(differences, (2.5, 97.5))))
    assert row.low < row.difference < row.high
    independent = np.std([float(bleu(own[draw].sum(0))) for draw in draws])
    assert (row.high - row.low) / 4 < 2 * independent


def test_a_network_against_its_equal_has_no_difference_and_no_doubt():
    assert p_value(np.zeros(1_000), 0.0) == pytest.approx(1 / 1_001)  # as sacreBLEU has it: read it with the interval


def test_p_counts_the_resamples_that_are_further_off_than_the_difference():
    differences = np.array([1.0, 2.0, 3.0, 10.0])
    assert p_value(differences, 5.0) == pytest.approx(2 / 5)
    assert p_value(-differences, -5.0) == pytest.approx(2 / 5)
    assert p_value(differences, 6.0) == pytest.approx(1 / 5)


def test_bleu_of_a_perfect_output_is_100_and_shortness_costs():
    perfect = np.array([10, 10, 10, 9, 8, 7, 10, 9, 8, 7.0])
    assert bleu(perfect) == pytest.approx(100)
    assert bleu(perfect + np.eye(10)[1] * 5) == pytest.approx(100 * np.exp(-0.5))
    assert bleu(perfect - np.eye(10)[1] * 5) == pytest.approx(100), "length is no merit"
    assert bleu(np.zeros(10)) == 0
    assert bleu(np.array([10, 10, 0, 0, 0, 0, 10, 9, 8, 7.0])) == 0, "nothing matches"
    assert bleu(np.array([3, 3, 3, 2, 1, 0, 3, 2, 1, 0.0])) == 0, "too short for the longest n-grams"
    halves = np.array([10, 10, 10, 9, 0, 0, 10, 9, 8, 7.0])
    assert bleu(halves) == pytest.approx(100 * (0.5 / 8 * 0.25 / 7) ** 0.25)
    assert bleu(np.stack([perfect, np.zeros(10)])) == pytest.approx([100, 0])


def test_the_table_shows_the_ticket_against_its_controls_beside_the_interval_over_seeds(world, rows):
    text = render(world, "md")
    row = rows["ticket", 1, "random-ticket", 0]
    line = next(line for line in text.splitlines() if line.startswith("| ticket ") and "| random-ticket " in line)
    assert f"{row.difference:+.1f} [{row.low:+.1f}, {row.high:+.1f}]" in line
    assert "| bootstrap | level | against" in text
    assert "1,000 resamples of the test items (seed 12345)" in text
    assert "Signature of `bleu`: tok:13a\\|version:2.6.0." in text
    assert "95 % t interval over seeds" in text
    assert text.index("mean [low, high]") < text.index("| bootstrap |")
    opponents = {
        line.split("|")[3].strip() for line in text.partition("| bootstrap |")[2].splitlines() if "| ticket" in line
    }
    assert opponents == {"random-ticket", "reinit"}
    assert "bootstrap & level & against" in render(world, "tex")


def test_a_seed_without_items_leaves_its_cell_empty(world):
    (line,) = (
        line
        for line in render(world, "md").splitlines()
        if line.startswith("| ticket ") and "2     | random-ticket" in line
    )
    assert line.split("|")[6].strip() == ""
    assert line.split("|")[5].strip() != ""


def test_a_method_that_is_not_installed_is_in_no_cell_of_its_namesake(world, record):
    task = task_from_json(world[0]["spec"]["task"])
    dense, ticket, reinit = (replace(METHODS[name], version=2) for name in ("dense", "ticket", "reinit"))
    forged = [
        record(method, level, seed, 40.0, task=task, items=items(0.95, 7 + seed))
        for method, levels in ((dense, (0,)), (ticket, (1, 2, 3)), (reinit, (1, 2)))
        for level in levels
        for seed in range(3)
    ]
    honest, mixed = (cells(sections(each)[0]) for each in (world, [*world, *forged]))
    assert mixed == honest


def test_the_headline_and_the_uniform_rows_are_the_same_with_and_without_items(world):
    without = [{key: value for key, value in each.items() if key != "items"} for each in world]
    assert render(world, "csv") == render(without, "csv")
    assert "ootstrap" not in render(without, "md")
    assert resamples(without) == ""


def test_the_csv_has_every_pair_and_does_not_depend_on_the_order(world, rows):
    lines = list(csv.DictReader(io.StringIO(resamples(world))))
    assert len(lines) == len(rows)
    assert list(lines[0]) == list(bootstrap.COLUMNS)
    for line in lines:
        row = rows[line["method"], int(line["level"]), line["opponent"], int(line["seed"])]
        assert float(line["difference"]) == pytest.approx(row.difference, rel=1e-5, abs=1e-12)
        assert float(line["low"]) <= float(line["high"])
    assert resamples(world[::-1]) == resamples(world)


def test_what_is_published_follows_from_the_published_records(world, tmp_path):
    paths = {str(path.relative_to(tmp_path)): path for path in publish(world, tmp_path, name="some")}
    (published,) = read(paths["records/some.jsonl"]).values()
    assert paths["tables/some-bootstrap.csv"].read_text() == resamples(published)
    assert resamples(published) == resamples(world)


def test_publishing_in_parts_gives_the_whole_bootstrap(world, tmp_path):
    publish(world[::2], tmp_path, name="some")
    publish(world[1::2], tmp_path, name="some")
    assert (tmp_path / "tables" / "some-bootstrap.csv").read_text() == resamples(world)


def test_records_without_items_publish_no_bootstrap(study, tmp_path):
    publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="some")
    assert not (tmp_path / "tables" / "some-bootstrap.csv").exists()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"metric": "rouge"}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5"] * N}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5 4 3 2", "10"]}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5 4 x 2"] * N}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5 4 -3 2"] * N}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5 4 inf 2"] * N}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5 4 1e300 2"] * N}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5 4 3 2"] * (MOST_ITEMS + 1)}, bootstrap.UNREADABLE),
        ({"statistics": []}, bootstrap.UNREADABLE),
        ({"statistics": ["10 11 5 4 3 2"] * 3}, bootstrap.UNLIKE),
    ],
)
def test_items_that_no_learner_wrote_are_told_in_their_cells(world, change, what):
    spoilt = [
        {**each, "items": {**each["items"], **change}} if each["spec"]["method"]["name"] == "ticket" else each
        for each in world
    ]
    assert f"| {what} " in render(spoilt, "md")
    rows = csv.DictReader(io.StringIO(resamples(spoilt)))
    assert {line["method"] for line in rows} == {"reinit", "random-ticket"}, "the others are compared as before"


def test_many_items_are_resampled_block_by_block_as_at_once(monkeypatch):
    counts = statistics(items(0.8, 0))
    drawn = np.random.default_rng(bootstrap.SEED).choice(N, size=(bootstrap.RESAMPLES, N), replace=True)
    assert (bootstrap.resampled_sums(counts) == counts[drawn].sum(1)).all()
    once = bootstrap.resampled_sums(counts)
    monkeypatch.setattr(bootstrap, "BLOCK", 7 * N)
    assert (bootstrap.resampled_sums(counts) == once).all()
    assert max(len(block) for block in bootstrap._draws(N)) == 7
