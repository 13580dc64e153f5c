"""The cells of the compact table."""

import pytest

from bench.report.table.compact import COMPACT, HEADER, besides, cells, title
from bench.report.table.rows import COLUMNS, sections

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}


def table(records):
    (section,) = sections(records)
    return {(line[0], line[1]): dict(zip(HEADER, line, strict=True)) for line in cells(section)}


def test_every_column_shows_a_field_of_the_rows(study):
    assert {column.name for column in COMPACT} <= set(COLUMNS)
    assert len({column.heading for column in COMPACT}) == len(COMPACT)
    (section,) = sections(study(EFFECTS))
    assert [len(line) for line in cells(section)] == [len(COMPACT)] * 5


@pytest.fixture(name="exact")
def exact_records(record):
    """Paired differences that are the same at every seed, but for the ticket's."""
    scores = {"dense": 0.9, "reinit": 0.875, "shuffled": 0.87, "random-ticket": 0.85}
    found = [record(m, int(m != "dense"), seed, v + seed / 100) for m, v in scores.items() for seed in range(3)]
    return found + [record("ticket", 1, seed, 0.91 + 3 * seed / 100) for seed in range(3)]


def test_the_numbers_of_a_row(exact):
    line = table(exact)["ticket", "1"]
    # scores .91, .94, .97: mean .94, half width 4.3027 * .03 / sqrt(3) = .0745; differences to dense .01, .03, .05
    assert line == {
        "method": "ticket",
        "level": "1",
        "density %": "50",
        "n": "3",
        "mean [low, high]": "0.940 [0.865, 1.015]",
        "normalised": "1.037",
        "vs dense": "+0.030 [-0.020, +0.080]",
        "vs random": "+0.080 [+0.030, +0.130]",
        "vs reinit": "+0.055 [+0.005, +0.105]",
        "vs shuffled": "+0.060 [+0.010, +0.110]",
        "matching": "no",
        "verdict": "winning",
        "P_m %": "50",
        "search cost": "2,000",
    }
    assert (table(exact)["dense", "0"]["vs dense"], table(exact)["dense", "0"]["matching"]) == ("", "")


def test_every_difference_stands_in_its_own_column(exact):
    (section,) = sections(exact)
    ticket = next(row for _, row in section.headline if row.method == "ticket")
    for name in ("dense", "random", "reinit", "shuffled"):
        bounds = ticket.bounds(f"vs_{name}")
        assert bounds == tuple(getattr(ticket, f"vs_{name}{end}") for end in ("", "_low", "_high"))
        assert bounds[1] < bounds[0] < bounds[2]
    assert ticket.bounds("mean") == (ticket.mean, ticket.low, ticket.high)


def test_matching_is_yes_or_no(study):
    lines = table(study({"dense": 0.0, "ticket": 0.01, "reinit": -0.2}))
    assert [lines[key]["matching"] for key in (("dense", "0"), ("ticket", "1"), ("reinit", "1"))] == ["", "yes", "no"]


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (1e-9, "0.900000"),
        (0.0001, "0.90000"),
        (0.001, "0.9000"),
        (0.01, "0.900"),
        (0.1, "0.90"),
        (1.0, "0.9"),
        (30.0, "1"),
    ],
)
def test_scores_have_two_digits_of_their_typical_half_width(record, noise, expected):
    step = noise / 4.302653 * 3**0.5 * 1.5  # of the half width 1.5 * noise
    found = [record("ticket", level, seed, 0.9 + (seed - 1) * step) for level in (1, 2, 3) for seed in range(3)]
    assert table(found)["ticket", "1"]["mean [low, high]"].split()[0] == expected


def test_the_typical_half_width_is_the_median(record):
    steps = {1: 0.001, 2: 0.01, 3: 10.0}
    found = [
        record("ticket", level, seed, 0.9 + (seed - 1) * step) for level, step in steps.items() for seed in range(3)
    ]
    assert table(found)["ticket", "3"]["mean [low, high]"] == "0.900 [-23.941, 25.741]"


@pytest.mark.parametrize(("value", "expected"), [(0.5, "0.5000"), (50.0, "50.00"), (-50.0, "-50.00"), (0.0, "0.000")])
def test_without_intervals_scores_have_four_digits(record, value, expected):
    assert table([record("ticket", 1, 0, value)])["ticket", "1"]["mean [low, high]"] == f"{expected} (n < 3)"


def test_marks_stand_beside_the_number_they_are_about(record):
    found = [record("ticket", 2, seed, 0.9 if seed else None) for seed in range(3)]
    line = table(found)["ticket", "2"]
    assert (line["density %"], line["n"]) == ("25", "3 ‡")
    found[1]["counts"]["collapsed"] = ["fc2.weight"]
    assert table(found)["ticket", "2"]["density %"] == "25 †"
    assert ("zebra (version 1) ‖", "1") in table([record("zebra", 1, 0, 0.9)])


def test_a_score_of_none_is_an_empty_cell(record):
    line = table([{**record("ticket", 1, 0, 0.9), "metrics": []}])["ticket", "1"]
    assert (line["mean [low, high]"], line["n"], line["verdict"]) == ("", "0", "")


@pytest.mark.parametrize(
    ("seeds", "said"), [((1, 1), "1 seed"), ((2, 2), "2 seeds"), ((1, 3), "1 to 3 seeds"), ((3, 2), "2 to 3 seeds")]
)
def test_the_title_counts_the_seeds(record, seeds, said):
    found = [
        record(m, 1, seed, 0.9) for m, count in zip(("ticket", "snip"), seeds, strict=True) for seed in range(count)
    ]
    (section,) = sections(found)
    assert title(section) == (
        "vision/toy @ small",
        f"accuracy ↑ on test, final; {said}; 1000 updates, rewind step 100; task version 1; Frankle & Carbin 2018, section 2",
    )


def test_the_title_says_what_is_better_and_in_which_unit(study):
    (section,) = sections(study({"dense": 0.0}, metric="loss", unit="env_steps", source="", at=("last-100",)))
    assert title(section)[1] == "loss ↓ on test, last-100; 3 seeds; 1000 env steps, rewind step 100; task version 1"


def test_what_else_was_measured_has_decimals_of_its_own(record):
    found = [record("ticket", 1, seed, 0.9 + seed / 1000) for seed in range(3)]
    for seed, each in enumerate(found):
        extra = {
            "name": "loss",
            "split": "test",
            "at": "final",
            "value": 100.0 + 10 * seed,
            "direction": "min",
            "step": 1,
        }
        each["metrics"] = [*each["metrics"], extra]
    (section,) = sections(found)
    assert besides(section) == [("method", "level", "loss ↓"), ("ticket", "1", "110 [85, 135]")]
    (bare,) = sections([record("ticket", 1, 0, 0.9)])
    assert besides(bare) == []


def test_what_some_seeds_lack_is_counted_where_it_is_read(record):
    """One diverged, and one record of the other arm has no loss: their means are of fewer seeds than the title says."""
    records = [record("dense", 0, seed, None if seed == 3 else 0.9 + seed / 100) for seed in range(5)]
    records += [record("ticket", 1, seed, 0.9) for seed in range(5)]
    for each in records:
        arm = each["spec"]["method"]["name"], each["spec"]["seed"]
        if each["status"] == "ok" and arm not in {("ticket", 0), ("ticket", 1), ("ticket", 4)}:
            each["metrics"] = [*each["metrics"], {**each["metrics"][0], "name": "loss", "value": 0.5}]
    (section,) = sections(records)
    assert [line[-1] for line in besides(section)] == ["loss ↓", "0.5000 [0.5000, 0.5000] (n = 4)", "0.5000 (n < 3)"]
    for each in records:
        if each["status"] == "ok":
            each["metrics"] = [each["metrics"][0], {**each["metrics"][0], "name": "loss", "value": 0.5}]
    (section,) = sections([each for each in records if each["status"] == "ok"])
    assert "(n" not in str(besides(section)), "all that there are"
