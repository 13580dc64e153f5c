"""What the words of the page mean: every method by the facts of its columns, and every column of its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bench import registry
from bench.report.site.anchors import Page
from bench.report.table.rows import OPPONENTS
from bench.spec import DENSE, Method
from bench.tickets.columns import Columns

ARXIV = "https://arxiv.org/abs/"


class Lesson(NamedTuple):
    """What follows if methods of certain columns do as well as the ticket, and what a ticket that is better rules out.

    Args:
        told: that, in a sentence.
        holds: whether it follows from a method of these columns; the first that holds is its own.
    """

    told: str
    holds: Callable[[Columns], bool]


LESSONS = (
    Lesson("A ticket need not come from the task itself.", lambda told: told.mask.taken == "source"),
    Lesson("A small dense network is enough.", lambda told: told.weights.narrower),
    Lesson("The signs of the ticket's weights are enough.", lambda told: told.weights.keeps == "signs"),
    Lesson("The values are enough, wherever they stand.", lambda told: told.weights.keeps == "values"),
    Lesson("The order of the data does not decide it.", lambda told: told.training.reordered),
    Lesson(
        "A start near the ticket's is enough.",
        lambda told: told.mask.taken == "ticket" and told.weights.state == "rewind",
    ),
    Lesson("The mask is enough, whatever it starts from.", lambda told: told.mask.taken == "ticket"),
    Lesson("The number of weights in each layer is enough.", lambda told: told.mask.layers == "ticket"),
    Lesson("Any nodes do, if as many are kept.", lambda told: told.mask.nodes and told.mask.drawn is not None),
    Lesson("Whole nodes can be pruned.", lambda told: told.mask.nodes),
    Lesson("The mask is enough, without any training.", lambda told: told.training.length == "none"),
    Lesson("No mask has to be known before training.", lambda told: told.training.dynamic),
    Lesson("Any mask of this size does.", lambda told: told.mask.drawn == "network"),
    Lesson("Any mask does that fills its layers well.", lambda told: told.mask.drawn == "layers"),
    Lesson("No network has to be trained before pruning.", lambda told: told.mask.scored is not None),
    Lesson(
        "One round finds a mask that is enough, whatever it starts from.",
        lambda told: told.mask.needs == ("dense",) and told.weights.state == "fresh",
    ),
    Lesson("One round of pruning is enough.", lambda told: told.mask.needs == ("dense",)),
    Lesson("Weights need not go back to where they were.", lambda told: told.weights.state == "trained"),
    Lesson(
        "Weights may go back to the very first step.",
        lambda told: told.weights.state == "initial" and not told.mask.whole,
    ),
)
"""In the order in which they are asked: what a method is there for comes before what else is true of it."""

PAPERS = {
    "iterative": "1803.03635",
    "rewind": "1903.01611",
    "ticket": "1803.03635",
    "one-shot": "1803.03635",
    "shuffled": "2009.08576",
    "fresh-signed": "1905.01067",
    "erk": "1911.11134",
    "source": "1906.02773",
    "snip": "1810.02340",
    "grasp": "2002.07376",
    "synflow": "2006.05467",
    "magnitude": "2009.08576",
    "gmp": "1710.01878",
    "set": "1707.04780",
    "rigl": "1911.11134",
    "trained": "2003.02389",
    "reordered": "1912.05671",
    "uniform": "1906.02768",
}
"""Column of a method -> the paper at arXiv that it comes from."""

COLUMNS = {
    "level": "pruning rounds; the level fixes how many weights every method must keep.",
    "density %": "share of the prunable weights that is kept, in percent: 100 is the dense network.",
    "n": "seeds: each is a whole run, from initial weights to test score.",
    "mean [low, high]": "score over the seeds with its 95 % interval; diverged seeds count at chance.",
    "normalised": "the score as a share of what the dense network learns: 0 is chance, 1 is dense.",
    "vs dense, vs random, vs reinit, vs shuffled": "difference to that method at the same level, paired by seed; positive is better.",
    "matching": "whether the lower bound of the difference to dense is not below the task's tolerance.",
    "verdict": "★ winning: above random ticket, reinit and shuffled; ↑ better: above the random ticket, but not shown to be above both others; ↓ worse than it; ≈ inconclusive. It is against these controls only, not against dense: a winning network need not match. None for networks that are cut off: no path from input to output is left.",
    "P_m %": "share of all weights that is kept, those exempt from pruning included: the papers' denominator.",
    "search cost": "optimizer updates spent to obtain the network, all rounds before it included.",
    "unbroken to %": "density down to which every network that was trained matches dense.",
    "levels matching": "at how many levels a network matches dense, of those at which it could be told.",
    "measured / claimed": "what somebody found who ran the units again, beside what their records say.",
    "holds if": "of a claim: where the whole interval of what was measured has to lie.",
    "score %": "interquartile mean of normalised scores over seeds and tasks: the middle half of all runs (2108.13264).",
    "vs ticket": "difference of interquartile means on the tasks that the two share, in percentage points.",
    "beats ticket %": "probability of improvement: how often a run of it is better than a run of the ticket on the same task.",
    "search cost, dense = 1": "the same in trainings of the dense network, geometric mean over the tasks on which a network matches.",
    "n, p (Holm), detectable, seeds": "of a claim: seeds; p-value corrected for the paper's other claims; the smallest effect that would have shown; of what is inconclusive, the seeds that would decide it if the mean stays where it is.",
}
"""Heading -> what stands under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One method.

    Args:
        method: its definition.
        lesson: what follows if it does as well as the ticket; empty where that is not known.
        columns: names of its mask, weights and training.
        papers: that its columns come from.
    """

    method: Method
    lesson: str
    columns: tuple[str, ...]
    papers: tuple[str, ...]


def terms(pages: Iterable[Page]) -> list[Term]:
    """The methods of the page in the order in which they are defined, those alone that are installed."""
    used = {arm.method for page in pages for arm in page.section.arms if arm.installed}
    known = [*(name for name in registry.methods() if name in used), *sorted(used - registry.methods().keys())]
    return [_term(method) for name in known if (method := registry.known_method(name))]


def _term(method: Method) -> Term:
    told = registry.columns_of(method)
    lesson = next((each.told for each in LESSONS if told and each.holds(told)), "")
    names = (method.mask, method.weights, method.training)
    return Term(
        method=method,
        lesson=lesson,
        columns=tuple(map(_readable, names)),
        papers=tuple(dict.fromkeys(PAPERS[each] for each in names if each in PAPERS)),
    )


def _readable(column: str) -> str:
    """The name of a column; of one that a domain defines as a constant, `package:SOME_MASK`, its words."""
    _, outside, name = column.rpartition(":")
    return name.lower().replace("_", " ") if outside else name


def ruled_out(pages: Iterable[Page]) -> list[tuple[str, str]]:
    """The ticket's controls on the page, each with what a ticket that is better than it rules out."""
    controls = [name for name in OPPONENTS.values() if name != DENSE]
    return [(term.method.name, term.lesson) for term in terms(pages) if term.method.name in controls]
