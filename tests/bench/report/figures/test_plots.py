import re
import zlib
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from bench.report.figures.panel import lines, ranges
from bench.report.figures.plots import plot
from bench.report.figures.style import LOOKS, MAIN, looks
from bench.report.table.rows import sections
from bench.tickets.methods import METHODS

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
        "95 % t intervals",
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
    assert {"$x_1$ <b>&", "\u6f22\u5b57", "two lines", "a-name-that-is-longer\u2026"} <= set(texts)


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


def test_every_built_in_method_has_a_look_of_its_own():
    assert set(LOOKS) == set(METHODS) - {"dense"}
    assert len({(look.colour, look.marker, look.line, look.filled) for look in LOOKS.values()}) == len(LOOKS)
    assert {name for name, look in LOOKS.items() if look.main} == set(MAIN)


def test_strangers_get_looks_that_do_not_depend_on_the_order():
    assert looks(["b", "ticket", "a"]) == looks(["a", "b", "ticket"])
    assert list(looks(["b", "a", "ticket"])) == ["ticket", "a", "b"]
