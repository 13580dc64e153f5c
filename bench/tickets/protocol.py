"""The one ticket protocol, for every domain: choose a subnetwork, train it, measure it.

Iterative magnitude pruning (1803.03635, section 1; late rewinding 1903.01611) is this function applied to the units
`ticket` level 1, 2, ... of a seed:

1. Randomly initialise a network f(x; theta_0), and train it for j steps: unit `dense`.
2. Prune p per cent of the surviving weights, giving the mask m: `choose`, column 1.
3. Reset the survivors to theta_k, giving the ticket f(x; m * theta_k): `choose`, column 2.
4. Train it for the rest of the budget; pruned weights stay exactly zero: `train`, column 3.
5. Measure it. The next level goes on from its final weights at 2.

Controls differ from the ticket in a column, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.doors import CountsEnvSteps, ExplainsAbsence, ForwardsOnes, KeepsItems, KeepsNodes, MeasuresFit, StacksUnits
from bench.errors import Diverged, Unsupported, WrongCount
from bench.learner import Domain, Learner, Mask, State
from bench.record import Counts, CurvePoint, Items, NodeLayer
from bench.schema import LARGEST
from bench.spec import DENSE, Role, Task, Unit
from bench.stacks.stack import Seat
from bench.tickets import accounting, masks
from bench.tickets.attach import Attached
from bench.tickets.choose import choose
from bench.tickets.inputs import MethodInputs, Parent, Start, streams_of
from bench.tickets.measurements.instability import between

Report = Callable[[int, Mapping[str, float]], None]


@dataclass(kw_only=True)
class Trained:
    """A subnetwork after its training.

    Args:
        mask: which weights it kept in the end.
        states: `final`, and for dense also `initial` and `rewind`.
        curve: every evaluation.
        diverged: why training ended early, if it did.
        steps: trained here, in the task's budget unit.
        updates: optimizer updates made here.
        env_steps: environment steps made here; None where there are no environments.
        items: what the final score was computed from, item by item, where the learner keeps that.
        nodes: every hidden layer in the end, where the learner keeps that.
        fit: metrics of examples that were trained on, in the end, where the learner measures that.
        interpolation: metrics between its twin and itself; see `bench.tickets.measurements.instability`.
        absent: metric that the final evaluation did not report -> why, where the learner says so.
    """

    mask: Mask
    states: dict[str, State] = field(default_factory=dict)
    curve: list[CurvePoint] = field(default_factory=list)
    diverged: str | None = None
    steps: int = 0
    updates: int = 0
    env_steps: int | None = None
    items: Items | None = None
    nodes: list[NodeLayer] | None = None
    fit: dict[str, float] | None = None
    interpolation: dict[str, list[float]] | None = None
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A unit's training and what was measured of it.

    Args:
        trained: the subnetwork.
        counts: of weights.
        density: kept over prunable weights of the whole network.
        density_weights: the papers' P_m.
        density_total: of all parameters.
        effective_density: the same, of the kept weights that lie on a path from input to output.
        flops: multiply-adds of one example.
        flops_dense: the same of the dense network.
        overlap: share of the ticket's weights that a control keeps too.
        nulls: what could not be measured, and why.
    """

    trained: Trained
    counts: Counts
    density: float
    density_weights: float
    density_total: float
    effective_density: float | None
    flops: int | None
    flops_dense: int | None
    overlap: float | None
    nulls: dict[str, str]


def run_unit(
    unit: Unit, domain: Domain, parents: Mapping[Role, Parent], *, device: str = "cpu", report: Report | None = None
) -> Result:
    """One training of the protocol.

    Args:
        unit: what is asked.
        domain: where its task comes from.
        parents: role -> the finished unit that plays it.
        device: `cpu`, `cuda`, ...
        report: called with (step, metrics of the task's split) at every evaluation; at the start without metrics.

    Raises:
        LeakedMask: if a pruned weight moved, or the method kept another number of weights than the level leaves.
    """
    return _end_of(course(unit, MethodInputs(unit, domain, device, parents), report))


def run_units(
    units: Sequence[Unit],
    domain: StacksUnits,
    parents: Sequence[Mapping[Role, Parent]],
    *,
    device: str = "cpu",
    reports: Sequence[Report | None],
) -> Iterator[tuple[int, Result | Exception]]:
    """The same for several units of one task, each in a seat of a stack; what becomes of one leaves the others as they are.

    Args:
        units: what is asked.
        domain: where their task comes from.
        parents: of each unit, see `run_unit`.
        device: `cpu`, `cuda`, ...
        reports: of each unit, likewise.

    Yields:
        Place in `units`, and what came out or why nothing did, as they end.
    """
    streams = [streams_of(unit) for unit in units]
    stack = domain.stack(units[0].task, streams=streams, device=device)
    courses: dict[int, Generator[int, None, Result]] = {}
    for place, unit in enumerate(units):
        inputs = MethodInputs(unit, domain, device, parents[place], learner=stack.seats[place])
        courses[place] = course(unit, inputs, reports[place])
    until: dict[int, int] = {}
    ready = list(courses)
    while ready:
        for place in ready:
            until.pop(place, None)
            try:
                until[place] = next(courses[place])
            except StopIteration as end:
                yield place, end.value
            except Exception as error:  # noqa: BLE001  whatever a seat's method or learner raises is its own
                yield place, error
        if until:
            stack.train(until)
        ready = [place for place, step in until.items() if stack.has_arrived(place, step)]


def _end_of(course: Generator[int, None, Result]) -> Result:
    """What comes out of a course that is run alone."""
    while True:
        try:
            next(course)
        except StopIteration as end:
            result: Result = end.value
            return result


def course(unit: Unit, inputs: MethodInputs, report: Report | None = None) -> Generator[int, None, Result]:
    """One training of the protocol; see `train` for what it yields."""
    start = choose(inputs)
    if start.learner is None and start.dynamics is None:
        check_count(inputs, start.mask)
    learner = start.learner or inputs.learner
    if report:
        report(start.state.step, {})  # its first evaluation may be minutes away
    trained = yield from train(learner, start, unit, report)
    if "twin" in inputs.parents and trained.diverged is None:
        trained.interpolation = between(learner, inputs.parents["twin"].state("final"), unit.task.split)
    return measure(inputs, learner, trained)


def train(learner: Learner, start: Start, unit: Unit, report: Report | None = None) -> Generator[int, None, Trained]:
    """Train the subnetwork from its start, evaluating on the way; nothing is chosen by what is seen.

    The states that children need are kept: dense keeps its weights at the rewind step, before any mask exists.

    Yields:
        Of a seat, the step that it is to be trained to next, which its stack may do meanwhile together with others.
    """
    task = unit.task
    learner.load(start.state)
    trained = Trained(mask=start.mask)
    env_steps = learner.env_steps if isinstance(learner, CountsEnvSteps) else None
    if unit.method.name == DENSE:
        trained.states["initial"] = trained.states["rewind"] = learner.snapshot()
    with Attached(learner, start.mask) as attached:
        if start.dynamics:
            start.dynamics.bind(attached, learner)
        try:
            for step in segments(task, start, unit):
                if isinstance(learner, Seat):
                    yield step  # its stack trains it there, with the others
                learner.train(step)
                if unit.method.name == DENSE and step == task.rewind_step:
                    trained.states["rewind"] = learner.snapshot()
                if step % task.evaluate_every == 0 or step == start.until:
                    go_on_curve(trained, learner, task, report)
            attached.check()
        except Diverged as error:
            trained.diverged = str(error)
        trained.mask = {name: mask.cpu() for name, mask in attached.mask.items()}
    trained.states["final"] = learner.snapshot()
    trained.steps = learner.step - start.state.step
    trained.updates = learner.updates - start.state.updates
    if isinstance(learner, CountsEnvSteps) and env_steps is not None:
        trained.env_steps = learner.env_steps - env_steps
    if trained.diverged is None:
        look_closer(learner, trained)
    return trained


def go_on_curve(trained: Trained, learner: Learner, task: Task, report: Report | None) -> None:
    """Evaluate, unless training has passed over several points at once and the last was here."""
    if trained.curve and trained.curve[-1]["step"] == learner.step:
        return
    trained.curve.append(evaluate(learner, task))
    if report:
        report(learner.step, trained.curve[-1]["metrics"][task.split])


def look_closer(learner: Learner, trained: Trained) -> None:
    """What the last evaluation was made of, and what it left out, where the learner offers to say."""
    if isinstance(learner, KeepsItems):
        trained.items = learner.scored_items()
    if isinstance(learner, KeepsNodes):
        trained.nodes = learner.node_layers(trained.mask)
    if isinstance(learner, MeasuresFit):
        trained.fit = {name: value for name, value in learner.fit().items() if abs(value) <= LARGEST}
    if isinstance(learner, ExplainsAbsence):
        trained.absent = dict(learner.absent())


def segments(task: Task, start: Start, unit: Unit) -> Iterator[int]:
    """The steps at which training stops to be looked at, in order; the last is the end, be it where it starts."""
    stops = {*range(0, start.until, task.evaluate_every), start.until}
    if unit.method.name == DENSE:
        stops.add(task.rewind_step)
    return iter(sorted(step for step in stops if step > start.state.step) or [start.until])


def evaluate(learner: Learner, task: Task) -> CurvePoint:
    """One point of the curve: every split of the task, at the present step.

    Raises:
        Diverged: if a metric is not finite, or larger than any record may hold.
    """
    metrics = {split: learner.evaluate(split) for split in task.splits}
    for split, values in metrics.items():
        for name, value in values.items():
            if not abs(value) <= LARGEST:  # NaN is not either; what no record may hold is as good as infinite
                raise Diverged(learner.step, f"{name} on {split}")
    return {"step": learner.step, "updates": learner.updates, "metrics": metrics}


def check_count(inputs: MethodInputs, mask: Mask) -> None:
    """Every method keeps exactly as many weights as its level leaves, and all that the task exempts.

    Raises:
        WrongCount: if it keeps another number, or prunes what stands in no count.
    """
    besides = {name: kept | inputs.entries[name] if name in inputs.entries else kept for name, kept in mask.items()}
    if wrong := [name for name, kept in besides.items() if not bool(kept.all())]:
        raise WrongCount(
            f"the mask of method {inputs.unit.method.name!r} prunes entries of {', '.join(wrong)} that the task exempts: "
            "leave them True"
        )
    kept = sum(masks.kept(mask, inputs.entries).values())
    if kept != inputs.count:
        raise WrongCount(
            f"{inputs.unit.label} kept {kept} weights, level {inputs.unit.level} leaves {inputs.count}: "
            "the method's mask has the wrong count"
        )


def measure(inputs: MethodInputs, learner: Learner, trained: Trained) -> Result:
    """What is left of the network, in every denomination.

    Args:
        inputs: of the unit; its learner is the task's own network, to which densities refer.
        learner: the network that was trained.
        trained: what became of it.
    """
    task, whole, mask = inputs.task, inputs.learner, trained.mask
    entries = masks.prunable(learner, task.pruning)
    counts = accounting.counts(learner, mask, entries, task, level_asks=inputs.count)
    if learner is whole and trained.diverged is None:
        check_count(inputs, mask)
    nulls = dict(trained.absent)
    effective = flops = flops_dense = None
    if isinstance(learner, ForwardsOnes):
        try:
            effective = accounting.effective_kept(learner, mask, entries)
        except Unsupported as error:
            nulls["effective_density"] = str(error)
        try:
            flops, flops_dense = accounting.flops(learner, mask), accounting.flops(whole, {})
        except Unsupported as error:
            nulls |= dict.fromkeys(("flops", "flops_ratio"), str(error))
    else:
        nulls |= dict.fromkeys(("effective_density", "flops", "flops_ratio"), "the learner does not forward ones")
    ticket = inputs.parents.get("ticket")
    size = accounting.counts(whole, {}, inputs.entries, task, level_asks=inputs.count)
    return Result(
        trained=trained,
        counts=counts,
        density=counts["kept"] / size["prunable"],
        density_weights=counts["kept_weights"] / size["weights"],
        density_total=counts["kept_all"] / size["all"],
        effective_density=None if effective is None else effective / size["prunable"],
        flops=flops,
        flops_dense=flops_dense,
        overlap=masks.overlap(mask, ticket.mask, entries) if ticket else None,
        nulls=nulls,
    )
