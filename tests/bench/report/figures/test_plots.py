import itertools
import re
import zlib
from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from bench import registry
from bench.report.figures.frame import LABEL, label
from bench.report.figures.panel import cuts, lines, panel, ranges
from bench.report.figures.plots import plot
from bench.report.figures.style import looks
from bench.report.statistics.seeds import interval
from bench.report.table.rows import sections
from bench.spec import Pruning
from bench.tickets.methods import METHODS
from domains.teacher import columns

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "random-ticket": -0.05}


@pytest.fixture(name="every_method", scope="module")
def every_method_at_five_levels(record, task):
    asked = task(name="vision/lenet", scale="quick", deviations=("Adam instead of SGD.",), tolerance=0.002)
    found = [record("dense", 0, seed, 0.97 + seed / 1e4, task=asked) for seed in range(3)]
    for method in list(METHODS)[1:]:
        rng = np.random.default_rng(zlib.crc32(method.encode()))
        steep = rng.uniform(0.002, 0.01)
        for level in range(1, 6):
            for seed in range(3):
                score = 0.975 - steep * level + rng.normal(scale=0.002)
                found.append(
                    record(method, level, seed, None if (method, level) == ("grasp", 5) else score, task=asked)
                )
    return found


def _texts(path):
    return ["".join(element.itertext()) for element in ET.parse(path).iter() if element.tag.endswith("}text")]  # noqa: S314


def test_a_figure_names_every_method_and_what_to_know(every_method, tmp_path):
    svg, png = plot(every_method, tmp_path / "new" / "folder", stem="quick")
    assert (svg.name, png.name) == ("quick-vision-lenet.svg", "quick-vision-lenet.png")
    texts = _texts(svg)
    assert set(METHODS) <= set(texts)
    assert {"all", "near dense", "vision/lenet @ quick"} <= set(texts)
    caption = " ".join(texts)
    for said in (
        "Scale quick: no verdict on a claim.",
        "Adam instead of SGD.",
        "counts at chance (0.1)",
        "95 % intervals",
    ):
        assert said in caption
    assert imread(png).shape[0] > 700


def test_the_same_records_give_the_same_bytes(every_method, tmp_path):
    first = plot(every_method, tmp_path / "a", stem="x")
    again = plot(list(reversed(every_method)), tmp_path / "b", stem="x")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert b"<dc:date>" not in first[0].read_bytes()


def test_drawing_leaves_matplotlib_as_it_was(study, tmp_path):
    with mpl.rc_context({"lines.linewidth": 7.0}):
        before = dict(mpl.rcParams)
        mine = plot(study(EFFECTS), tmp_path / "a", stem="x")[0].read_bytes()
        assert dict(mpl.rcParams) == before
    assert plot(study(EFFECTS), tmp_path / "b", stem="x")[0].read_bytes() == mine


def test_density_falls_to_the_right_on_a_log2_axis(study, tmp_path):
    found = study(EFFECTS, levels=(1, 2, 3))
    texts = _texts(plot(found, tmp_path, stem="x")[0])
    ticks = [text for text in texts if re.fullmatch(r"[\d.]+", text)]
    assert ticks[:4] == ["100", "50", "25", "12.5"]


@pytest.mark.parametrize(
    ("tasks", "names"),
    [
        ([{}], ["vision-toy"]),
        ([{}, {"scale": "quick"}], ["vision-toy-quick", "vision-toy-small"]),
        ([{}, {"name": "rl/toy", "scale": "quick"}], ["rl-toy", "vision-toy"]),
        ([{}, {"version": 2}], ["vision-toy-1", "vision-toy-2"]),
        ([{"name": "vision/../../etc <x>"}], ["vision-..-..-etc--x-"]),
    ],
)
def test_file_names(study, tmp_path, tasks, names):
    found = [each for changes in tasks for each in study({"dense": 0.0}, seeds=1, **changes)]
    written = plot(found, tmp_path, stem="s")
    assert [path.name for path in written] == [f"s-{name}.{kind}" for name in names for kind in ("svg", "png")]
    assert all(path.parent == tmp_path for path in written)


def test_hostile_names_are_drawn_as_they_are(record, task, tmp_path):
    names = ["$x_1$ <b>&", "\u6f22\u5b57", "two\nlines", "a-name-that-is-longer-than-its-column"]
    asked = task(deviations=("100 $ & <i>",))
    texts = _texts(
        plot([record(name, 1, seed, 0.5, task=asked) for name in names for seed in range(3)], tmp_path, stem="x")[0]
    )
    drawn = ("$x_1$ <b>& (version", "\u6f22\u5b57 (version 1)", "two lines (version", "a-name-that-is-long")
    for name in drawn:
        assert any(text.startswith(name) and text.endswith("\u2016") and len(text) <= 22 for text in texts)


def test_less_is_better_and_one_seed_and_no_dense(study, tmp_path):
    texts = _texts(plot(study({"ticket": 0.0, "snip": 0.1}, metric="loss", seeds=1), tmp_path, stem="x")[0])
    assert any("loss on test, final (\u2193 better)" in text for text in texts)
    assert any("Fewer than 3 seeds: no interval." in text for text in texts)
    assert "dense" not in texts


def test_an_empty_network_is_not_drawn_and_that_is_said(study, tmp_path):
    texts = _texts(plot(study(EFFECTS, levels=(1, 11)), tmp_path, stem="x")[0])
    assert any("Arms without a single weight are not drawn." in text for text in texts)


def test_records_without_the_score_make_an_empty_figure(record, tmp_path):
    silent = {**record("ticket", 1, 0, 0.9), "metrics": []}
    assert len(plot([silent], tmp_path, stem="x")) == 2


@pytest.mark.parametrize("sign", [1, -1])
def test_one_collapsed_control_does_not_flatten_the_rest(record, task, sign):
    asked = task(metric="accuracy" if sign > 0 else "loss", chance=sign * 0.1)
    scores = {"dense": 0.9, "ticket": 0.91, "reinit": 0.89, "snip": 0.88, "random-ticket": 0.2}
    found = [
        record(m, int(m != "dense"), s, sign * (v + s / 1e3), task=asked) for m, v in scores.items() for s in range(3)
    ]
    (section,) = sections(found)
    whole, near = ranges(section)
    assert all(whole[0] < sign * score < whole[1] for score in scores.values())
    assert [near[0] < sign * score < near[1] for score in scores.values()] == [True, True, True, True, False]


def test_one_panel_where_one_is_enough(study):
    (section,) = sections(study(EFFECTS, noise=0.005))
    assert len(ranges(section)) == 1


def test_methods_of_a_level_stand_beside_each_other(every_method):
    (section,) = sections(every_method)
    shifts = [line.shift for line in lines(section)]
    assert shifts == sorted(shifts, reverse=True)
    assert 1 < shifts[0] / shifts[-1] < 2  # the next level, at half the density, begins further right
    assert shifts[0] * shifts[-1] == pytest.approx(1)


def test_every_method_has_a_look_of_its_own_even_without_colour():
    drawn = looks(METHODS)
    assert set(drawn) == set(METHODS) - {"dense"}
    assert len({(look.marker, look.line, look.filled) for look in drawn.values()}) == len(drawn)
    assert {name for name, look in drawn.items() if look.main} == {"ticket", "reinit", "shuffled", "random-ticket"}


FAMILIES = {
    "ticket": ("ticket", "ticket-init"),
    "ticket's mask": (
        "reinit",
        "reinit-signed",
        "permuted",
        "shuffled",
        "ticket-noise",
        "ticket-reordered",
        "shuffled-values",
    ),
    "random or small": ("random-ticket", "random-erk", "small-dense", "magnitude-shuffled", "snip-shuffled"),
    "trained weights": (
        "one-shot",
        "one-shot-reinit",
        "one-shot-increase",
        "one-shot-untrained",
        "fine-tune",
        "lr-rewind",
    ),
    "at initialisation": ("magnitude-init", "snip", "grasp", "synflow"),
    "while training": ("gmp", "set", "rigl"),
    "another task's ticket": ("transfer+a", "transfer-reinit+a"),
    "others": ("a", "b"),
}


def test_colours_say_where_masks_and_weights_come_from():
    drawn = looks(["b", "a", "transfer-reinit+a", "transfer+a", *reversed(METHODS)])
    assert [(name, look.family) for name, look in drawn.items()] == [
        (name, family) for family, names in FAMILIES.items() for name in names
    ]
    assert len({look.colour for look in drawn.values()}) == len(FAMILIES)


def test_methods_that_prune_whole_nodes_are_a_family(monkeypatch):
    nodes = {each.name: each for each in (columns.fanout, columns.fanout_reinit, columns.fanout_random)}
    monkeypatch.setattr(registry, "methods", lambda: {**METHODS, **nodes})
    drawn = looks([*METHODS, *nodes])
    assert [name for name, look in drawn.items() if look.family == "whole nodes"] == list(nodes)
    assert drawn == {**looks(METHODS), **{name: drawn[name] for name in nodes}}


@pytest.mark.parametrize("family", [name for name in FAMILIES if FAMILIES[name][0] in METHODS])
@pytest.mark.parametrize("count", [5, 12, 30, 60])
def test_a_family_may_grow(monkeypatch, family, count):
    (first, *_), before = FAMILIES[family], looks(METHODS)
    many = {f"{first}-{place}": replace(METHODS[first], name=f"{first}-{place}") for place in range(count)}
    monkeypatch.setattr(registry, "methods", lambda: {**METHODS, **many})
    drawn = looks([*many, *METHODS])
    assert {name: drawn[name] for name in before} == before, "those that were there look as before"
    grown = [look for look in drawn.values() if look.family == family]
    assert len(grown) == count + len(FAMILIES[family])
    assert len({(look.colour, look.marker, look.line, look.filled) for look in grown}) == len(grown)
    assert looks(list(many)[3:5]) == {name: drawn[name] for name in list(many)[3:5]}


def test_strangers_get_looks_that_do_not_depend_on_the_order():
    assert looks(["b", "ticket", "a"]) == looks(["a", "b", "ticket"])
    assert list(looks(["b", "a", "ticket", "dense"])) == ["ticket", "a", "b"]


def test_a_stranger_called_like_a_method_is_a_line_of_its_own(study, record, tmp_path):
    forged = replace(METHODS["ticket"], version=99)
    found = study(EFFECTS) + [record(forged, 1, seed, 0.2) for seed in range(3)]
    (section,) = sections(found)
    drawn = {line.method: line for line in lines(section)}
    assert [row.mean > 0.9 for _, row in drawn["ticket"].points] == [True]
    assert drawn["ticket (version 99) ‖"].look.family == "others"
    texts = _texts(plot(found, tmp_path, stem="x")[0])
    assert "ticket (version 99) ‖" in texts
    assert any("‖ Not installed here" in text for text in texts)


@pytest.mark.parametrize("changes", [{"version": 99}, {"weights": "fresh"}], ids=str)
def test_a_strangers_dense_network_is_not_the_line_that_others_are_read_by(study, record, changes):
    forged = [record(replace(METHODS["dense"], **changes), 0, seed, 0.2) for seed in range(3)]
    lines_at = []
    for found in (study(EFFECTS), [*study(EFFECTS), *forged], [*study(EFFECTS)[3:], *forged]):
        axes, (section,) = Figure().add_subplot(), sections(found)
        panel(axes, section, (0.0, 1.0))
        lines_at.append([round(line.get_ydata()[0], 3) for line in axes.lines if list(line.get_xdata()) == [0, 1]])
    assert lines_at[0] == lines_at[1]
    assert len(lines_at[0]) == 1
    assert lines_at[2] == []


def _octaves(section):
    """Of the axis, and from the first to the last point of each level."""
    axes = Figure().add_subplot()
    panel(axes, section, (0.0, 1.0))
    left, right = axes.get_xlim()
    places = {}
    for line in lines(section):
        for _, row in line.points:
            places.setdefault(row.level, []).append(np.log2(row.density * line.shift))
    return np.log2(left / right), {level: (min(at), max(at)) for level, at in places.items()}


@pytest.mark.parametrize("levels", [(1,), (3,), (1, 2), (1, 5), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_methods_of_one_level_stand_close_together_however_few_levels_there_are(study, levels, rate):
    effects = dict.fromkeys(METHODS, 0.0)
    (section,) = sections(study(effects, levels=levels, pruning=Pruning(rate=rate)))
    axis, places = _octaves(section)
    assert len(places) == len(levels)
    for first, last in places.values():
        assert 0 < last - first <= 0.06 * axis + 1e-9
    ends = [(0.0, 0.0), *(places[level][::-1] for level in sorted(places))]
    for (_, right), (left, _) in itertools.pairwise(ends):
        assert right - left > 0.2 * -np.log2(1 - rate), "the next level begins further right"


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_panel_holds_every_interval_of_few_levels(record, task, seeds, sign):
    asked = task(metric="accuracy" if sign > 0 else "loss", chance=-sign * 1e3)
    rng = np.random.default_rng(0)
    found = [
        record(method, int(method != "dense"), seed, sign * 0.9 + rng.normal(scale=0.01), task=asked)
        for method in EFFECTS
        for seed in range(seeds)
    ]
    (section,) = sections(found)
    assert not cuts(section)
    for limits in ranges(section):
        assert all(limits[0] < bound < limits[1] for row in section.rows for bound in (row.low, row.high))


def test_an_interval_beyond_every_score_leaves_the_panel_and_that_is_said(record, tmp_path):
    found = [record("dense", 0, seed, 0.9 + seed / 1000) for seed in range(3)]
    found += [record("ticket", 1, seed, value) for seed, value in enumerate((0.9, 0.9, None))]
    (section,) = sections(found)
    whole = ranges(section)[0]
    top = interval([0.9, 0.901, 0.902]).high
    assert whole == pytest.approx((0.1 - 0.08 * (top - 0.1), top + 0.08 * (top - 0.1)))
    assert cuts(section)
    said = "Bars leave a panel where they are more than 2.5 times as high as its range of scores."
    assert said in " ".join(_texts(plot(found, tmp_path, stem="x")[0]))
    assert said not in " ".join(_texts(plot(found[:3], tmp_path, stem="y")[0]))


def test_two_sources_that_begin_alike_are_told_apart_in_the_legend():
    names = [
        f"transfer{how}+slim-cifar10a{end}" for how in ("", "-reinit") for end in ("", "-5k", "-animals", "-layers")
    ]
    labels = [label(name) for name in names]
    assert len(set(labels)) == len(names)
    assert labels[0] == names[0]
    assert labels[2] == "transfer+\nslim-cifar10a-animals"
    assert all(len(part) <= LABEL for each in labels for part in each.splitlines())
    assert max(map(len, label("x" * 90 + "+" + "y" * 90).splitlines())) <= LABEL
