"""How figures look: one place for colours, markers, lines and the settings of matplotlib.

A colour says where the mask or the weights come from, the marker and the line which method it is, so that every figure
reads without colour too. Colours: Okabe and Ito 2008, distinguishable with any colour vision.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

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

_ORANGE, _SKY, _GREEN, _BLUE, _RED, _PURPLE = "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7"
_BLACK = "#333333"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one method is drawn.

    Args:
        family: the legend's heading it stands under.
        filled: whether the marker is; a hollow one marks the variant of a filled one.
        main: the ticket and the opponents that decide its verdict: a heavier line, and a band for the interval.
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


MAIN = ("ticket", "reinit", "shuffled", "random-ticket")
HOLLOW = ("ticket-init", "reinit-signed", "one-shot-reinit")


def _family(title: str, colour: str, *marks: tuple[str, str, str]) -> dict[str, Look]:
    """Looks of one colour.

    Args:
        title: of the family.
        colour: of the family.
        marks: method, marker and line of each.
    """
    return {
        name: Look(family=title, colour=colour, marker=marker, line=line, filled=name not in HOLLOW, main=name in MAIN)
        for name, marker, line in marks
    }


LOOKS: dict[str, Look] = {
    **_family("ticket", _RED, ("ticket", "o", "-"), ("ticket-init", "o", "--")),
    **_family(
        "ticket's mask",
        _BLUE,
        ("reinit", "^", "-"),
        ("reinit-signed", "^", ":"),
        ("permuted", "v", ":"),
        ("shuffled", "s", "--"),
    ),
    **_family(
        "random or small", _PURPLE, ("random-ticket", "X", "-"), ("random-erk", "P", "--"), ("small-dense", "*", ":")
    ),
    **_family(
        "trained weights",
        _ORANGE,
        ("one-shot", "s", "-"),
        ("one-shot-reinit", "s", "--"),
        ("fine-tune", "D", "-"),
        ("lr-rewind", "d", "--"),
    ),
    **_family(
        "at initialisation",
        _GREEN,
        ("magnitude-init", "<", "-"),
        ("snip", "s", "-"),
        ("grasp", "D", "--"),
        ("synflow", "o", ":"),
    ),
    **_family("while training", _SKY, ("gmp", ">", "-"), ("set", "^", "--"), ("rigl", "D", ":")),
}
"""Method -> look, in the order of the legend."""


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """The looks of `methods` in the order of the legend: the built-in ones, then others in grey by name."""
    asked = set(methods)
    spare = cycle("ovs^D<>PXd*")
    others = {name: Look(family="others", colour=_BLACK, marker=next(spare)) for name in sorted(asked - LOOKS.keys())}
    return {name: look for name, look in {**LOOKS, **others}.items() if name in asked}
