"""How a run is going: a live table in a terminal, a bar in a notebook, plain lines anywhere else."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.runs.estimates.pace import Left, Pace, duration, steps_of
from bench.runs.job import Outcome
from bench.runs.planning.frontier import Frontier
from bench.spec import Unit
from bench.store.claims import Holder
from bench.store.store import Store

OFTEN = 4
"""Live table: refreshes a second."""
BELOW = 4
"""Live table: lines of the terminal that are no running unit's; many sit in stacks."""
SHOWN = 4
"""Running units that are named below the bar in a notebook, or in a plain line on how it stands."""
RARELY = 5.0
"""Plain lines: at most one in so many seconds, but for failures."""
SILENCE = 60.0
"""Plain lines: seconds without any after which one says how it stands."""


class Lines:
    """One plain line per finished unit, at a pace that a log bears; the base of the live table.

    Args:
        console: where to print.
        store: where the records are.
        pace: from earlier records; learns from the new ones.
        workers: how many units run at once, now.
    """

    def __init__(self, console: Console, store: Store, pace: Pace, *, workers: Callable[[], int]) -> None:
        """Know nothing yet."""
        self.console, self._store, self._pace, self._workers = console, store, pace, workers
        self._left, self._todo, self._recounted = Left(), 0, float("-inf")
        self._done = self._total = self._failed = 0
        self._begun: dict[str, tuple[Unit, int | None, float]] = {}
        self._from: dict[str, int] = {}
        self._at: dict[str, tuple[int, Mapping[str, float]]] = {}
        self._printed, self._spoke = 0.0, time.monotonic()
        self._waited_for: set[str | None] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, unit_id: str, step: int, metrics: Mapping[str, float]) -> None:
        """A running unit begins, without metrics, or was evaluated. Called from several threads."""
        if not metrics:
            self._from[unit_id] = step
        self._at[unit_id] = (step, metrics)

    def started(self, unit: Unit, seats: int | None) -> None:
        """The unit was handed to a worker, in a stack of so many if it sits in one."""
        self._begun[unit.id] = (unit, seats, time.monotonic())

    def stands(self, frontier: Frontier) -> None:
        """This is done, and this is left."""
        units, self._todo = frontier.units, len(frontier.todo)
        self._total, self._done, self._failed = len(units), len(frontier.finished), len(frontier.failed)
        # more than the one that `ended` is about to take away: others finished some, or a failure blocked them
        expected = 1 if self._left else 0
        if abs(len(self._left) - self._todo) > expected and time.monotonic() - self._recounted > RARELY:
            self._left, self._recounted = Left(units[unit_id] for unit_id in frontier.todo), time.monotonic()
        if self._todo and time.monotonic() - self._spoke > SILENCE:
            self._say_how_it_stands()

    def ended(self, unit: Unit, outcome: Outcome) -> None:
        """The unit came back: say what came out."""
        if len(self._left) > self._todo:
            self._left.remove(unit)
        _, seats, begun = self._begun.pop(unit.id)
        _, metrics = self._at.pop(unit.id, (0, {}))
        self._from.pop(unit.id, None)
        record = self._store.record(unit) if outcome.status == "ok" else None
        if record:
            self._pace.add(record)
        score = _score(unit, metrics) if outcome.status == "ok" else f"{outcome.status}: {outcome.reason}"
        self._say(
            f"{self._counted()}  {unit.label}  {score}  {time.monotonic() - begun:.1f} s{_company(seats)}", outcome
        )
        if outcome.commit == "conflict":
            self._print(
                f"warning: {unit.label} was in the store with another result, which stays: see conflicts/ there",
                style="yellow",
            )

    def waits(self, holders: Collection[Holder]) -> None:
        """Nothing can run here until these have ended: say so, as often as it changes who they are."""
        told = {holder.owner["host"] if holder.owner else None for holder in holders}
        if told != self._waited_for:
            self._waited_for = told
            self._print(*waiting(holders))

    def tell(self, line: str) -> None:
        """Something happened to the machines. Called from any thread."""
        self._print(line)

    def _say(self, line: str, outcome: Outcome) -> None:
        now = time.monotonic()
        if outcome.status == "ok" and self._todo and now - self._printed < RARELY:
            return
        self._printed = now
        self._print(f"{line}  {self._eta()}".rstrip())

    def _say_how_it_stands(self) -> None:
        running = [f"{label} {at}" for label, at, *_ in self._running()]
        more = [f"{len(running) - SHOWN} more"] if running[SHOWN:] else []
        self._print(f"{self._summary()}{': ' * bool(running)}{', '.join([*running[:SHOWN], *more])}")

    def _print(self, *lines: str, style: str = "") -> None:
        self._spoke = time.monotonic()
        self.console.print(*lines, sep="\n", style=style, markup=False, highlight=False, soft_wrap=True)

    def _running(self) -> Iterator[tuple[str, str, str, str]]:
        """Of each running unit what it is, how far it is, its score and its time."""
        for unit, seats, begun in list(self._begun.values()):
            step, metrics = self._at.get(unit.id, (None, {}))
            at = "starting" if step is None else f"{step}/{max(step, unit.task.budget)} {unit.task.unit}"
            yield unit.label, at, _score(unit, metrics), f"{time.monotonic() - begun:.0f} s{_company(seats)}"

    def _summary(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        at_work = f"{len(self._begun)} running, {self._todo - len(self._begun)} waiting"
        return f"{self._counted()} done, {at_work}{failed}  {self._eta()}".rstrip()

    def _counted(self) -> str:
        return f"[{self._done}/{self._total}]"

    def _eta(self) -> str:
        if not self._todo:
            return ""
        left = self._left.less(self._trained())
        return f"({duration(self._pace.remaining(left, workers=self._workers() or 1))} left)"

    def _trained(self) -> Iterator[tuple[Unit, float]]:
        """Of each running unit the share of its training that is done."""
        for unit, *_ in list(self._begun.values()):
            begun, (step, _) = self._from.get(unit.id), self._at.get(unit.id, (0, {}))
            if begun is not None:
                yield unit, min(max(0, step - begun) / max(1, steps_of(unit)), 1.0)


class LiveTable(Lines):
    """The units that are running, redrawn in place, and what comes out above it."""

    def __init__(self, console: Console, store: Store, pace: Pace, *, workers: Callable[[], int]) -> None:
        """Draw nothing yet."""
        super().__init__(console, store, pace, workers=workers)
        self._live = Live(self, console=console, refresh_per_second=OFTEN, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _say(self, line: str, outcome: Outcome) -> None:
        self._print(line, style="" if outcome.status == "ok" else "red")

    def _say_how_it_stands(self) -> None:
        """The table says it all the time."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=None, pad_edge=False, show_header=False)
        running = list(self._running())
        room = max(1, console.height - BELOW)
        for row in running[:room]:
            table.add_row(*row)
        yield table
        if running[room:]:
            yield Text(f"and {len(running) - room} more")
        yield Text(self._summary())


class NotebookBar(Lines):
    """A bar that is redrawn in place, whenever the drive looks up; it needs no widgets, and stays when all is done."""

    _shown: Any = None

    def __enter__(self) -> Self:
        from IPython.display import display  # noqa: PLC0415  there is one in a notebook

        self._shown = display(self, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._begun.clear()
        self._shown.update(self)

    def stands(self, frontier: Frontier) -> None:
        """This is done, and this is left."""
        super().stands(frontier)
        self._shown.update(self)

    def _say(self, line: str, outcome: Outcome) -> None:
        if outcome.status != "ok":
            self._print(line)

    def _say_how_it_stands(self) -> None:
        """The bar says it all the time."""

    def __repr__(self) -> str:
        return self._summary()

    def _repr_html_(self) -> str:
        running = ("  ".join(row) for row, _ in zip(self._running(), range(SHOWN), strict=False))
        below = "".join(f"<br><small>{html.escape(line)}</small>" for line in running)
        bar = f'<progress value="{self._done}" max="{self._total}"></progress>'
        return f"{bar} {html.escape(self._summary())}{below}"


class Nothing(Lines):
    """Not a word; what failed stands below the table in the end."""

    def _print(self, *lines: str, style: str = "") -> None:
        """Nothing is said."""


STYLES = ("plain", "live", "none")
"""What may be asked for."""


def watch(console: Console, store: Store, pace: Pace, *, workers: Callable[[], int], style: str | None = None) -> Lines:
    """A live table, plain lines or nothing, as `STYLES` calls them; None: what suits the place.

    That is a bar in a notebook, a table in a terminal, lines in a file or pipe.
    """
    if style is None and console.is_jupyter:
        return NotebookBar(console, store, pace, workers=workers)
    kinds = dict(zip(STYLES, (Lines, LiveTable, Nothing), strict=True))
    chosen = style or ("live" if console.is_terminal else "plain")
    return kinds[chosen](console, store, pace, workers=workers)


def waiting(holders: Collection[Holder]) -> list[str]:
    """For whom a run waits, and since when they are at it, in a line for each process."""
    groups: dict[tuple[str, int], list[Holder]] = {}
    for holder in holders:
        owner = holder.owner
        groups.setdefault((owner["host"], owner["pid"]) if owner else ("an unnamed process", 0), []).append(holder)
    return [_waiting(host, pid, group) for (host, pid), group in sorted(groups.items())]


def _waiting(host: str, pid: int, group: list[Holder]) -> str:
    since = min((holder.owner["since"] for holder in group if holder.owner), default=None)
    begun = f", since {datetime.fromtimestamp(since).astimezone():%H:%M:%S}" if since else ""
    count = f"{len(group)} unit{'s' * (len(group) > 1)}"
    silent = min(holder.silent for holder in group)
    return f"waiting for {count} that process {pid} on {host} trains{begun}; its last sign of life: {silent:.0f} s ago"


def _company(seats: int | None) -> str:
    return f" in a stack of {seats}" if seats else ""


def _score(unit: Unit, metrics: Mapping[str, float]) -> str:
    value = metrics.get(unit.task.metric)
    return "" if value is None else f"{unit.task.metric} {value:.4g}"
