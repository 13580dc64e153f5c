"""The three columns of every method, each with its facts: what is promised of a mask, of weights, of a training.

Whoever has to know what a method does (conformance, verification, pace, tables, figures) reads these facts and never a name, so
that a column from outside is held to what it says like a built-in one. Imports no torch: the functions are named, and
imported by workers. Their contract is told in `bench.tickets.choose`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from bench.code.named import named
from bench.errors import SpecError
from bench.spec import Method, Role


class _Column:
    """What all columns have in common: a fact told in a word that nobody knows would be read by nobody."""

    __slots__ = ()
    words: ClassVar[Mapping[str, tuple[str, ...]]]
    """Fact -> the words for it, of the facts that are told in words."""

    def __init_subclass__(cls) -> None:
        hints = ((fact, get_args(hint)) for fact, hint in get_type_hints(cls).items())
        cls.words = {fact: get_args(args[0]) for fact, args in hints if args and get_origin(args[0]) is Literal}

    def __post_init__(self) -> None:
        for fact, words in self.words.items():
            told = getattr(self, fact)
            if not {*(told if isinstance(told, tuple) else (told,))} <= {None, *words}:
                raise SpecError(
                    f"{type(self).__name__} has {fact}={told!r}: known are {', '.join(map(repr, words))}; or leave it out"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskColumn(_Column):
    """Column 1: where the mask comes from. What is left out is not promised.

    Args:
        function: `(MethodInputs) -> Mask`, or its name `package.module:function`.
        needs: parents that it looks at.
        whole: it prunes nothing; what is pruned is pruned while training.
        taken: it is the mask itself of the parent in this role: the `ticket`, or the `source` task's.
        drawn: chance draws it, uniformly over the `network` or inside its `layers`.
        ranked: it keeps the largest trained weights of the parent in this role.
        scored: the state of the weights that a saliency is taken at.
        layers: what fixes the count of each layer: the `level`'s quota, the counts of the `ticket` or of the `source` task's,
            or the `shape` (ERK).
        ones: it forwards all-ones examples: the learner must offer `ForwardsOnes`.
        nodes: what is ranked, by the norm of the weights from it, or drawn are whole hidden nodes; one of each layer may be kept
            in part, that the count is exact. The learner must offer `NamesNodes`.
    """

    function: str | Callable[..., Any]
    needs: tuple[Role, ...] = ()
    whole: bool = False
    taken: Literal["ticket", "source"] | None = None
    drawn: Literal["network", "layers"] | None = None
    ranked: Literal["previous", "dense"] | None = None
    scored: Literal["initial"] | None = None
    layers: Literal["level", "ticket", "source", "shape"] | None = None
    ones: bool = False
    nodes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsColumn(_Column):
    """Column 2: which weights start. What is left out is not promised.

    Args:
        function: `(MethodInputs, Mask) -> State | Learner`, or its name.
        needs: parents that it looks at.
        state: the state that buffers, and weights if `exact`, come from: dense's `initial` or `rewind`, `trained` by the
            level before, the level's `fresh` draw, or the rewind state of the `source` task (see `bench.tickets.transfer`).
        exact: survivors start from that state to the bit; of weights that keep `signs`, their sizes do.
        keeps: what else survives of the ticket's start: its `signs`, or its `values` in another order.
        narrower: it gives another network: one of fewer hidden units, without a mask.
    """

    function: str | Callable[..., Any]
    needs: tuple[Role, ...] = ()
    state: Literal["initial", "rewind", "trained", "fresh", "source"] | None = None
    exact: bool = False
    keeps: Literal["signs", "values"] | None = None
    narrower: bool = False

    @property
    def inherited(self) -> bool:
        """Whether other arms start from the very same weights."""
        return self.exact and self.state != "fresh" and self.keeps is None

    def __post_init__(self) -> None:
        _Column.__post_init__(self)
        if self.exact and self.state is None:
            raise SpecError(
                "WeightsColumn has exact=True and no state: say which state survivors start from to the bit"
            )
        if self.exact and self.keeps == "values":
            raise SpecError(
                "WeightsColumn has exact=True and keeps='values': values in another order are no state to the bit; drop one"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingColumn(_Column):
    """Column 3: how the subnetwork trains. What is left out is not promised.

    Args:
        function: `(MethodInputs, Mask, State) -> Start`, or its name.
        needs: parents that it looks at.
        begins: at step 0 (`start`), at the step where dense was when it was kept (`rewind`), or at the end of the `budget`,
            where schedules hold their last value.
        length: the `budget`, what is left of it behind the rewind step (`rewound`), or `none`: it does not train at all.
        dynamic: the mask changes while training.
        cuts: of a dynamic mask: it only shrinks, to the level's quota in each layer. The method's option `end` tells the share of
            the budget after which it does no more.
        reordered: it sees the data in another order than the other arms of its seed, and so is one of two copies that
            differ by the noise of SGD alone, the other being its `twin`. The learner must offer `Interpolates`.
    """

    function: str | Callable[..., Any]
    needs: tuple[Role, ...] = ()
    begins: Literal["start", "rewind", "budget"] | None = None
    length: Literal["budget", "rewound", "none"] | None = None
    dynamic: bool = False
    cuts: bool = False
    reordered: bool = False

    def steps(self, budget: int, rewind: int) -> int | None:
        """How many steps it trains, in the task's budget unit, where dense was kept at step `rewind`; None if it promises none."""
        return {"budget": budget, "rewound": budget - rewind, "none": 0, None: None}[self.length]

    def settled(self, budget: int, options: Mapping[str, Any]) -> float:
        """The step behind which its mask keeps no more weights than the level leaves; the last, if it cuts and no `end` is told."""
        end = options.get("end")  # of a record that somebody sent it may be anything
        return (end if isinstance(end, int | float) else 1) * budget if self.cuts else 0


class Columns(NamedTuple):
    """The three columns of one method."""

    mask: MaskColumn
    weights: WeightsColumn
    training: TrainingColumn

    @property
    def needs(self) -> tuple[Role, ...]:
        """The parents that the method has, which its columns look at, in their order."""
        return tuple(dict.fromkeys(role for column in self for role in column.needs))


HERE = "bench.tickets.choose:"

MASKS: dict[str, MaskColumn] = {
    "none": MaskColumn(function=HERE + "no_mask", whole=True),
    "ones": MaskColumn(function=HERE + "whole_mask", whole=True),
    "iterative": MaskColumn(function=HERE + "iterative_mask", needs=("previous",), ranked="previous", layers="level"),
    "one-shot": MaskColumn(function=HERE + "one_shot_mask", needs=("dense",), ranked="dense", layers="level"),
    "ticket": MaskColumn(function=HERE + "ticket_mask", needs=("ticket",), taken="ticket", layers="ticket"),
    "shuffled": MaskColumn(function=HERE + "shuffled_mask", needs=("ticket",), drawn="layers", layers="ticket"),
    "source": MaskColumn(function=HERE + "source_mask", needs=("source",), taken="source", layers="source"),
    "increase": MaskColumn(function=HERE + "increase_mask", needs=("dense",), layers="level"),
    "uniform": MaskColumn(function=HERE + "uniform_mask", drawn="network"),
    "erk": MaskColumn(function=HERE + "erk_mask", drawn="layers", layers="shape"),
    "magnitude": MaskColumn(function=HERE + "magnitude_mask", scored="initial"),
    "snip": MaskColumn(function=HERE + "snip_mask", scored="initial"),
    "magnitude-shuffled": MaskColumn(function=HERE + "shuffled_magnitude_mask", drawn="layers"),
    "snip-shuffled": MaskColumn(function=HERE + "shuffled_snip_mask", drawn="layers"),
    "grasp": MaskColumn(function=HERE + "grasp_mask", scored="initial"),
    "synflow": MaskColumn(function=HERE + "synflow_mask", scored="initial", ones=True),
}
WEIGHTS: dict[str, WeightsColumn] = {
    "initial": WeightsColumn(function=HERE + "initial_weights", state="initial", exact=True),
    "rewind": WeightsColumn(function=HERE + "rewind_weights", needs=("dense",), state="rewind", exact=True),
    "trained": WeightsColumn(function=HERE + "trained_weights", needs=("previous",), state="trained", exact=True),
    "fresh": WeightsColumn(function=HERE + "fresh_weights", state="fresh", exact=True),
    "fresh-signed": WeightsColumn(
        function=HERE + "signed_weights", needs=("dense",), state="fresh", exact=True, keeps="signs"
    ),
    "permuted": WeightsColumn(function=HERE + "permuted_weights", needs=("dense",), state="rewind", keeps="values"),
    "carried": WeightsColumn(
        function=HERE + "carried_weights", needs=("ticket", "dense"), state="rewind", keeps="values"
    ),
    "noisy": WeightsColumn(function=HERE + "noisy_weights", needs=("dense",), state="rewind"),
    "source": WeightsColumn(
        function=HERE + "source_weights", needs=("source-dense", "dense"), state="source", exact=True
    ),
    "narrow": WeightsColumn(function=HERE + "narrow_network", state="fresh", narrower=True),
}
TRAININGS: dict[str, TrainingColumn] = {
    "full": TrainingColumn(function=HERE + "full_training", begins="start", length="budget"),
    "rewound": TrainingColumn(function=HERE + "rewound_training", needs=("dense",), begins="rewind", length="rewound"),
    "last-rate": TrainingColumn(
        function=HERE + "last_rate_training", needs=("dense",), begins="budget", length="rewound"
    ),
    "reordered": TrainingColumn(
        function=HERE + "reordered_training",
        needs=("dense", "twin"),
        begins="rewind",
        length="rewound",
        reordered=True,
    ),
    "untrained": TrainingColumn(function=HERE + "no_training", begins="start", length="none"),
    "gmp": TrainingColumn(function=HERE + "gmp_training", begins="start", length="budget", dynamic=True, cuts=True),
    "set": TrainingColumn(function=HERE + "set_training", begins="start", length="budget", dynamic=True),
    "rigl": TrainingColumn(function=HERE + "rigl_training", begins="start", length="budget", dynamic=True),
}

Column = TypeVar("Column", MaskColumn, WeightsColumn, TrainingColumn)


def columns(method: Method) -> Columns:
    """The columns of a method that is installed: what a name `package.module:column` points at is imported.

    Raises:
        SpecError: if a column is neither built in nor can be imported.
    """
    return Columns(
        _column(MASKS, method.mask, MaskColumn),
        _column(WEIGHTS, method.weights, WeightsColumn),
        _column(TRAININGS, method.training, TrainingColumn),
    )


def _column(table: Mapping[str, Column], name: str, kind: type[Column]) -> Column:
    if name in table:
        return table[name]
    if ":" not in name:
        raise SpecError(f"method column {name!r}: write one of {', '.join(table)}, or package.module:name")
    column = named(name, "method column")
    if isinstance(column, kind):
        return column
    if not callable(column):
        raise SpecError(f"method column {name!r} is {type(column).__name__}: give a {kind.__name__} or its function")
    return kind(function=column)
