"""Which weights a task prunes, and how fast."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from bench.errors import SpecError
from bench.schema import Name, Number

WILDCARDS = frozenset("*?[")
"""Of patterns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Which weights a task prunes, and how fast.

    Args:
        rate: fraction of the remaining weights removed per round, in (0, 1).
        scope: `layer` ranks weights inside each layer, `global` over the pooled network.
        biases: whether one-dimensional parameters (biases, norm gains) are prunable too.
        rates: parameter-name pattern -> its own rate, the same of all that match one name; only with `layer` scope.
        exempt: patterns of parameter names that are never pruned.
    """

    rate: Number = 0.2
    scope: Literal["layer", "global"] = "layer"
    biases: bool = False
    rates: Mapping[Name, Number] = field(default_factory=dict)
    exempt: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        if self.scope not in ("layer", "global"):
            raise SpecError(f"pruning scope is {self.scope!r}: write 'layer' or 'global'")
        if self.rates and self.scope == "global":
            raise SpecError("pruning has rates per layer and global scope: a pooled ranking has one rate; drop one")
        for rate in (self.rate, *self.rates.values()):
            if not 0 < rate < 1:
                raise SpecError(f"pruning rate is {rate}: it is the fraction removed per round, between 0 and 1")

    def rate_of(self, name: str) -> float:
        """The rate of the parameter `name`."""
        return next((rate for pattern, rate in self.rates.items() if fnmatchcase(name, pattern)), self.rate)

    def is_exempt(self, name: str) -> bool:
        """Whether the parameter `name` is never pruned."""
        return any(fnmatchcase(name, pattern) for pattern in self.exempt)

    def check(self, names: Collection[str]) -> None:
        """Whether what it names is there; a pattern of several names may exempt nothing.

        Args:
            names: of the network's parameters.

        Raises:
            SpecError: naming them, if not: a rate or an exemption that concerns nothing is a typing error. Likewise if two
                rates are given to one parameter: the order of patterns is no part of a unit's id.
        """
        exact = [pattern for pattern in self.exempt if not WILDCARDS.intersection(pattern)]
        for field_name, patterns in (("rates", self.rates), ("exempt", exact)):
            for pattern in patterns:
                if not any(fnmatchcase(name, pattern) for name in names):
                    known = ", ".join(names)
                    raise SpecError(
                        f"pruning.{field_name} names {pattern!r}, of which the network has none: it has {known}"
                    )
        for name in names:
            given = {pattern: rate for pattern, rate in self.rates.items() if fnmatchcase(name, pattern)}
            if len(set(given.values())) > 1:
                told = " and ".join(f"{pattern!r} {rate}" for pattern, rate in given.items())
                raise SpecError(
                    f"pruning.rates give {name} more than one rate: {told}; write patterns of which one fits"
                )

    def keep(self, sizes: Mapping[str, int], level: int) -> dict[str, int]:
        """How many weights `level` rounds leave, exactly.

        Args:
            sizes: parameter name -> number of prunable weights.
            level: number of rounds.

        Returns:
            Parameter name -> count with `layer` scope; `{"": count}` of the pooled network with `global` scope.
        """
        if self.scope == "global":
            return {"": round(sum(sizes.values()) * (1 - self.rate) ** level)}
        return {name: round(size * (1 - self.rate_of(name)) ** level) for name, size in sizes.items()}
