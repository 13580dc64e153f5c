"""The second picture: what a method's search costs against how sparse a network it finds that still matches dense."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.report.figures.style import looks
from bench.report.site.overview.ranking import Ranked, Ranking
from bench.report.site.overview.scales import Scale, octaves
from bench.report.site.sections.charts import COLOURS, FEW, OTHERS
from bench.report.site.templates import label, percent

WIDTH, HEIGHT = 440, 432
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 44
SIZE = {"wide": WIDTH, "high": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM}
"""What the template draws around the marks with."""

LETTER, LINE = 7.6, 15.0
"""Size of the text of a label, a letter and a line, in units of the drawing."""

HIDES = 100.0
"""As much area as a label that hides something loses at least."""

NAME = 32
"""Characters of a name beside a mark, at most."""

STEPS = 12
"""Points of a line from a mark to its label that no label may hide."""

APART = 8.0
"""From a mark to its label."""

WAYS = tuple(
    (across, down, far)
    for far in (1, 2, 3)
    for across, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
    if down or far == 1
)
"""Where labels may stand, the best first: to the right or left, below or above, and how far."""

Box = tuple[float, float, float, float]


class Label(NamedTuple):
    """Where lines of text stand.

    Args:
        x: of the end of the lines that `anchor` says.
        y: baseline of the first.
        anchor: of the text.
        lead: the line from the mark, as its end; None for a label that is beside it.
        boxes: what is filled: by the lines, then by points of the lead.
    """

    x: float
    y: float
    anchor: str
    lead: tuple[float, float] | None
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One method.

    Args:
        told: the method with its numbers.
        labels: lines beside the mark.
        text: where they stand.
        colour: the custom property of the style sheet that has its colour; empty for grey.
        whole: whether it was run on the whole ground, and has a mark that is filled.
    """

    told: str
    labels: tuple[str, ...]
    x: float
    y: float
    text: Label
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
    found = [each for each in ranking.broad if each.matched]
    if not found:
        return None
    places = [_place(each) for each in found]
    prices, densities = zip(*places, strict=True)
    x = Scale(first=min(1.0, *prices) / 1.2, last=max(2.0, *prices) * 1.35, begin=LEFT, end=WIDTH - RIGHT, log=True)
    y = Scale(first=min(0.5, *densities) / 1.2, last=1.12, begin=HEIGHT - BOTTOM, end=TOP, log=True)
    groups: dict[tuple[float, float], list[Ranked]] = defaultdict(list)
    for each, (cost, density) in zip(found, places, strict=True):
        groups[x.at(cost), y.at(density)].append(each)
    return Costs(
        x=tuple((x.at(tick), f"{tick:g}") for tick in octaves(x.first, x.last)),
        y=tuple((y.at(tick), percent(tick)) for tick in octaves(y.first, 1.0)),
        marks=_marks(groups),
        missing=tuple(each.method for each in ranking.broad if not each.matched),
        left_out=len(ranking.methods) - len(ranking.broad),
    )


def _place(each: Ranked) -> tuple[float, float]:
    """Cost and density of what matches somewhere."""
    assert each.cost is not None, "who matches has a cost"
    assert each.density is not None, "who matches has a density"
    return each.cost, each.density


def _marks(groups: Mapping[tuple[float, float], Sequence[Ranked]]) -> tuple[Mark, ...]:
    """One for each place: methods that stand at the same one share it."""
    drawn = looks({each.method for several in groups.values() for each in several})
    labels = [
        tuple(f"{label(each.method, NAME)} {each.matched}/{each.tasks}" for each in several)
        for several in groups.values()
    ]
    texts = _texts(list(groups), labels)
    return tuple(
        Mark(
            told="; ".join(map(_told, several)),
            labels=written,
            x=x,
            y=y,
            text=text,
            colour=COLOURS.get(drawn[first.method].family, OTHERS) if first.method in FEW or first.rank else "",
            whole=first.rank is not None,
        )
        for ((x, y), several), written, text in zip(groups.items(), labels, texts, strict=True)
        for first in (several[0],)
    )


def _told(each: Ranked) -> str:
    cost, density = _place(each)
    where = f"matches on {each.matched} of {each.tasks} tasks"
    return f"{each.method}: {100 * density:.3g} % of the weights for {cost:.3g} trainings of dense, {where}"


def _texts(places: Sequence[tuple[float, float]], labels: Sequence[Sequence[str]]) -> list[Label]:
    """Where labels stand: beside their mark, where they hide no mark and no other label, if there is such a place."""
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    texts = []
    for (x, y), written in zip(places, labels, strict=True):
        size = LETTER * max(map(len, written)), LINE * len(written)
        text = min((_option(x, y, size, *way) for way in WAYS), key=lambda option: _hidden(option.boxes, taken))
        taken += text.boxes
        texts.append(text)
    return texts


def _option(x: float, y: float, size: tuple[float, float], across: int, down: int, far: int) -> Label:
    """A label on one side of its mark."""
    (wide, high), anchor = size, {1: "start", 0: "middle", -1: "end"}[across]
    at = x + across * (APART if down == 0 else APART / 2)
    left = at - {1: 0.0, 0: wide / 2, -1: wide}[across]
    top = y + (-high / 2, APART * far, -APART * far - high)[down]
    end = (at, top if down > 0 else top + high) if far > 1 else None
    line = [_point((x, y), end, step / STEPS) for step in range(STEPS // 2, STEPS)] if end else []
    return Label(round(at, 1), round(top + LINE - 3.5, 1), anchor, end, ((left, top, left + wide, top + high), *line))


def _point(start: tuple[float, float], end: tuple[float, float], share: float) -> Box:
    x, y = (one + share * (other - one) for one, other in zip(start, end, strict=True))
    return x - 1, y - 1, x + 1, y + 1


def _hidden(boxes: Sequence[Box], taken: Sequence[Box]) -> float:
    """How much a label would hide, or be hidden: however little, it is worse than to stand farther from its mark."""
    areas = [area for box in boxes for each in taken if (area := _overlap(box, each))]
    return sum(areas) + HIDES * len(areas) + _outside(boxes[0])


def _overlap(one: Box, other: Box) -> float:
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _outside(box: Box) -> float:
    """As if it were hidden: text beyond the drawing is not seen."""
    beyond = (
        max(LEFT - box[0], 0.0) + max(box[2] - WIDTH, 0.0) + max(TOP - box[1], 0.0) + max(box[3] - HEIGHT + BOTTOM, 0.0)
    )
    return 100 * beyond
