"""Measures a submitted unit again: evaluates its stored weights, or trains it anew, for `ticketbench verify`.

The initial weights come from the seed, the rewind weights from training them here; masks are chosen here again, those of
iterative and one-shot pruning from the trained weights of the round before. Only where these were not submitted is the mask
believed: its whole chain alone could show it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from bench.doors import StacksUnits
from bench.errors import SubmissionError
from bench.learner import Domain, Mask, State
from bench.record import SUBMITTED, StoredRecord
from bench.registry import domain
from bench.spec import Role, Task, Unit
from bench.stacks.alone import SeatedDomain
from bench.store.integrity import read_parent
from bench.streams import Streams
from bench.tickets.columns import columns
from bench.tickets.inputs import MethodInputs, Parent
from bench.tickets.protocol import Report, Trained, evaluate, look_closer, measure, run_unit
from bench.tickets.units import artifacts
from bench.tickets.units.work import Clock, add_survival, finish

ROUNDING = 1e-4
"""Of the weights' own length: how far the same draw may be off on another machine."""
LARGEST_DRIFT = {"updates": 0.3, "env_steps": 2.0, "episodes": 2.0}
"""Of the way from the initial to the rewind weights: how far submitted rewind weights may be from those found here.

Another machine rounds otherwise, and an agent that once acts otherwise takes another path.
"""

DENSES: dict[Role, tuple[Role, ...]] = {"dense": (SUBMITTED,), "source-dense": ("source",)}
"""Roles of dense parents, each with the roles of tickets that may have brought its rewind weights."""


def replay(
    unit: Unit, *, parents: Mapping[Role, Path], folder: Path, device: str = "cpu", report: Report | None = None
) -> StoredRecord:
    """Evaluate the trained weights that were submitted, on every split of the task.

    Args:
        unit: what was asked.
        parents: the submitted unit's folder as `SUBMITTED`; others are not looked at.
        folder: see `bench.tickets.units.work.work`.
        device: likewise.
        report: likewise; called once.

    Returns:
        A record like the unit's own, whose curve has one point and which took no update.
    """
    clock, task = Clock(), unit.task
    submitted = artifacts.load_parent(parents[SUBMITTED])
    inputs = MethodInputs(unit, domain(task.domain), device, {})
    inputs.learner.load(submitted.state("final"))
    trained = Trained(mask=submitted.mask, curve=[evaluate(inputs.learner, task)])
    look_closer(inputs.learner, trained)
    trained.states["final"] = inputs.learner.snapshot()
    if report:
        report(inputs.learner.step, trained.curve[0]["metrics"][task.split])
    return finish(unit, measure(inputs, inputs.learner, trained), {}, folder, device=device, clock=clock)


def retrain(
    unit: Unit, *, parents: Mapping[Role, Path], folder: Path, device: str = "cpu", report: Report | None = None
) -> StoredRecord:
    """Train the unit that was submitted, from its seed; beside an empty seat if it was trained in a stack.

    Args:
        unit: what was asked.
        parents: its own submitted folder as `SUBMITTED`, and those of its parents, where they were submitted.
        folder: see `bench.tickets.units.work.work`.
        device: likewise.
        report: likewise.

    Raises:
        SubmissionError: if the submitted rewind weights are not where training leads.
    """
    clock, kind = Clock(), domain(unit.task.domain)
    seats = read_parent(parents[SUBMITTED])["provenance"].get("stack")
    if seats and isinstance(kind, StacksUnits):
        kind = SeatedDomain(kind)
    there = {role: path for role, path in parents.items() if role != "twin" or (path / "final.safetensors").exists()}
    family = {role: artifacts.load_parent(path, unit.parents.get(role)) for role, path in there.items()}
    named = {role: parent for role, parent in family.items() if role in unit.parents}
    for role in unit.parents.keys() & DENSES.keys():
        task = unit.task if role == "dense" else family["source"].task
        assert task is not None
        state = found_states(task, unit.seed, kind, device, family.get(role))
        _check_start(state, family, parents, (*DENSES[role], role), drift=LARGEST_DRIFT[task.unit])
        family[role] = Parent(mask={}, state=state, search_cost=0, result="")
    ranked = columns(unit.method).mask.ranked
    asked = unit
    if ranked and not (ranked in parents and (parents[ranked] / "final.safetensors").exists()):
        asked = replace(unit, method=replace(unit.method, mask=f"{__name__}:{submitted_mask.__name__}"))
    result = run_unit(asked, kind, family, device=device, report=report)
    record = finish(unit, result, named, folder, device=device, clock=clock)
    if "dense" in parents and (parents["dense"] / "final.safetensors").exists():
        add_survival(record, unit, result, family)
    if seats:
        record["provenance"]["stack"] = 1  # the results of all stacks are one
    return record


def submitted_mask(inputs: MethodInputs) -> Mask:
    """Column 1 of a unit whose mask is believed."""
    return inputs.parents[SUBMITTED].mask


def found_states(task: Task, seed: int, kind: Domain, device: str, dense: Parent | None) -> Callable[[str], State]:
    """The states of a unit's dense parent: `initial` and `rewind` are found here, when they are asked for.

    Args:
        task: of the parent.
        seed: of both.
        kind: its domain.
        device: where to train.
        dense: the submitted one, for the `final` state that one-shot pruning ranks.
    """

    @cache
    def state(name: str) -> State:
        if name == "final" and dense is not None:
            return dense.state(name)
        learner = kind.learner(task, streams=Streams(seed), device=device)
        learner.load(learner.snapshot())
        if name == "rewind" and task.rewind_step:
            learner.train(task.rewind_step)
        return learner.snapshot()

    return state


def _check_start(
    state: Callable[[str], State],
    family: Mapping[Role, Parent],
    folders: Mapping[Role, Path],
    roles: tuple[Role, ...],
    *,
    drift: float,
) -> None:
    """Rewind weights that were submitted in one of `roles` lie where training from the seed's initial weights leads."""
    having = (role for role in roles if role in folders and (folders[role] / "rewind.safetensors").exists())
    role = next(having, None)
    if role is None:
        return
    theirs, mask = family[role].state("rewind"), family[SUBMITTED].mask
    name = "initial" if theirs.step == 0 else "rewind"
    ours, initial = state(name).masked(mask).weights, state("initial").masked(mask).weights
    theirs_masked = theirs.masked(mask).weights
    moved, off = _distance(ours, initial), _distance(ours, theirs_masked)
    size = _distance(ours, {name: torch.zeros_like(weight) for name, weight in ours.items()})
    if not off <= drift * moved + ROUNDING * size:
        raise SubmissionError(
            f"its {name} weights are {off:.3g} away from those that its seed gives here, which moved {moved:.3g}"
        )


def _distance(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    if one.keys() != other.keys():
        return float("inf")
    squares = (float((one[name].cpu().double() - other[name].cpu().double()).square().sum()) for name in one)
    return math.sqrt(math.fsum(squares))
