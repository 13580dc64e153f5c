"""What the page draws of a task's hidden nodes, as JSON: the figures of `bench.report.figures.nodes`, of the lowest layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.record import RECOVERED
from bench.report.figures.nodes import captions
from bench.report.figures.nodes.arms import Group, every, groups
from bench.report.figures.nodes.numbers import (
    BINS,
    MOST,
    OVER_TRAINING,
    Dot,
    dots,
    over_training,
    ranks,
    recovery,
    tallest,
)
from bench.report.site.anchors import Page
from bench.report.site.sections.charts import COLOURS, OTHERS, short
from bench.report.site.templates import label
from bench.spec import DENSE

LOWEST = 0
PLOT = "Only the lowest hidden layer; ticketbench plot draws the others."


def node_charts(page: Page) -> dict[str, Any] | None:
    """The figures of nodes; None if no record tells of any.

    Args:
        page: of the task.

    Returns:
        Figure -> what it says `about` itself and what it draws, every arm with its label and the custom property of the
            style sheet that has its colour: `lshape` and `ranks` per arm, `recovery` and `training` per group of arms.
    """
    found = groups(page.section)
    if not found:
        return None
    return {
        "lshape": _about(found, captions.lshape(found[-1].arms)) | _lshape(found[-1]),
        "recovery": _about(found, captions.recovery(every(found))) | {"groups": [_recovery(group) for group in found]},
        "training": {
            "about": " ".join(captions.training(every(found), curved=False)),
            "unit": page.task.unit.replace("_", " "),
            "groups": [_training(page, group) for group in found],
        },
        "ranks": _about(found, captions.ranks(found[-1].arms)) | {"chance": 1 / BINS, "arms": _ranks(found[-1])},
    }


def _about(found: Sequence[Group], sentences: Sequence[str]) -> dict[str, str]:
    deep = any(len(group.layers) > 1 for group in found)
    return {"about": " ".join([*sentences, *([PLOT] if deep else [])])}


def _arms(group: Group) -> list[list[Any]]:
    """Label and colour of each arm of a panel of its own."""
    return _coloured(group, [told.label for told in group.arms])


def _lines(group: Group) -> list[list[Any]]:
    """Label and colour of each arm of a panel that it shares."""
    return _coloured(group, group.labels)


def _coloured(group: Group, labels: Sequence[str]) -> list[list[Any]]:
    colours = (COLOURS.get(tone.title, OTHERS) if tone else DENSE for tone in group.tones)
    return [[label(name), colour] for name, colour in zip(labels, colours, strict=True)]


def _lshape(group: Group) -> dict[str, Any]:
    top = tallest(group.arms, LOWEST)
    by_arm = [dots(told.at(LOWEST), top=top) for told in group.arms]
    arms = [[*named, *map(_dots, found)] for named, found in zip(_arms(group), by_arm, strict=True)]
    return {"recovered": RECOVERED, "most": MOST, "top": short(top), "arms": arms}


def _dots(found: Sequence[Dot]) -> list[list[float | None]]:
    return [[short(dot.correlation), short(dot.fanout), dot.nodes] for dot in found]


def _recovery(group: Group) -> list[Any]:
    shares = [[recovery(told.at(LOWEST), reading) for reading in ("early", "final")] for told in group.arms]
    return [group.title, [[*named, *_rounded(both)] for named, both in zip(_lines(group), shares, strict=True)]]


def _training(page: Page, group: Group) -> list[Any]:
    metrics = [
        [metric.replace("_", " "), [_points(page, group, place, metric) for place in range(len(group.arms))]]
        for metric in OVER_TRAINING
    ]
    return [group.title, _lines(group), metrics]


def _points(page: Page, group: Group, place: int, metric: str) -> list[list[float | None]]:
    points = over_training(group.arms[place], metric, page.task, {})
    return [[short(each) for each in (at.step, at.value.mean, at.value.low, at.value.high)] for at in points]


def _ranks(group: Group) -> list[Any]:
    shares = _rounded([ranks(told.at(LOWEST)) for told in group.arms])
    return [[*named, found] for named, found in zip(_arms(group), shares, strict=True)]


def _rounded(several: Sequence[Sequence[float]]) -> list[list[float | None]]:
    return [[short(value) for value in values] for values in several]
