"""The table on a terminal: what decides, within a hundred characters."""

import io

import pytest
from rich.console import Console

from bench.report.sentences import sentences
from bench.report.table.rows import rows, sections
from bench.report.table.terminal import REST, show

EFFECTS = {
    "dense": 0.0,
    "ticket": 0.01,
    "one-shot-reinit": -0.03,
    "reinit": -0.02,
    "shuffled": -0.03,
    "random-ticket": -0.05,
}


def shown(records, width=100, methods=None, colours=None):
    text = io.StringIO()
    show(Console(file=text, width=width, force_terminal=True, color_system=colours), records, methods)
    return text.getvalue()


@pytest.mark.parametrize("scale", [1, 100])
def test_every_row_is_one_line_of_at_most_a_hundred_characters(study, scale):
    found = study(
        {name: gain * scale for name, gain in EFFECTS.items()}, levels=(1, 10), noise=0.002 * scale, chance=-1e9
    )
    lines = shown(found, width=200).splitlines()
    assert max(map(len, lines)) <= 100
    table = [line.split() for line in lines]
    for row in rows(found):
        assert sum(words[:2] == [row.method, str(row.level)] for words in table) == 1
    first = next(place for place, words in enumerate(table) if words[:1] == ["dense"])
    assert table[first + len(rows(found))][0] == "†", "no row wraps"


def test_it_says_the_task_the_numbers_and_where_the_rest_is(study):
    found = study(EFFECTS)
    text = shown(found)
    (sentence,) = sentences(sections(found))
    told, _, table = text.partition("\n\n")
    assert " ".join(told.split()) == sentence, "the sentences come first"
    assert table.startswith("vision/toy @ small\naccuracy ↑ on test, final; 3 seeds; 1000 updates, rewind step 100;")
    assert text.rstrip().endswith(REST)
    row = next(row for row in rows(found) if row.method == "ticket")
    (line,) = (line for line in text.splitlines() if line.startswith("ticket "))
    expected = [
        "ticket 1 50 3",
        f"{row.mean:.4f} [{row.low:.4f}, {row.high:.4f}]",
        f"[{row.vs_dense_low:+.4f}, {row.vs_dense_high:+.4f}]",
        f"[{row.vs_random_low:+.4f}, {row.vs_random_high:+.4f}]",
        "winning",
    ]
    assert " ".join(line.split()) == " ".join(expected)


def test_without_an_interval_the_difference_stands_alone(study):
    (line,) = (line for line in shown(study(EFFECTS, seeds=2)).splitlines() if line.startswith("ticket "))
    row = next(row for row in rows(study(EFFECTS, seeds=2)) if row.method == "ticket")
    assert f" {row.vs_dense:+.4f} " in line
    assert line.split()[-3:] == ["n", "<", "3"]


def test_what_is_not_shown_still_compares(study):
    text = shown(study(EFFECTS), methods=("ticket",))
    assert "winning" in text
    assert "random-ticket" not in text


def test_marks_are_explained(record):
    found = [record("ticket", 1, 0, None), record("stranger", 1, 0, 0.5)]
    text = shown(found)
    assert "1 ‡" in text
    assert "‡ Diverged, counted at chance (0.1): ticket L1 (seed 0)." in text
    assert "stranger (version 1) ‖" in text
    assert "‖ Not installed here" in text


def test_hostile_names_are_neither_markup_nor_escape_sequences(record, task):
    text = shown([record("[bold]x[/bold]\x1b[31m", 1, 0, 0.5, task=task(name="vision/[red]y\n"))])
    assert "[bold]x[/bold] [31m" in text
    assert "vision/[red]y  @ small" in text
    assert "\x1b" not in text


def test_a_narrow_terminal_is_not_overrun(study):
    assert max(map(len, shown(study(EFFECTS), width=60).splitlines())) <= 60


def test_no_records():
    assert shown([]) == "No finished records.\n"


def test_the_least_column_is_left_out_where_it_does_not_fit(study):
    effects = {"dense": 0.0, "ticket": 1.0, "reinit": -2.0, "random-ticket": -5.0}
    found = study(effects, scale="quick", noise=0.1, chance=-90.0)
    assert "vs reinit" in shown(found)
    assert "vs reinit" not in shown(found, width=80)
    assert "vs random" in shown(found, width=80)


def test_columns_that_say_nothing_are_left_out(study):
    text = shown(study({"dense": 0.0, "ticket": 0.01}))
    assert "vs dense" in text
    assert "vs random" not in text
    assert "verdict" not in text
    text = shown(study(EFFECTS, scale="quick"))
    assert "; no verdict (quick)" in " ".join(text.split())
    assert " verdict\n" not in text, "the same word in every row says less than once"


def test_colours_tell_on_which_side_of_zero_an_interval_lies(study):
    text = shown(study(EFFECTS), colours="standard")
    (ticket,) = (line for line in text.splitlines() if line.startswith("ticket "))
    (random,) = (line for line in text.splitlines() if line.startswith("random-ticket "))
    assert ticket.count("\x1b[32m") == 2, "better than either"
    assert "\x1b[1;32mwinning" in ticket
    assert "\x1b[31m" in random
    assert "\x1b[32m" not in random
    assert "\x1b[2m" in shown(study({"dense": 0.0, "ticket": 0.0}, noise=0.01), colours="standard"), "undecided"
