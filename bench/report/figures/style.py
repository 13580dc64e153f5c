"""How figures look: one place for colours, markers, lines and the settings of matplotlib.

A colour says where the mask or the weights come from, which the facts of a method's columns tell; the marker and the line
say which method of that family it is, so that every figure reads without colour too. Colours: Okabe and Ito 2008,
distinguishable with any colour vision; and purple, as these are too few.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench import registry
from bench.report.table.rows import OPPONENTS, TICKET
from bench.spec import DENSE
from bench.tickets.columns import Columns

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.linewidth": 0.6,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.markeredgewidth": 0.9,
    "legend.frameon": False,
    "text.parse_math": False,  # a method may be called $x_1$
    "svg.fonttype": "none",  # names stay text: small, searchable, the same on every FreeType
    "svg.hashsalt": "ticketbench",
    "savefig.dpi": 150,
}

DENSE_COLOUR = "#555555"

MAIN = {TICKET, *OPPONENTS.values()} - {DENSE}
"""The ticket and the opponents that decide its verdict."""

MARKERS, LINES = "o^sDXvP*d<>", ("-", "--", ":", "-.")
TOGETHER = len(MARKERS) * len(LINES)
"""Methods of a family that these tell apart; as many more have hollow markers."""

ROOM = 6
"""Markers between the first of one family and the first of the next; with a line further, small families share no look without colour."""


class Family(NamedTuple):
    """Methods of one colour.

    Args:
        title: its heading in the legend.
        colour: of its lines.
        holds: whether it holds a method of these columns; the first family that does has it.
    """

    title: str
    colour: str
    holds: Callable[[Columns], bool]


FAMILIES = (
    Family("ticket", "#d55e00", lambda told: told.mask.ranked == "previous" and told.weights.state != "trained"),
    Family("ticket's mask", "#0072b2", lambda told: told.mask.layers == "ticket"),
    Family("random or small", "#cc79a7", lambda told: told.weights.narrower or _is_random(told)),
    Family("trained weights", "#e69f00", lambda told: told.weights.state == "trained" or _is_one_shot(told)),
    Family("at initialisation", "#009e73", lambda told: told.mask.scored is not None),
    Family("while training", "#56b4e9", lambda told: told.training.dynamic),
    Family("another task's ticket", "#808000", lambda told: told.mask.taken == "source"),
    Family("whole nodes", "#6f2dbd", lambda told: told.mask.nodes),
    Family("others", "#333333", lambda _: True),
)
"""In the order of the legend."""


def _is_random(told: Columns) -> bool:
    return told.mask.drawn is not None and not told.mask.nodes and not told.training.dynamic


def _is_one_shot(told: Columns) -> bool:
    return "dense" in told.mask.needs and not told.mask.nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one method is drawn.

    Args:
        family: the legend's heading it stands under.
        filled: whether the marker is.
        main: the ticket and the opponents that decide its verdict: a heavier line, and a heavier bar for the interval.
    """

    family: str
    colour: str
    marker: str
    line: str = "-"
    filled: bool = True
    main: bool = False

    @property
    def strokes(self) -> dict[str, Any]:
        """What matplotlib calls them, for a line with its markers."""
        return {
            "color": self.colour,
            "linestyle": self.line,
            "linewidth": 1.8 if self.main else 0.8,
            "marker": self.marker,
            "markersize": 5.5 if self.main else 4,
            "markerfacecolor": self.colour if self.filled else "white",
            "alpha": 1.0 if self.main else 0.75,
        }


def family_of(name: str) -> Family:
    """The family of a method; what is not installed here is of the others."""
    method = registry.known_method(name)
    told = registry.columns_of(method) if method else None
    return FAMILIES[-1] if told is None else next(family for family in FAMILIES if family.holds(told))


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """The looks of `methods` in the order of the legend.

    A method that is installed looks the same whatever stands beside it: its place in the family is that among all that
    are installed. Others follow by name.
    """
    asked = set(methods) - {DENSE}
    known = [name for name in registry.methods() if name != DENSE]
    members: dict[Family, list[str]] = {each: [] for each in FAMILIES}
    for name in (*known, *sorted(asked.difference(known))):
        members[family_of(name)].append(name)
    return {
        name: _look(told, place, name)
        for told, names in members.items()
        for place, name in enumerate(names)
        if name in asked
    }


def _look(family: Family, place: int, name: str) -> Look:
    number = FAMILIES.index(family)
    return Look(
        family=family.title,
        colour=family.colour,
        marker=MARKERS[(ROOM * number + place) % len(MARKERS)],
        line=LINES[(number + place) % len(LINES)],
        filled=place // TOGETHER % 2 == 0,
        main=name in MAIN,
    )
