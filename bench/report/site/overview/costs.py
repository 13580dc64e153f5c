"""The second picture: what a method's search costs against how sparse a network it finds that still matches dense."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.report.figures.style import looks
from bench.report.site.charts import COLOURS, FEW, OTHERS
from bench.report.site.overview.ranking import Ranked, Ranking
from bench.report.site.overview.scales import Scale, octaves
from bench.report.site.templates import label, percent

WIDTH, HEIGHT = 440, 432
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 44
SIZE = {"wide": WIDTH, "high": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM}
"""What the template draws around the marks with."""

LETTER, LINE = 7.6, 15.0
"""Size of the text of a label, a letter and a line, in units of the drawing."""

HIDES = 100.0
"""As much area as a label that hides something loses at least."""

NAME = 20
"""Characters of a name beside a mark, at most."""

APART = 8.0
"""From a mark to its label."""

FEWEST_TASKS = 2
"""Tasks on which a method must have been judged, if there are so many: one easy task is no price."""

WAYS = tuple(
    (across, down, far)
    for far in (1, 2, 3)
    for across, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
    if down or far == 1
)
"""Where labels may stand, the best first: to the right or left, below or above, and how far."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One method.

    Args:
        told: the method with its numbers.
        labels: lines beside the mark.
        text: where they stand: x, baseline of the first, and which end of the lines is there.
        colour: the custom property of the style sheet that has its colour; empty for grey.
        whole: whether it was run on the whole ground, and has a mark that is filled.
    """

    told: str
    labels: tuple[str, ...]
    x: float
    y: float
    text: tuple[float, float, str]
    colour: str
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The picture.

    Args:
        x: ticks, trainings of dense.
        y: ticks, density.
        marks: the ranked methods first.
        missing: methods that match nowhere.
        left_out: how many methods were run on too few tasks to stand here.
    """

    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...]
    missing: tuple[str, ...]
    left_out: int


def costs(ranking: Ranking) -> Costs | None:
    """The picture of a ranking; None if no method matches anywhere."""
    seen = [each for each in ranking.methods if each.tasks >= min(FEWEST_TASKS, len(ranking.ground))]
    found = [(each, each.density) for each in seen if each.density is not None]
    if not found:
        return None
    prices, densities = [each.cost for each, _ in found], [density for _, density in found]
    x = Scale(first=min(1.0, *prices) / 1.2, last=max(2.0, *prices) * 1.35, begin=LEFT, end=WIDTH - RIGHT, log=True)
    y = Scale(first=min(0.5, *densities) / 1.2, last=1.12, begin=HEIGHT - BOTTOM, end=TOP, log=True)
    groups: dict[tuple[float, float], list[tuple[Ranked, float]]] = defaultdict(list)
    for each, density in found:
        groups[x.at(each.cost), y.at(density)].append((each, density))
    return Costs(
        x=tuple((x.at(tick), f"{tick:g}") for tick in octaves(x.first, x.last)),
        y=tuple((y.at(tick), percent(tick)) for tick in octaves(y.first, 1.0)),
        marks=_marks(groups),
        missing=tuple(each.method for each in seen if each.density is None),
        left_out=len(ranking.methods) - len(seen),
    )


def _marks(groups: Mapping[tuple[float, float], Sequence[tuple[Ranked, float]]]) -> tuple[Mark, ...]:
    """One for each place: methods that stand at the same one share it."""
    drawn = looks({each.method for several in groups.values() for each, _ in several})
    labels = [
        tuple(f"{label(each.method, NAME)} {each.matched}/{each.tasks}" for each, _ in several)
        for several in groups.values()
    ]
    texts = _texts(list(groups), labels)
    return tuple(
        Mark(
            told="; ".join(_told(each, density) for each, density in several),
            labels=written,
            x=x,
            y=y,
            text=text,
            colour=COLOURS.get(drawn[first.method].family, OTHERS) if first.method in FEW or first.rank else "",
            whole=first.rank is not None,
        )
        for ((x, y), several), written, text in zip(groups.items(), labels, texts, strict=True)
        for first in (several[0][0],)
    )


def _told(each: Ranked, density: float) -> str:
    where = f"matches on {each.matched} of {each.tasks} tasks"
    return f"{each.method}: {100 * density:.3g} % of the weights for {each.cost:.3g} trainings of dense, {where}"


def _texts(places: Sequence[tuple[float, float]], labels: Sequence[Sequence[str]]) -> list[tuple[float, float, str]]:
    """Where labels stand: beside their mark, where they hide no mark and no label before them, if there is such a place."""
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    texts = []
    for (x, y), written in zip(places, labels, strict=True):
        size = LETTER * max(map(len, written)), LINE * len(written)
        options = [_option(x, y, size, *way) for way in WAYS]
        text, box = min(options, key=lambda option: _hidden(option[1], taken))
        taken.append(box)
        texts.append(text)
    return texts


def _option(
    x: float, y: float, size: tuple[float, float], across: int, down: int, far: int
) -> tuple[tuple[float, float, str], Box]:
    """A label on one side of its mark, as its text and the box that it fills."""
    (wide, high), anchor = size, {1: "start", 0: "middle", -1: "end"}[across]
    at = x + across * (APART if down == 0 else APART / 2)
    left = at - {1: 0.0, 0: wide / 2, -1: wide}[across]
    top = y + (-high / 2, APART * far, -APART * far - high)[down]
    return (round(at, 1), round(top + LINE - 3.5, 1), anchor), (left, top, left + wide, top + high)


def _hidden(box: Box, taken: Sequence[Box]) -> float:
    """How much a label would hide, or be hidden: however little, it is worse than to stand farther from its mark."""
    areas = [area for each in taken if (area := _overlap(box, each))]
    return sum(areas) + HIDES * len(areas) + _outside(box)


def _overlap(one: Box, other: Box) -> float:
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _outside(box: Box) -> float:
    """As if it were hidden: text beyond the drawing is not seen."""
    beyond = (
        max(LEFT - box[0], 0.0) + max(box[2] - WIDTH, 0.0) + max(TOP - box[1], 0.0) + max(box[3] - HEIGHT + BOTTOM, 0.0)
    )
    return 100 * beyond
