"""The verbs that train, and those that tell how far it is."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from bench import registry
from bench.errors import DataError, StoreError
from bench.report.escaping import plain
from bench.runs import overview
from bench.runs.clean import clean as remove_states
from bench.runs.drive import drive
from bench.runs.estimates.pace import Pace, sample
from bench.runs.estimates.timing import TRIAL, Tried, timings
from bench.runs.job import WORKS, Works
from bench.runs.planning.frontier import Frontier
from bench.runs.planning.plan import Plan
from bench.runs.planning.stacking import Stacking
from bench.runs.progress import watch
from bench.stopping import Stopped, undisturbed
from bench.store.store import Store
from bench.verbs.activity import activity, say_aside
from bench.verbs.arguments.execution import Execution
from bench.verbs.arguments.options import FIGURES
from bench.verbs.arguments.request import Request, existing, say, ways, writing
from bench.verbs.reports import display, draw, sum_up, tell_conflicts


def run(asked: Request, root: Path, execution: Execution, *, works: Works = WORKS, trial: str = TRIAL) -> int:
    """Train what is left of a suite; the exit code says whether all of it is done."""
    plan, store = asked.plan(), Store(root)
    if execution.launcher == "slurm":
        execution.submit(["run", *asked.typed], root, name=plan.suite.name)
        return 0
    execution.check()
    if execution.launcher == "local":
        _refuse_missing(plan, store)
    frontier = train(plan, store, execution, works=works, trial=trial)
    if frontier.failed:
        display(asked.listed(store))
    else:
        sum_up(asked.listed(store))
    tell_conflicts(store)
    say("", f"{_done(frontier)}, kept in {root}", *overview.reasons(frontier, store.failures()))
    drawn = [] if frontier.failed else _drawn(asked, store)  # last: figures of nodes take a while
    figures = [f"figure: {path}" for path in drawn if path.suffix == ".svg"]
    verbs = ("run", "table", "plot") if frontier.failed else ("table", "plot")
    say(*figures, *ways([asked.command(verb, root) for verb in verbs]))
    return 1 if frontier.failed else 0


def _drawn(asked: Request, store: Store) -> list[Path]:
    """The figures of what is trained; where there is no place for them, a line that says so, and none."""
    try:
        return draw(asked, store, FIGURES)
    except StoreError as error:
        sys.stderr.write(f"warning: no figures: {plain(str(error))}\n")
        return []


def _refuse_missing(plan: Plan, store: Store) -> None:
    """Refuse to begin where an extra is not installed: half a suite is worth less than a line on how to have all of it."""
    frontier = Frontier(plan, store)
    tasks = {frontier.units[unit_id].task.name: frontier.units[unit_id].task for unit_id in frontier.todo}
    reasons = {name: reason for name, task in tasks.items() if (reason := registry.missing(task))}
    if not reasons:
        return
    rest = dict.fromkeys(entry.task.name for entry in plan.suite.entries if entry.task.name not in reasons)
    way = f"; or leave them out: --tasks {','.join(rest)}" if rest else ""
    raise DataError(f"{'; '.join(reasons.values())}{way}")


def train(plan: Plan, store: Store, execution: Execution, *, works: Works = WORKS, trial: str = TRIAL) -> Frontier:
    """Train what is left of a plan, and show how far it is.

    Raises:
        LaunchError: if there is nothing to train on, or stacks are asked for where there are none.
        Stopped: if it was asked to end; no worker is left then.
    """
    stacking = execution.stacking(plan)
    store.prepare()
    # whatever FORCE_COLOR says: a file takes no moving table
    console = Console(force_terminal=sys.stdout.isatty() or execution.progress == "live")
    pace = measured(plan, store, execution, stacking, trial=trial)
    is_told = execution.launcher == "local" and execution.progress != "none"
    if is_told and (left := overview.forecast(Frontier(plan, store), pace, workers=execution.team)):
        say(left, "")
    try:
        with watch(console, store, pace, workers=lambda: launcher.workers, style=execution.progress) as board:
            if execution.limits:
                board.tell(str(execution.limits))
            launcher = execution.launch(store.root, progress=board.step, tell=board.tell)
            try:
                return drive(
                    plan, store, launcher, watch=board, device=execution.device, stacking=stacking, works=works
                )
            finally:
                with undisturbed():
                    launcher.close()
    except KeyboardInterrupt as error:
        done = _done(Frontier(plan, store))
        raise Stopped.after(error, f"stopped: {done}; the same command goes on from there") from None


def measured(plan: Plan, store: Store, execution: Execution, stacking: Stacking, *, trial: str = TRIAL) -> Pace:
    """How long units take, by records, or else by a trial on this machine if they are to be trained on it."""
    units = plan.units.values()
    tasks = {(unit.task.key, stacking.stacks(unit)): unit.task for unit in units}
    company = stacking.company(units, workers=execution.team)
    pace = Pace(sample(plan, store), stacks=stacking.stacks, company=company)
    unknown = [
        Tried(task, company[key] if stack else None)
        for (key, stack), task in tasks.items()
        if not pace.knows(key, stack=stack)
    ]
    if not unknown or execution.launcher != "local" or execution.progress == "none":
        return pace
    with activity() as tell:
        pace.timings = timings(
            unknown,
            device=execution.device,
            threads=execution.threads,
            trial=trial,
            trying=tell,
            failed=say_aside,
        )
    return pace


def _done(frontier: Frontier) -> str:
    diverged = sum(status == "diverged" for status in frontier.finished.values())
    parts = {"diverged": diverged, "failed": len(frontier.failed), "blocked": len(frontier.blocked)}
    rest = "".join(f", {count} {what}" for what, count in parts.items() if count)
    return f"{len(frontier.finished)} of {len(frontier.units)} units done{rest}"


def plan(asked: Request, root: Path, execution: Execution, *, trial: str = TRIAL) -> None:
    """Show what a run would do."""
    say(overviewed(asked.plan(), Store(root), execution, trial=trial))


def overviewed(made: Plan, store: Store, execution: Execution, *, trial: str = TRIAL) -> str:
    """What a run of a plan would do."""
    stacking = execution.stacking(made)
    pace = measured(made, store, execution, stacking, trial=trial)
    return overview.planned(made, store, pace, stacking, workers=execution.team)


def status(asked: Request, root: Path) -> None:
    """Show how far a suite is."""
    store = Store(root)
    say(overview.status(asked.plan(), store))
    if store.is_empty:
        say("", f"{root} holds no unit yet: run the suite, or name another --store")


def clean(suite: str | None, root: Path) -> int:
    """Remove states that nothing is left to start from; the exit code says whether any were kept as evidence."""
    store, asked = existing(root), Request(suite=suite)
    if suite is not None and not asked.records(store):
        raise StoreError(
            f"no finished unit of suite {suite} in {root} at the suite's own scale: "
            "leave the suite out to clean whatever is there, or name another --store"
        )
    with writing(root, "--store"):
        done = remove_states(store, asked.plan() if suite is not None else None)
    for line in done.kept:
        say(f"left alone: {line}")
    rest = "records, curves and masks stay"
    if suite is None:
        rest += (
            "; so do weights of dense and of the last levels: only a suite tells whether a unit still starts from them"
        )
    say(f"removed {done.files} files, {done.bytes / 1e6:,.1f} MB; {rest}")
    return 1 if done.kept else 0
