"""How close a student's hidden nodes are to its teacher's, and how close they began: what both papers look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from bench.record import RECOVERED

UNSPECIALISED = 0.8
"""The correlation below which a student node follows no teacher node."""
CONSTANT = 1e-6
"""Of a node's size on the data: what varies by less does not vary."""
ALL_DEAD = "every teacher node of the layer is dead"
"""Why a measure of live ones does not exist."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Absent(Exception):
    """A measure that does not exist here; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One hidden layer of m teacher nodes and n student nodes, on held-out data.

    Args:
        correlation: (m, n) Pearson correlation of activations, 0 where one is constant.
        initial: (m, n) the same before training, before any weight was pruned.
        observability: (m, n) the smaller of two shares of the data: both nodes fire, or only the student's.
        dead: (m,) teacher nodes that are constant: nothing can correlate with them.
        alive: (n,) student nodes with a weight to them and one from them.
        teacher_fanout: (m,) norm of the weights from each teacher node.
        student_fanout: (n,) norm of the weights from each student node.
    """

    correlation: Floats
    initial: Floats
    observability: Floats
    dead: Bools
    alive: Bools
    teacher_fanout: Floats
    student_fanout: Floats

    @property
    def best(self) -> Floats:
        """(m,) the correlation of each teacher node with its best student."""
        found: Floats = self.correlation.max(axis=1)
        return found

    @property
    def live_best(self) -> Floats:
        """The same of those teacher nodes that are not dead.

        Raises:
            Absent: if all are dead.
        """
        return _some(self.best[~self.dead], ALL_DEAD)

    @property
    def followed(self) -> Floats:
        """(n,) the correlation of each student node with the live teacher node that it is closest to.

        Raises:
            Absent: if all are dead.
        """
        return self._closest(self.correlation)

    @property
    def followed_at_first(self) -> Floats:
        """The same before training."""
        return self._closest(self.initial)

    def _closest(self, correlation: Floats) -> Floats:
        found: Floats = _some(correlation[~self.dead], ALL_DEAD).max(axis=0)
        return found

    @property
    def ranks(self) -> Floats:
        """(m,) where the finally best student of each teacher node stood at first: 0 the best, 1 the worst; NaN of the dead.

        Equal ones share a place, in the middle of theirs. NaN, too, where no student correlates with the node in the end, or there is but one student.
        """
        chosen = self.correlation.argmax(axis=1)
        began = np.take_along_axis(self.initial, chosen[:, None], axis=1)
        better = (self.initial > began).sum(axis=1) + ((self.initial == began).sum(axis=1) - 1) / 2
        ranked = ~self.dead & (self.best > 0) & (self.initial.shape[1] > 1)
        return np.where(ranked, better / max(1, self.initial.shape[1] - 1), np.nan)


def correlations(teacher: Tensor, student: Tensor) -> Floats:
    """(m, n) Pearson correlations of activations (samples, m) and (samples, n); 0 where one is constant."""
    (ours, our_norm), (theirs, their_norm) = _centred(teacher), _centred(student)
    found: Floats = ((ours.T @ theirs) / our_norm[:, None] / their_norm).cpu().numpy()
    return found


def constant(activations: Tensor) -> Bools:
    """(nodes,) which columns of (samples, nodes) are constant."""
    found: Bools = _centred(activations)[1].isinf().cpu().numpy()
    return found


def observabilities(teacher: Tensor, student: Tensor) -> Floats:
    """(m, n) the smaller of two shares of the data: teacher and student fire, the student alone fires (1909.13458, code)."""
    fires, follows = (teacher > 0).float(), (student > 0).float()  # counts below 2**24 are exact
    both = fires.T @ follows
    found: Floats = (torch.minimum(both, follows.sum(dim=0) - both).double() / len(teacher)).cpu().numpy()
    return found


def _centred(activations: Tensor) -> tuple[Tensor, Tensor]:
    """(samples, nodes) less its means, and (nodes,) the norms that are left; infinite where a column is constant."""
    values = activations.double()
    means = values.mean(dim=0)
    centred = values - means
    norm = centred.norm(dim=0)
    size = (norm**2 + len(values) * means**2).sqrt()
    return centred, torch.where(norm <= CONSTANT * size, torch.inf, norm)


def _some(values: Floats, reason: str, fewest: int = 1) -> Floats:
    if len(values) < fewest:
        raise Absent(reason)
    return values


def _spearman(one: Floats, other: Floats) -> float:
    if any(len(np.unique(values)) < 2 for values in (one, other)):
        raise Absent("a rank correlation needs two nodes that differ")
    return float(stats.spearmanr(one, other).statistic)


def recovered(layer: Layer) -> float:
    """Share of live teacher nodes with a student beyond `RECOVERED`."""
    return float((layer.live_best > RECOVERED).mean())


def recovered_strong(layer: Layer) -> float:
    """The same among the stronger half of them by fan-out, the middle one included."""
    return _recovered_part(layer, slice(0, (len(layer.live_best) + 1) // 2))


def recovered_weak(layer: Layer) -> float:
    """The same among the weaker half, without the middle one."""
    return _recovered_part(layer, slice((len(layer.live_best) + 1) // 2, None))


def _recovered_part(layer: Layer, part: slice) -> float:
    strongest_first = np.argsort(-layer.teacher_fanout[~layer.dead], kind="stable")
    chosen = _some(layer.live_best[strongest_first][part], "the teacher has too few live nodes for two halves")
    return float((chosen > RECOVERED).mean())


def best_correlation(layer: Layer) -> float:
    """Mean over live teacher nodes of the correlation with the best student."""
    return float(layer.live_best.mean())


def strength_order(layer: Layer) -> float:
    """Rank correlation, over live teacher nodes, of fan-out and best correlation: are the strong ones learned first?"""
    return _spearman(layer.teacher_fanout[~layer.dead], layer.live_best)


def lshape(layer: Layer) -> float:
    """Rank correlation, over living student nodes, of best correlation and fan-out."""
    return _spearman(layer.followed[layer.alive], layer.student_fanout[layer.alive])


def fanout_ratio(layer: Layer) -> float:
    """Median fan-out of living student nodes that follow no teacher node, over that of those that found one."""
    best, fanout = layer.followed[layer.alive], layer.student_fanout[layer.alive]
    stray = _some(fanout[best < UNSPECIALISED], f"fewer than two student nodes stay below {UNSPECIALISED}", 2)
    found = _some(fanout[best > RECOVERED], f"fewer than two student nodes pass {RECOVERED}", 2)
    return float(np.median(stray) / np.median(found))


def initial_rank(layer: Layer) -> float:
    """Mean over live teacher nodes of their `ranks`; chance gives .5."""
    ranks = layer.ranks
    return float(_some(ranks[~np.isnan(ranks)], "no teacher node has a best student of several").mean())


def luck(layer: Layer) -> float:
    """How much closer to their best live teacher node the living student nodes began than the dead ones."""
    began = layer.followed_at_first
    living = _some(began[layer.alive], "fewer than two student nodes are alive", 2)
    dead = _some(began[~layer.alive], "fewer than two student nodes are dead", 2)
    return float(living.mean() - dead.mean())


def observability(layer: Layer) -> float:
    """Mean over live teacher nodes of the observability by the student node where it is largest."""
    return float(_some(layer.observability[~layer.dead], ALL_DEAD).max(axis=1).mean())


LOWEST: tuple[Callable[[Layer], float], ...] = (
    recovered,
    recovered_weak,
    recovered_strong,
    best_correlation,
    strength_order,
    lshape,
    fanout_ratio,
    initial_rank,
    luck,
    observability,
)
"""What is measured of the lowest layer; of the others the best correlation alone."""


def measure(layers: Sequence[Layer]) -> tuple[dict[str, float], dict[str, str]]:
    """Every measure that exists of the hidden layers, the lowest first; and why the others do not."""
    asked = {each.__name__: (each, layers[0]) for each in LOWEST}
    asked |= {f"best_correlation_{at}": (best_correlation, layer) for at, layer in enumerate(layers[1:], start=2)}
    found, absent = {}, {}
    for name, (function, layer) in asked.items():
        try:
            found[name] = function(layer)
        except Absent as reason:
            absent[name] = str(reason)
    return found, absent
