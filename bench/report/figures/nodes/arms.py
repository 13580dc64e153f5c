"""Which arms the figures of nodes show: those whose records tell of nodes, grouped by what a reader compares.

Anybody may have written a record: how much is drawn has a bound that does not depend on how much is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench import registry
from bench.record import NodeLayer, node_layers
from bench.report.figures.style import FAMILIES, Family, family_of, looks
from bench.report.table.arms import Arm
from bench.report.table.compact import method
from bench.report.table.rows import Section
from bench.spec import DENSE

ARMS = 6
"""Arms that are drawn beside each other, dense included."""
LAYERS = 4
"""Hidden layers, the lowest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeArm:
    """One arm whose records tell of nodes.

    Args:
        label: the arm in a legend.
        arm: it.
        seeds: seed -> its layers, the lowest first.
    """

    label: str
    arm: Arm
    seeds: Mapping[int, Sequence[NodeLayer]]

    @property
    def width(self) -> int:
        """Nodes of the lowest hidden layer."""
        return len(self.at(0)[0]["students"]["fanout_final"])

    @property
    def units(self) -> list[str]:
        """Their ids, seed by seed."""
        return [self.arm.records[seed]["unit_id"] for seed in self.seeds]

    def at(self, height: int) -> list[NodeLayer]:
        """Of every seed the layer of this height, 0 the lowest."""
        return [layers[height] for layers in self.seeds.values() if height < len(layers)]


class Group(NamedTuple):
    """Arms that are drawn together.

    Args:
        title: what sets them apart.
        arms: dense first, if it is there.
    """

    title: str
    arms: Sequence[NodeArm]

    @property
    def labels(self) -> list[str]:
        """Of the arms, with their widths where these set them apart."""
        widths = {told.width for told in self.arms}
        return [f"{told.label}: {told.width}" if len(widths) > 1 else told.label for told in self.arms]

    @property
    def tones(self) -> list[Family | None]:
        """Whose colour each arm has: its own family's where that is free, else another one's; None: dense's."""
        tones: list[Family | None] = []
        for told in self.arms:
            wishes = (family_of(method(told.arm)), *FAMILIES)
            tones.append(None if told.arm.method == DENSE else next(each for each in wishes if each not in tones))
        return tones

    @property
    def layers(self) -> list[str]:
        """Names of the hidden layers, as many as are drawn."""
        deepest = max((layers for arm in self.arms for layers in arm.seeds.values()), key=len)
        return [layer["layer"] for layer in deepest[:LAYERS]]


def every(found: Sequence[Group]) -> list[NodeArm]:
    """The arms of all groups; one that several show comes several times."""
    return [told for group in found for told in group.arms]


def groups(section: Section) -> list[Group]:
    """Dense and narrower networks by width; then dense and, at one level, the ticket and its controls.

    The level is the one at which most methods were run, the sparsest of several. Without nodes in any record there is no
    group, without narrower networks only the second, without others only the first.
    """
    found = [told for arm in section.arms if (told := _told(arm))]
    dense = sorted((told for told in found if told.arm.method == DENSE), key=lambda told: not told.arm.installed)
    narrower = [told for told in found if _is_narrower(told.arm)]
    others = [told for told in found if told not in dense and told not in narrower]
    room = ARMS - len(dense[:1])
    made = []
    if narrower or (dense and not others):
        made.append(Group("by width (nodes)", [*dense[:1], *_spread(narrower, room)]))
    if others:
        level = _level(others)
        chosen = _chosen([told for told in others if told.arm.level == level], room)
        density = chosen[0].arm.average("density") or 0.0
        made.append(Group(f"at level {level}: {100 * density:.3g} % of the weights", [*dense[:1], *chosen]))
    return made


def _told(arm: Arm) -> NodeArm | None:
    seeds = {seed: layers for seed, record in arm.records.items() if (layers := list(node_layers(record)))}
    label = method(arm) if arm.method == DENSE else f"{method(arm)} L{arm.level}"
    return NodeArm(label=label, arm=arm, seeds=seeds) if seeds else None


def _is_narrower(arm: Arm) -> bool:
    known = registry.known_method(arm.method) if arm.installed else None
    told = registry.columns_of(known) if known else None
    return told is not None and told.weights.narrower


def _spread(found: Sequence[NodeArm], room: int) -> list[NodeArm]:
    """As many as there is room for, the first and the last among them."""
    if len(found) <= room:
        return list(found)
    return [found[round(place * (len(found) - 1) / (room - 1))] for place in range(room)]


def _level(found: Sequence[NodeArm]) -> int:
    counts = Counter(told.arm.level for told in found)
    return max(counts, key=lambda level: (counts[level], level))


def _chosen(found: Sequence[NodeArm], room: int) -> list[NodeArm]:
    """In the order of the legend; where there are too many, one of each family comes before a second one of any."""
    by_method = {method(told.arm): told for told in found}
    families: dict[str, list[str]] = defaultdict(list)
    order = looks(by_method)
    for name, look in order.items():
        families[look.family].append(name)
    ranked = sorted(order, key=lambda name: families[order[name].family].index(name))
    return [by_method[name] for name in order if name in ranked[:room]]
