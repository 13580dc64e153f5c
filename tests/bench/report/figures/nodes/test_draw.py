"""The figures of nodes: what is drawn is read back from their axes."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_hex
from nodes import build_layer, with_nodes

from bench.report.figures.nodes import draw
from bench.report.figures.nodes.numbers import MOST
from bench.report.figures.plots import plot
from bench.report.table.rows import sections

STUDENTS = {
    "correlation_final": [0.96, 0.96, 0.5, 0.0],
    "fanout_final": [2.0, 2.0, 0.4, 0.0],
    "kept_in": [3, 3, 3, 0],
    "kept_out": [3, 3, 3, 3],
}
TEACHERS = {
    "correlation_final": [0.5, 0.96, 0.97],
    "correlation_early": [0.5, 0.96, 0.5],
    "initial_rank": [0.0, 0.05, 0.95],
}
KINDS = ("lshape", "recovery", "training", "ranks")


@pytest.fixture
def records(study):
    """Dense, a ticket and its control, and a narrower network, three seeds each."""
    found = study({"dense": 0.0, "ticket": 0.0, "reinit": 0.0, "small-dense": 0.0}, levels=(2,))
    return with_nodes(found, lambda: build_layer(TEACHERS, STUDENTS))


def drawn(records, curves=None):
    (section,) = sections(records)
    return dict(draw.figures(section, curves or {}))


def words(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.texts)


def test_the_lshape_has_a_panel_per_arm_and_pruned_nodes_apart(records):
    figure = drawn(records)["lshape"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["dense", "ticket L2", "reinit L2"]
    pruned, kept = figure.axes[0].collections
    assert kept.get_offsets().data == pytest.approx(np.array([(0.5, 0.4), (0.96, 2.0)]))
    assert pruned.get_offsets().data == pytest.approx(np.array([(0.0, 0.0)]))
    assert kept.get_sizes() == pytest.approx([4.0 * 3, 4.0 * 6]), "the area is for the number of nodes of all seeds"
    assert to_hex(kept.get_facecolor()) != to_hex(pruned.get_edgecolor())
    assert [text.get_text() for text in figure.axes[0].texts] == ["9 kept, 3 pruned"]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0", "0.5", "1"]
    for (low, high), most in ((figure.axes[0].get_xlim(), 1.0), (figure.axes[0].get_ylim(), 2.0)):
        assert low < 0, "no mark on the edge is cut"
        assert high > most


def test_very_many_nodes_are_no_larger_than_many(study):
    many = {name: values[:1] * 1000 for name, values in STUDENTS.items()}
    figure = drawn(with_nodes(study({"dense": 0.0}), lambda: build_layer(students=many)))["lshape"]
    assert figure.axes[0].collections[1].get_sizes() == pytest.approx([4.0 * MOST])
    assert [text.get_text() for text in figure.axes[0].texts] == ["3,000 nodes"]


def test_recovery_has_a_dotted_and_a_solid_line_per_arm_and_a_panel_per_group(records):
    figure = drawn(records)["recovery"]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["by width (nodes)", "at level 2: 25 % of the weights"]
    early, final, *others = figure.axes[0].lines
    assert (early.get_linestyle(), final.get_linestyle()) == (":", "-")
    assert [list(line.get_xdata()) for line in (early, final)] == [[1, 2, 3]] * 2
    assert list(early.get_ydata()) == [1.0, 0.0, 0.0]
    assert list(final.get_ydata()) == [1.0, 1.0, 0.0], "the weakest teacher node is last"
    assert early.get_color() == final.get_color()
    assert len(others) == 2
    assert len({line.get_color() for line in figure.axes[1].lines}) == 3
    assert len({line.get_marker() for line in figure.axes[1].lines} - {""}) == 3, "they read without colour, too"


def test_the_legend_names_the_widths_where_they_differ(study):
    small = {name: values[:3] for name, values in STUDENTS.items()}
    found = with_nodes(study({"dense": 0.0}), lambda: build_layer(students=STUDENTS))
    found += with_nodes(study({"small-dense": 0.0}, levels=(10,)), lambda: build_layer(students=small))
    (legend,) = drawn(found)["recovery"].legends
    assert [text.get_text() for text in legend.get_texts()] == ["", "dense: 4", "small-dense L10: 3"]


def test_training_draws_readings_and_says_so_where_there_are_no_curves(records):
    figure = drawn(records)["training"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["best correlation", "recovered"]
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [0.0, 50.0, 1000.0]
    assert line.get_ydata() == pytest.approx([0.4, (0.5 + 0.96 + 0.5) / 3, (0.5 + 0.96 + 0.97) / 3])
    assert figure.axes[2].lines[0].get_ydata() == pytest.approx([0.0, 1 / 3, 2 / 3])
    assert "Marks: before training, after 5 % of the budget and at the end." in words(figure)


def test_training_draws_curves_with_their_intervals(records):
    curves = {
        record["unit_id"]: [
            {"step": step, "updates": step, "metrics": {"test": {"best_correlation": 0.5 + record["spec"]["seed"] / 100, "recovered": step / 1000}}}
            for step in range(100, 1001, 100)
        ]
        for record in records
    }  # fmt: skip
    figure = drawn(records, curves)["training"]
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == list(range(100, 1001, 100))
    assert line.get_ydata() == pytest.approx([0.51] * 10)
    half = 4.302653 * 0.01 / 3**0.5  # Student's t for two degrees of freedom
    edges = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((0.51 - half, 0.51 + half))
    assert figure.axes[2].lines[0].get_ydata() == pytest.approx([step / 1000 for step in range(100, 1001, 100)])
    assert "Marks:" not in words(figure)


def test_ranks_stand_against_the_uniform_line(records):
    figure = drawn(records)["ranks"]
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx([2 / 3, *[0.0] * 8, 1 / 3])
    assert [bar.get_x() + bar.get_width() / 2 for bar in figure.axes[0].patches] == pytest.approx(
        [0.05 + place / 10 for place in range(10)]
    )
    (chance,) = figure.axes[0].lines
    assert list(chance.get_ydata()) == [0.1, 0.1]


def test_a_layer_is_a_row(records):
    deep = [{**each, "nodes": [build_layer(), build_layer(name="hidden2")]} for each in records]
    found = drawn(deep)
    assert [len(found[kind].axes) for kind in KINDS] == [6, 4, 4, 6]
    assert found["lshape"].axes[3].get_ylabel() == "hidden2\nfan-out norm"


def test_what_a_figure_leaves_out_is_said(record, records):
    diverged = record("reinit", 2, 9, None)
    layers = [build_layer(TEACHERS, STUDENTS, name=f"hidden{place}") for place in range(6)]
    found = drawn([*({**each, "nodes": layers} for each in records[:1]), *records[1:], diverged])
    for kind in KINDS:
        assert "Diverged seeds are left out." in words(found[kind])
    assert "Only the lowest 4 layers are drawn." in words(found["lshape"])
    assert "Fewer than 3 seeds: no interval." in words(drawn(records[:1])["training"])


def test_files_are_named_by_task_and_figure_and_tasks_without_nodes_have_none(records, study, tmp_path):
    other = study({"dense": 0.0, "ticket": 0.0}, name="vision/other")
    names = [path.name for path in plot([*records, *other], tmp_path, stem="s") if path.suffix == ".svg"]
    assert names == ["s-vision-other.svg", "s-vision-toy.svg", *(f"s-vision-toy-{kind}.svg" for kind in KINDS)]


def test_the_same_records_give_the_same_bytes(records, tmp_path):
    first = plot(records, tmp_path / "a", stem="x")
    again = plot(list(reversed(records)), tmp_path / "b", stem="x")
    assert len(first) == 2 * (1 + len(KINDS))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_a_task_called_like_another_ones_figure_overwrites_nothing(records, study, tmp_path):
    other = study({"dense": 0.0}, name="vision/toy-lshape")
    written = plot([*records, *other], tmp_path, stem="s")
    assert len(set(written)) == len(written)
    assert written[-2].name == "s-vision-toy-lshape-2.svg"
    assert "vision/toy-lshape @ small" in ET.parse(written[-2]).getroot().itertext()  # noqa: S314


def test_a_stranger_cannot_break_a_figure(record, tmp_path):
    huge = [1e100, *[0.5] * 20_000]
    students = {"fanout_final": huge, "correlation_final": [-1e100, *huge[1:]], "correlation_initial": huge}
    teachers = {
        "fanout": huge,
        "correlation_final": huge,
        "correlation_initial": [-1e100] * len(huge),
        "dead": [True, *[False] * 20_000],
    }
    layers = [
        build_layer(teachers, students, name="$x_1$ hid den"),
        build_layer({"dead": [True] * 3, "initial_rank": [None] * 3}),
        {**build_layer(), "students": {}},
    ]
    dead = record("dense", 0, 0, 0.9, nodes=layers[1:2])
    written = plot([dead, *(record("$m$ \u202e", 1, seed, 0.9, nodes=layers) for seed in range(2))], tmp_path, stem="x")
    assert len(written) == 10
    assert all(path.stat().st_size < 1_000_000 for path in written)
