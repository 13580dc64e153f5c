"""What a reader must know of each figure of nodes, on paper and on the page alike."""

from __future__ import annotations

from collections.abc import Sequence

from bench.record import EARLY, RECOVERED
from bench.report.figures.nodes.arms import LAYERS, NodeArm
from bench.report.figures.nodes.numbers import BINS, MOST, TEACHERS
from bench.report.statistics.seeds import FEWEST
from bench.report.table.compact import span_of_seeds

READ = (
    f"Marks: before training, after {100 * EARLY:g} % of the budget and at the end.",
    "What lies between is in curves, which published records leave out; ticketbench plot draws them from a store.",
)
"""Of what is drawn without curves."""


def lshape(arms: Sequence[NodeArm]) -> list[str]:
    """Of the scatter of student nodes."""
    return [
        "Every student node of all seeds at the end of training.",
        "Across: its correlation with the teacher node that it follows best; up: the norm of the weights from it.",
        f"A mark stands for the nodes that lie together, its area for their number up to {MOST}.",
        "Blue: kept; orange crosses: pruned, no weight to or none from the node is kept.",
        f"Dotted: {RECOVERED:g}, beyond which a teacher node counts as recovered.",
        *_all(arms),
    ]


def recovery(arms: Sequence[NodeArm]) -> list[str]:
    """Of the recovery by teacher node."""
    most = max(len(layer["teachers"]["fanout"]) for told in arms for layers in told.seeds.values() for layer in layers)
    return [
        f"Share of seeds in which a student node correlates with the teacher node beyond {RECOVERED:g}.",
        "Teacher nodes by the norm of the weights from them, the strongest first; dead ones are left out.",
        f"Dotted: after {100 * EARLY:g} % of the budget; solid: at the end.",
        "Of equal lines the first of the legend is the widest.",
        *([f"Only the {TEACHERS} strongest are drawn."] if most > TEACHERS else []),
        *_all(arms),
    ]


def training(arms: Sequence[NodeArm], *, curved: bool) -> list[str]:
    """Of what changes while students train.

    Args:
        arms: that are drawn.
        curved: whether curves are drawn.
    """
    return [
        "Of the lowest hidden layer: the correlation of a teacher node with its best student node, mean over live teacher nodes.",
        f"Recovered: the share of these beyond {RECOVERED:g}.",
        "Lines: means over seeds; bands: 95 % intervals.",
        *([f"Fewer than {FEWEST} seeds: no interval."] if any(len(told.seeds) < FEWEST for told in arms) else []),
        *([] if curved else READ),
        *_all(arms),
    ]


def ranks(arms: Sequence[NodeArm]) -> list[str]:
    """Of the histogram of initial ranks."""
    return [
        "For every live teacher node of every seed the student node that correlates best with it at the end.",
        "Initial rank: where that one stood among all student nodes before training, 0 the closest of all, 1 the farthest.",
        f"Bars: share of the teacher nodes in each of {BINS} bins; dashed: what chance would give.",
        *_all(arms),
    ]


def deeper(arms: Sequence[NodeArm]) -> list[str]:
    """Of figures with a row for each layer, if there are more."""
    layers = max(len(layers) for told in arms for layers in told.seeds.values())
    return [f"Only the lowest {LAYERS} layers are drawn."] if layers > LAYERS else []


def _all(arms: Sequence[NodeArm]) -> list[str]:
    """What every one of them says."""
    seeds = span_of_seeds([len(told.seeds) for told in arms])
    diverged = any(each.arm.diverged for each in arms)
    return [f"{seeds}.", *(["Diverged seeds are left out."] if diverged else [])]
