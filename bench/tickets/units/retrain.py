"""Measures a claimed unit again: evaluates its stored weights, or trains it anew, for `ticketbench verify`.

Of what was submitted, `retrain` believes one thing: a mask that iterative or one-shot pruning is said to have found,
which only its whole chain could show. The initial weights come from the seed, the rewind weights from training them
here; masks that chance or the initial weights give are chosen here again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

import torch

from bench.errors import SubmissionError
from bench.learner import Domain, Mask, State
from bench.record import Record
from bench.registry import domain
from bench.spec import Role, Unit
from bench.streams import Streams
from bench.tickets.inputs import MethodInputs, Parent
from bench.tickets.protocol import Report, Trained, evaluate, measure, run_unit
from bench.tickets.units import artifacts
from bench.tickets.units.work import Clock, finish

ROUNDING = 1e-4
"""Of the weights' own length: how far the same draw may be off on another machine."""
CLAIMED = cast("Role", "claimed")
"""The role that the submitted unit plays for itself; no method names it."""
BELIEVED = ("iterative", "one-shot")
"""Masks that are taken from the submission."""
LARGEST_DRIFT = {"updates": 0.3, "env_steps": 2.0, "episodes": 2.0}
"""Of the way from the initial to the rewind weights: how far submitted rewind weights may be from those found here.

Another machine rounds otherwise, and an agent that once acts otherwise takes another path.
"""


def replay(
    unit: Unit, *, parents: Mapping[Role, Path], folder: Path, device: str = "cpu", report: Report | None = None
) -> Record:
    """Evaluate the trained weights that were submitted, on every split of the task.

    Args:
        unit: what was asked.
        parents: the submitted unit's folder as `CLAIMED`; others are not looked at.
        folder: see `bench.tickets.units.work.work`.
        device: likewise.
        report: likewise; called once.

    Returns:
        A record like the unit's own, whose curve has one point and which took no update.
    """
    clock, task = Clock(), unit.task
    claimed = artifacts.load_parent(parents[CLAIMED])
    setting = MethodInputs(unit, domain(task.domain), device, {})
    setting.learner.load(claimed.state("final"))
    trained = Trained(mask=claimed.mask, curve=[evaluate(setting.learner, task)])
    trained.states["final"] = setting.learner.snapshot()
    if report:
        report(setting.learner.step, trained.curve[0]["metrics"][task.split])
    return finish(unit, measure(setting, setting.learner, trained), {}, folder, device=device, clock=clock)


def retrain(
    unit: Unit, *, parents: Mapping[Role, Path], folder: Path, device: str = "cpu", report: Report | None = None
) -> Record:
    """Train the unit that was submitted, from its seed.

    Args:
        unit: what was asked.
        parents: its own submitted folder as `CLAIMED`, and those of its parents, where they were submitted.
        folder: see `bench.tickets.units.work.work`.
        device: likewise.
        report: likewise.

    Raises:
        SubmissionError: if the submitted rewind weights are not where training leads.
    """
    clock, kind = Clock(), domain(unit.task.domain)
    family = {role: artifacts.load_parent(path) for role, path in parents.items()}
    if "dense" in unit.parents:
        state = dense_again(unit, kind, device)
        _check_start(state, family[CLAIMED].mask, parents, drift=LARGEST_DRIFT[unit.task.unit])
        family["dense"] = Parent(mask={}, state=state, search_cost=0, result="")
    asked = unit
    if unit.method.mask in BELIEVED:
        asked = replace(unit, method=replace(unit.method, mask=f"{__name__}:{submitted.__name__}"))
    result = run_unit(asked, kind, family, device=device, report=report)
    named = {role: family[role] for role in unit.parents if role in family and family[role].result}
    return finish(unit, result, named, folder, device=device, clock=clock)


def submitted(setting: MethodInputs) -> Mask:
    """Column 1 of a unit whose mask is believed."""
    return setting.parents[CLAIMED].mask


def dense_again(unit: Unit, kind: Domain, device: str) -> Callable[[str], State]:
    """The `initial` and `rewind` states of a unit's dense parent, found here; each is made when it is asked for."""

    @cache
    def state(name: str) -> State:
        learner = kind.learner(unit.task, streams=Streams(unit.seed), device=device)
        learner.load(learner.snapshot())
        if name == "rewind" and unit.task.rewind_step:
            learner.train(unit.task.rewind_step)
        return learner.snapshot()

    return state


def _check_start(state: Callable[[str], State], mask: Mask, parents: Mapping[Role, Path], *, drift: float) -> None:
    """Submitted rewind weights lie where training from the seed's initial weights leads, or nearby."""
    found = [parents[role] for role in (CLAIMED, "dense") if role in parents]
    folder = next((each for each in found if (each / "rewind.safetensors").exists()), None)
    if folder is None:
        return
    theirs = artifacts.load_state("rewind", folder)
    name = "initial" if theirs.step == 0 else "rewind"
    ours, initial = state(name).masked(mask).weights, state("initial").masked(mask).weights
    theirs_masked = theirs.masked(mask).weights
    moved, off = _distance(ours, initial), _distance(ours, theirs_masked)
    size = _distance(ours, {name: torch.zeros_like(each) for name, each in ours.items()})
    if not off <= drift * moved + ROUNDING * size:
        raise SubmissionError(
            f"its {name} weights are {off:.3g} away from those that its seed gives here, which moved {moved:.3g}"
        )


def _distance(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    if one.keys() != other.keys():
        return float("inf")
    squares = (float((one[name].cpu().double() - other[name].cpu().double()).square().sum()) for name in one)
    return math.sqrt(math.fsum(squares))
