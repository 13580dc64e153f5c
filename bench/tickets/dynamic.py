"""Masks that change while training: gradual magnitude pruning, SET and RigL.

They act after optimizer updates, on the fraction of the budget done, so they know neither epochs nor episodes.
"""

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from bench.errors import SpecError
from bench.learner import Learner, Mask
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached


class Dynamics(Protocol):
    """A rule that changes an attached mask as training goes on."""

    def bind(self, attached: Attached, learner: Learner) -> None:
        """Start to act on `attached`."""
        ...


class GradualPruning:
    """Removes the smallest survivors on a cubic path of densities: Zhu & Gupta (1710.01878), equation 1.

    Args:
        entries: what may be pruned.
        keep: the counts at the end, per layer or pooled (`{"": count}`).
        budget: the length of training, in steps.
        start: fraction of the budget at which pruning starts.
        end: fraction of the budget at which the last cut is made.
        cuts: number of cuts.

    Raises:
        SpecError: if the last cut would fall outside the training.
    """

    def __init__(
        self, entries: Mask, keep: Mapping[str, int], *, budget: int, start: float, end: float, cuts: int
    ) -> None:
        """Take the path; nothing happens before `bind`."""
        if not 0 <= start < end < 1:
            raise SpecError(f"gradual pruning from {start} to {end} of the budget: choose 0 <= start < end < 1")
        self._entries, self._keep, self._budget = entries, keep, budget
        self._start, self._end, self._cuts = start, end, cuts
        self._done = 0

    def bind(self, attached: Attached, learner: Learner) -> None:
        """Cut whenever another `1 / cuts` of the path is behind."""
        attached.after_update(lambda: self._cut_if_due(attached, learner))

    def _cut_if_due(self, attached: Attached, learner: Learner) -> None:
        path = (learner.step / self._budget - self._start) / (self._end - self._start)
        due = min(self._cuts, math.floor(path * self._cuts))
        if due <= self._done:
            return
        self._done = due
        left = (1 - due / self._cuts) ** 3
        sizes = masks.sizes(self._entries)
        whole = {"": sum(sizes.values())} if "" in self._keep else sizes
        keep = {name: count + round((whole[name] - count) * left) for name, count in self._keep.items()}
        weights = {name: parameter.detach().abs() for name, parameter in learner.module.named_parameters()}
        present = {name: mask.cpu() for name, mask in attached.mask.items()}
        for name, mask in masks.highest(weights, present, self._entries, keep).items():
            attached.change(name, mask.to(attached.mask[name].device))


class Regrowth:
    """Drops the smallest weights of each layer and grows as many: SET (1707.04780) and RigL (1911.11134).

    SET's own paper drops the same fraction throughout; here it falls on RigL's cosine for both.

    Args:
        entries: what may be pruned.
        streams: `mask` decides what SET grows.
        budget: the length of training, in steps.
        by_gradient: grow where the dense gradient is largest (RigL), else at random (SET).
        drop: fraction dropped at first; it falls to zero on a cosine.
        end: fraction of the budget after which the mask stays.
        cuts: number of changes until then.

    Raises:
        SpecError: if it drops no share of the weights, or ends before the training begins or after it.
    """

    def __init__(
        self, entries: Mask, streams: Streams, *, budget: int, by_gradient: bool, drop: float, end: float, cuts: int
    ) -> None:
        """Take the rule; nothing happens before `bind`."""
        if not (0 < drop <= 1 and 0 < end <= 1):
            raise SpecError(
                f"regrowth of {drop} of the weights until {end} of the budget: choose both above 0 and up to 1"
            )
        self._entries, self._streams, self._budget = entries, streams, budget
        self._by_gradient, self._drop, self._end, self._cuts = by_gradient, drop, end, cuts
        self._done = 0

    def bind(self, attached: Attached, learner: Learner) -> None:
        """Change the mask whenever another `1 / cuts` of the path is behind."""
        attached.after_update(lambda: self._change_if_due(attached, learner))

    def _change_if_due(self, attached: Attached, learner: Learner) -> None:
        if attached.dense_gradients:
            if not all(bool(gradient.isfinite().all()) for gradient in attached.gradients.values()):
                attached.gradients.clear()
                return  # an update that overflowed in float16 moves nothing: the next one's decide
            attached.dense_gradients = False
            self._change(attached, learner, learner.step / self._budget)
            attached.gradients.clear()
            return
        fraction = learner.step / self._budget
        due = math.floor(fraction / self._end * self._cuts)
        if self._done < due and fraction < self._end:
            self._done = due
            attached.dense_gradients = True  # the next update's gradients decide

    def _change(self, attached: Attached, learner: Learner, fraction: float) -> None:
        share = self._drop / 2 * (1 + math.cos(math.pi * min(1.0, fraction / self._end)))
        generator = self._streams.torch("mask", 4, self._done)
        parameters = dict(learner.module.named_parameters())
        for name, entries in self._entries.items():
            mask = attached.mask[name].cpu()
            active = mask & entries
            kept = int(active.sum())
            moved = min(round(share * kept), int(entries.sum()) - kept)
            if self._by_gradient and name not in attached.gradients:
                continue  # the loss does not reach this parameter
            if self._by_gradient:
                growth = attached.gradients[name].abs().cpu()
            else:
                growth = torch.rand(entries.shape, generator=generator)
            changed = regrown(parameters[name].detach().abs().cpu(), growth, active, entries, moved)
            attached.change(name, (changed | ~entries).to(parameters[name].device))


def regrown(magnitude: Tensor, growth: Tensor, active: Tensor, entries: Tensor, moved: int) -> Tensor:
    """The layer's mask after `moved` of its smallest weights made room for as many with the highest growth score.

    Just-dropped weights may grow again, as in RigL; a weight that stays is never touched.
    """
    staying = masks.largest(magnitude.flatten(), active.flatten(), int(active.sum()) - moved)
    grown = masks.largest(growth.flatten(), entries.flatten() & ~staying, moved)
    return (staying | grown).view_as(active)
