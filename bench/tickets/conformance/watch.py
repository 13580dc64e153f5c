"""Looks over a learner's shoulder: what was loaded, which rates, gradients and moments every update saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from bench import registry
from bench.learner import Domain, Learner, State
from bench.spec import Task
from bench.streams import Streams
from bench.tickets.conformance.equality import differing


@dataclass(kw_only=True)
class Seen:
    """What one learner did since training began: what a column did with it before is no training.

    Args:
        loaded: the states it was given, in order.
        rates: (step, learning rate) of every update.
        gradients: parameter name -> entries that ever had a non-zero gradient when the optimizer stepped.
        weights: parameter name -> entries that were ever non-zero after an update.
        stale: parameter name -> number of newly grown weights that came with moments of an earlier life.
        ones: how often all-ones examples were forwarded before that; measuring the trained network forwards them, too.
        changed: what of the learner that columns are shown was no longer as it was built when training began.
        choosing: whether columns still choose, since training has not begun.
    """

    loaded: list[State] = field(default_factory=list)
    rates: list[tuple[int, float]] = field(default_factory=list)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    stale: dict[str, int] = field(default_factory=dict)
    ones: int = 0
    changed: list[str] = field(default_factory=list)
    choosing: bool = True


class WatchedDomain:
    """A domain whose learners are watched; `seen` holds one entry per learner that was built, in order."""

    def __init__(self, domain: Domain) -> None:
        """Watch over `domain`."""
        self._domain = domain
        self._shown: tuple[Learner, State] | None = None
        self.seen: list[Seen] = []

    def next_unit(self) -> None:
        """Forget the learners of the unit before."""
        self._shown, self.seen = None, []

    def training_begins(self) -> None:
        """The columns have chosen: only what is seen from now on is the unit's training."""
        assert self._shown is not None
        learner, built = self._shown
        changed = differing(built, learner.snapshot())
        for seen in self.seen:
            seen.changed, seen.choosing = changed, False
            for noticed in (seen.loaded, seen.rates, seen.gradients, seen.weights, seen.stale):
                noticed.clear()

    def tasks(self) -> Mapping[str, Task]:
        """The domain's own tasks."""
        return self._domain.tasks()

    def learner(self, task: Task, *, streams: Streams, device: str, width: float = 1.0) -> Learner:
        """The domain's own learner, with eyes on it."""
        learner = self._domain.learner(task, streams=streams, device=device, width=width)
        self._shown = self._shown or (learner, learner.snapshot())
        self.seen.append(watch(learner))
        return learner

    def network(self, task: Task) -> Any:
        """What the domain itself says."""
        return registry.network(self._domain, task)

    def outputs(self, task: Task) -> Any:
        """What the domain itself says."""
        return registry.outputs(self._domain, task)

    @property
    def trained(self) -> Seen:
        """What the learner did that was trained."""
        return next(seen for seen in self.seen if seen.loaded)


def watch(learner: Learner) -> Seen:
    """Note from now on what `learner` does; its numbers stay the same."""
    seen = Seen()
    _watch_loads(learner, seen)
    if hasattr(learner, "forward_ones"):
        _watch_ones(learner, seen)

    def before(*_: object) -> None:
        seen.rates.append((learner.step, float(learner.optimizer.param_groups[0]["lr"])))
        for name, parameter in learner.module.named_parameters():
            if parameter.grad is not None:
                moving = parameter.grad != 0
                seen.gradients[name] = moving | seen.gradients.get(name, False)
                if parameter.ndim > 1:
                    grown = moving & (parameter.detach() == 0)
                    seen.stale[name] = seen.stale.get(name, 0) + _stale(
                        learner.optimizer.state.get(parameter, {}), grown
                    )

    def after(*_: object) -> None:
        for name, parameter in learner.module.named_parameters():
            present = parameter.detach() != 0
            seen.weights[name] = present | seen.weights.get(name, False)

    learner.optimizer.register_step_pre_hook(before)
    learner.optimizer.register_step_post_hook(after)
    return seen


def _stale(state: Mapping[str, object], grown: Tensor) -> int:
    """A trained weight is hardly ever exactly zero: one that is, and has a gradient, has just been grown."""
    kept = [value for value in state.values() if isinstance(value, Tensor) and value.shape == grown.shape]
    return sum(int(value[grown].count_nonzero()) for value in kept)


def _watch_loads(learner: Learner, seen: Seen) -> None:
    load = learner.load

    def noted(state: State) -> None:
        seen.loaded.append(state)
        load(state)

    learner.load = noted  # type: ignore[method-assign]


def _watch_ones(learner: Learner, seen: Seen) -> None:
    forward = learner.forward_ones  # type: ignore[attr-defined]

    def noted() -> Tensor:
        seen.ones += seen.choosing
        output: Tensor = forward()
        return output

    learner.forward_ones = noted  # type: ignore[attr-defined]
