"""What the verbs of the command line do. Torch is imported by workers only, matplotlib by `plot` only."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

from rich.console import Console

from bench import registry, suitefile
from bench.errors import StoreError, UnknownName
from bench.record import Record
from bench.runs import overview
from bench.runs.attempt import read_record
from bench.runs.clean import clean as remove_states
from bench.runs.drive import drive
from bench.runs.frontier import Frontier
from bench.runs.job import WORK
from bench.runs.launch.local import LocalLauncher, usable_cores
from bench.runs.pace import Pace
from bench.runs.plan import Plan
from bench.runs.plan import plan as make_plan
from bench.runs.progress import watch
from bench.runs.selection import Selection
from bench.runs.store import Store, curve
from bench.runs.verify import verify as findings_of

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The suite and the part of it that was asked for, as typed."""

    suite: str | None
    tasks: str | None = None
    methods: str | None = None
    levels: str | None = None
    seeds: str | None = None
    scale: str | None = None

    @property
    def selection(self) -> Selection:
        """The part."""
        return Selection(
            tasks=_names(self.tasks),
            methods=_names(self.methods),
            levels=suitefile.numbers(self.levels) if self.levels else None,
            seeds=suitefile.numbers(self.seeds) if self.seeds else None,
            scale=self.scale,
        )

    @property
    def words(self) -> str:
        """The suite and the options, to be typed again."""
        given = {name: value for name, value in asdict(self).items() if name != "suite" and value}
        return shlex.join([str(self.suite), *(word for name, value in given.items() for word in (f"--{name}", value))])

    def plan(self) -> Plan:
        """The units that are asked for."""
        assert self.suite is not None
        return make_plan(self.selection.of_suite(suitefile.load(self.suite)))

    def records(self, store: Store) -> list[Record]:
        """The finished units that are asked for."""
        if not self.suite:
            return self.selection.of_records(store.records())
        return [record for unit in self.plan().units.values() if (record := store.record(unit))]

    def among(self, records: list[Record]) -> list[Record]:
        """Those of the methods that are asked for; a suite may name some that have not finished yet."""
        if not self.suite:
            return self.selection.of_records(records)
        self.selection.of_suite(suitefile.load(self.suite))  # refuses what is not in it
        wanted = _names(self.methods)
        return [record for record in records if wanted is None or record["spec"]["method"]["name"] in wanted]

    def listed(self, store: Store) -> list[Record]:
        """The same without the rounds of chains between the levels that the suite lists: nothing compares with them."""
        if not self.suite:
            return self.records(store)
        plan = self.plan()
        units = (unit for unit in plan.units.values() if plan.lists(unit))
        return [record for unit in units if (record := store.record(unit))]


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",")) if text else None


def run(asked: Asked, root: Path, *, workers: int | None, threads: int, device: str, work: str = WORK) -> int:
    """Train what is left of a suite; the exit code says whether all of it is done."""
    plan, store = asked.plan(), Store(root)
    store.prepare()
    workers = workers or usable_cores()
    try:
        with watch(Console(), store, Pace(store.records()), workers=workers) as board:
            launcher = LocalLauncher(root, workers=workers, threads=threads, progress=board.step)
            try:
                frontier = drive(plan, store, launcher, watch=board, device=device, work=work)
            finally:
                launcher.close()
                store.sweep()
    except KeyboardInterrupt:
        _say(f"stopped: {_done(Frontier(plan, store))}; the same command goes on from there")
        return INTERRUPTED
    _say(_render(asked.listed(store), "md"))
    _say(f"{_done(frontier)}, kept in {root}", *overview.reasons(frontier), *_next(asked, root, frontier))
    return 1 if frontier.failed else 0


def _done(frontier: Frontier) -> str:
    diverged = sum(status == "diverged" for status in frontier.finished.values())
    parts = {"diverged": diverged, "failed": len(frontier.failed), "blocked": len(frontier.blocked)}
    rest = "".join(f", {count} {what}" for what, count in parts.items() if count)
    return f"{len(frontier.finished)} of {len(frontier.plan.units)} units done{rest}"


def _next(asked: Asked, root: Path, frontier: Frontier) -> list[str]:
    end = f"{asked.words} --store {root}"
    again = [f"try again: ticketbench run {end}"] if frontier.failed else []
    return [*again, f"next: ticketbench table {end} --format csv", f"      ticketbench plot {end}"]


def plan(asked: Asked, root: Path, *, workers: int | None) -> None:
    """Show what a run would do."""
    store = Store(root)
    _say(overview.planned(asked.plan(), store, Pace(store.records()), workers=workers or usable_cores()))


def status(asked: Asked, root: Path) -> None:
    """Show how far a suite is."""
    _say(overview.status(asked.plan(), Store(root)))


def clean(suite: str | None, root: Path) -> None:
    """Remove states that nothing is left to start from."""
    freed = remove_states(_existing(root), Asked(suite=suite).plan() if suite else None)
    _say(f"removed {freed.files} files, {freed.bytes / 1e6:,.1f} MB; records, curves and masks stay")


def table(asked: Asked, root: Path, *, style: str | None, output: Path | None) -> None:
    """Print or write the table."""
    style = style or (output.suffix.removeprefix(".") if output else "") or "md"
    records = replace(asked, methods=None).listed(_existing(root))  # a row needs those of its opponents too
    _some(asked.among(records), asked, root)
    text = _render(records, style, methods=_names(asked.methods))
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}; name another --output") from error


def _render(records: list[Record], style: str, *, methods: tuple[str, ...] | None = None) -> str:
    from bench.report.render import Style, render  # noqa: PLC0415  only tables need scipy

    known: tuple[Style, ...] = get_args(Style)
    chosen = next((each for each in known if each == style), None)
    if chosen is None:
        raise UnknownName("format", style, known)
    return render(records, chosen, methods=methods)


def plot(asked: Asked, root: Path, *, folder: Path) -> None:
    """Draw the figures."""
    from bench.report.plots import plot as draw  # noqa: PLC0415  a table must not wait for matplotlib

    stem = Path(asked.suite).stem if asked.suite else "records"
    _say(*map(str, draw(_some(asked.records(_existing(root)), asked, root), folder, stem=stem)))


def publish(asked: Asked, root: Path, *, folder: Path) -> None:
    """Write what others read."""
    from bench.report.publish import publish as write  # noqa: PLC0415  it draws, with matplotlib

    assert asked.suite is not None
    records = _some(asked.records(_existing(root)), asked, root)
    _say(*map(str, write(records, folder, name=Path(asked.suite).stem)))


def _some(records: list[Record], asked: Asked, root: Path) -> list[Record]:
    if not records:
        what = f"of suite {asked.suite} " if asked.suite else ""
        raise StoreError(f"no finished unit {what}in {root}: run a suite, or name another --store")
    return records


def _existing(root: Path) -> Store:
    if not root.exists():
        raise StoreError(f"no store {root}: run a suite first, or name another --store")
    return Store(root)


def tasks() -> None:
    """List the tasks."""
    head = ("task", "scale", "budget", "unit", "metric", "prunes", "source")
    rows = [
        (task.name, task.scale, task.budget, task.unit, task.metric, f"{task.pruning.rate:.0%} a level", task.source)
        for task in registry.tasks().values()
    ]
    _say(overview.columns([head, *rows]))


def methods() -> None:
    """List the methods."""
    rows = [(each.name, each.mask, each.weights, each.training, each.about) for each in registry.methods().values()]
    _say(overview.columns([("method", "mask", "weights", "training", "about"), *rows]))


def show(text: str, root: Path) -> None:
    """Print one record."""
    from bench.report.show import show as describe  # noqa: PLC0415  only this verb needs it

    folder = _existing(root).find(text)
    record = read_record(folder)
    assert record is not None
    _say(describe(record, curve(folder)).rstrip())


def verify(root: Path) -> int:
    """Print what is wrong in a store; the exit code says whether anything is."""
    store = _existing(root)
    found = findings_of(store)
    units = sum(1 for _ in store.folders())
    _say(*found, f"{root}: {units} units, {len(found) or 'no'} finding{'s' * (len(found) != 1)}")
    return 1 if found else 0


def _say(*lines: str) -> None:
    print(*lines, sep="\n")  # noqa: T201  the command line prints
