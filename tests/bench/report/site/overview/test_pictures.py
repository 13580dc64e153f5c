"""The two pictures: where a score stands in its panel, which panels come first, and labels that hide nothing."""

import re

import pytest
from pages import site

from bench.report.site.anchors import pages
from bench.report.site.overview import costs, panels
from bench.report.site.overview.ranking import Network, Ranked, Ranking, rank
from bench.report.site.overview.scales import TICKS, Scale, decimals, octaves
from bench.report.site.sections.charts import FEW
from bench.report.site.sections.standings import standings

ARMS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.08, "random-ticket": -0.16, "one-shot": -0.02, "shuffled": -0.1}


def drawn(*studies):
    return panels.panels(pages({"some": [record for records in studies for record in records]}))


def test_a_panel_has_the_few_and_no_other(study):
    (panel,) = drawn(study(ARMS, levels=(1, 3)))
    assert [curve.method for curve in panel.curves] == list(FEW)
    assert [len(curve.marks) for curve in panel.curves] == [2, 2, 2, 2]
    assert len({curve.colour for curve in panel.curves}) == 4


def test_points_stand_at_their_density_and_normalised_score(record):
    """Dense at 0.9 with chance 0.1: a score of 0.5 is half of what dense learns, in whichever direction."""
    arms = (("dense", 0, 0.9), ("ticket", 1, 0.9), ("reinit", 1, 0.5), ("ticket", 2, 0.1), ("reinit", 2, 0.1))
    (panel,) = drawn([record(method, level, seed, value) for method, level, value in arms for seed in range(3)])
    ticket, reinit = panel.curves
    ticks = {float(told): place for place, told in panel.x}
    assert [x for x, _, _ in ticket.marks] == [ticks[50], ticks[25]]
    heights = {told: place for place, told in panel.y}
    assert [y for _, y, _ in ticket.marks] == [panel.dense[0], heights["0"]]
    assert reinit.marks[0][1] == pytest.approx((panel.dense[0] + heights["0"]) / 2, abs=0.1)
    assert reinit.marks[0][2] == "reinit, 50 % of the weights: 0.5 [0.5, 0.5], n 3"


def test_less_is_better_is_drawn_upwards_too(record, task):
    asked = task(metric="loss", directions={"loss": "min"}, chance=2.0)
    arms = (("dense", 0, 1.0), ("ticket", 1, 0.8), ("reinit", 1, 1.5))
    records = [record(method, level, seed, value, task=asked) for method, level, value in arms for seed in range(3)]
    (panel,) = drawn(records)
    ticket, reinit = (curve.marks[0][1] for curve in panel.curves)
    assert ticket < panel.dense[0] < reinit, "y grows downwards"


def test_intervals_are_bands_from_three_seeds_on(study):
    bands = [[curve.band for curve in drawn(study(ARMS, levels=(1, 3), seeds=seeds))[0].curves] for seeds in (2, 3)]
    assert set(bands[0]) == {""}
    assert all(len(band.split()) == 4 for band in bands[1]), "two upper corners, two lower ones"


def test_nothing_leaves_its_panel(study):
    (panel,) = drawn(study({**ARMS, "reinit": -0.9}, levels=(1, 3), noise=0.3))
    places = [
        tuple(map(float, pair.split(","))) for curve in panel.curves for pair in f"{curve.band} {curve.line}".split()
    ]
    assert all(panels.LEFT <= x <= panels.WIDTH - panels.RIGHT for x, _ in places)
    assert all(panels.TOP <= y <= panels.HEIGHT - panels.BOTTOM for _, y in places)


def test_a_panel_tells_the_seeds_of_all_its_arms(study):
    """As the title of the task does: twenty of one arm are none of another's."""
    some = [*study({"dense": 0.0, "ticket": 0.0}, seeds=20), *study({"reinit": -0.1}, seeds=3)]
    assert "<small>3 to 20 seeds</small>" in site({"some": some}, [])
    assert "<small>3 seeds</small>" in site({"some": study({"dense": 0.0, "ticket": 0.0}, seeds=3)}, [])


def test_what_cannot_be_normalised_has_no_panel(study):
    assert drawn(study(ARMS, chance=0.9)) == []
    assert drawn(study({"ticket": 0.0})) == []
    assert drawn(study({"dense": 0.0, "snip": 0.0})) == []


def test_first_come_the_tasks_of_every_domain_with_the_most_to_compare(study):
    names = ("vision/a", "vision/b", "rl/a", "nlp/a", "teacher/a", "teacher/b")
    levels = {"vision/b": (1, 2, 3), "teacher/a": (1, 2)}
    found = drawn(*(study(ARMS, name=name, levels=levels.get(name, (1,))) for name in names))
    assert [panel.page.task.name for panel in panels.first(found)] == ["vision/b", "teacher/a", "nlp/a", "rl/a"]
    assert [panel.page.task.name for panel in found] == sorted(names)


def test_one_domain_fills_the_first_screen_and_many_do_not_overflow_it(study):
    one = drawn(*(study(ARMS, name=f"vision/{n}") for n in range(5)))
    many = drawn(*(study(ARMS, name=f"domain-{n}/a") for n in range(8)))
    assert [len(panels.first(found)) for found in (one, many, one[:2])] == [4, 6, 2]


def _ranked(method, *networks):
    """A method with a network (density, cost) on each of some tasks, None where none matches."""
    found = {str(place): network and Network(*network) for place, network in enumerate(networks)}
    return Ranked(method=method, rank=None, score=None, gap=None, better=None, shared=len(found), networks=found)


def test_every_method_that_matches_has_a_mark_at_its_price(study):
    ranking = rank(standings(pages({"some": study(ARMS, levels=(1, 3), seeds=5)})))
    picture = costs.costs(ranking)
    assert {label for mark in picture.marks for label in mark.labels} == {"ticket 1/1"}
    assert set(picture.missing) == set(ARMS) - {"dense", "ticket"}
    (mark,) = picture.marks
    assert mark.told == "ticket: 12.5 % of the weights for 4 trainings of dense, matches on 1 of 1 tasks"
    assert (mark.x, mark.y) == (dict(map(reversed, picture.x))["4"], dict(map(reversed, picture.y))["12.5"])


def test_methods_at_one_place_share_a_mark_and_one_easy_task_has_none():
    several = (_ranked("set", *[(0.2, 1.0)] * 3, None), _ranked("rigl", *[(0.2, 1.0)] * 3, None))
    methods = (*several, _ranked("gmp", (0.01, 1.0)))
    ground = tuple(range(4))
    picture = costs.costs(Ranking(ground=ground, reference="set", methods=methods))
    assert [mark.labels for mark in picture.marks] == [("set 3/4", "rigl 3/4")]
    assert picture.left_out == 1
    assert len(costs.costs(Ranking(ground=ground[:1], reference="set", methods=methods)).marks) == 2


def test_a_long_name_is_whole_beside_its_mark():
    methods = (_ranked("transfer-reinit+slim-cifar10a", (0.5, 4.0), None), _ranked("ticket", (0.1, 7.0), (0.1, 7.0)))
    picture = costs.costs(Ranking(ground=(1, 2), reference="ticket", methods=methods))
    assert [mark.labels[0] for mark in picture.marks] == ["transfer-reinit+slim-cifar10a 1/2", "ticket 2/2"]


def test_labels_hide_neither_marks_nor_each_other():
    places = [(1.0, 0.5), (1.1, 0.45), (1.9, 0.5), (2.1, 0.45), (4.0, 0.5), (4.0, 0.1), (1.0, 0.9), (1.2, 0.39)]
    methods = tuple(
        _ranked(f"a-method-{n}", *[(density, cost)] * 4) for n, (cost, density) in enumerate([*places, places[2]])
    )
    picture = costs.costs(Ranking(ground=tuple(range(4)), reference="a-method-0", methods=methods))
    boxes = [(mark.x - 5, mark.y - 5, mark.x + 5, mark.y + 5) for mark in picture.marks]
    for mark in picture.marks:
        x, y, anchor = mark.text.x, mark.text.y, mark.text.anchor
        wide = 7 * max(map(len, mark.labels))
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        boxes.append((left, y - 10, left + wide, y + 2 + 15 * (len(mark.labels) - 1)))
        boxes += [  # no line to a label leads through another
            (at[0] - 0.5, at[1] - 0.5, at[0] + 0.5, at[1] + 0.5)
            for share in (0.6, 0.8)
            if mark.text.lead
            for at in [
                (
                    mark.x + share * (mark.text.lead[0] - mark.x),
                    mark.y + share * (mark.text.lead[1] - mark.y),
                )
            ]
        ]
    pairs = [(a, b) for place, a in enumerate(boxes) for b in boxes[:place]]
    hidden = [(a, b) for a, b in pairs if min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])]
    assert hidden == []
    assert all(left >= 0 and right <= costs.WIDTH for left, _, right, _ in boxes)


def test_a_line_to_a_label_counts_as_hidden_where_another_label_stands_on_it():
    found = costs._option(100.0, 100.0, (50.0, 15.0), 1, 1, 3)
    x, y = (100.0 + found.lead[0]) / 2, (100.0 + found.lead[1]) / 2
    on, off = (x - 3, y - 3, x + 3, y + 3), (x - 30, y - 3, x - 20, y + 3)
    assert costs._hidden(found.boxes, [on]) > costs._hidden(found.boxes, [off]) == costs._hidden(found.boxes, [])
    assert costs._option(100.0, 100.0, (50.0, 15.0), 1, 1, 1).lead is None


def test_nothing_that_matches_is_no_picture(study):
    assert costs.costs(Ranking()) is None
    assert "class=prices" not in site({"some": study({"dense": 0.0, "ticket": -0.2, "reinit": -0.3})}, [])


def test_pictures_say_what_they_show(study):
    text = site({"some": study(ARMS, levels=(1, 3), seeds=5)}, [])
    plots = re.findall(r"<svg class=plot .*?</svg>", text, re.DOTALL)
    assert len(plots) == 3, "the panel twice, and the price"
    assert all(re.search(r"role=img><title>[^<]+</title><desc>[^<]+</desc>", each) for each in plots)
    assert not re.search(r"\sstyle=", text.partition("<script>")[2].split("</script>", 1)[1].split("<script>")[0])


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.1, 1.7), (0.97, 1.01), (3e-5, 4e-5), (-2e4, 3e7)])
def test_round_numbers_lie_inside_and_are_few(low, high):
    ticks = decimals(low, high)
    assert 2 <= len(ticks) <= TICKS
    assert all(low - 1e-9 * abs(low) <= tick <= high * (1 + 1e-9) for tick in ticks)


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.01, 1.0), (2e-6, 1.0), (0.9, 11.0)])
def test_octaves_lie_inside_and_are_few(low, high):
    ticks = octaves(low, high)
    assert 1 <= len(ticks) <= TICKS
    assert all(low <= tick <= high for tick in ticks)


def test_what_lies_beyond_an_axis_stands_at_its_end():
    axis = Scale(first=1.0, last=0.25, begin=10.0, end=20.0, log=True)
    assert [axis.at(value) for value in (2.0, 1.0, 0.5, 0.25, 0.01)] == [10, 10, 15, 20, 20]
