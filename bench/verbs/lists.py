"""The verbs that list what is installed."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench import registry, suitefile
from bench.errors import SpecError, UnknownName
from bench.report.escaping import plain
from bench.runs import overview
from bench.runs.planning.plan import refusal
from bench.spec import SCALES, Pruning, Suite, Task
from bench.verbs.arguments.request import command_line, hint, say

WIDEST = 100
"""Characters of a line on a terminal, at most."""


def tasks(pattern: str | None, *, domain: str | None, scale: str | None) -> None:
    """List the tasks, a line each; or tell everything about the one that is named."""
    if pattern and scale is None and pattern in registry.tasks():  # as tables and options write it
        pattern, _, scale = pattern.partition("@")
    if scale is not None and scale not in SCALES:
        raise UnknownName("scale", scale, SCALES)
    if domain is not None:
        registry.domain(domain)
    named: dict[str, list[Task]] = {}
    for task in registry.tasks().values():
        if domain in (None, task.domain) and scale in (None, task.scale):
            named.setdefault(task.name, []).append(task)
    for scales in named.values():
        scales.sort(key=lambda task: SCALES.index(task.scale))
    if pattern in named:
        say(*_details(named[pattern]))
        return
    chosen = {name: scales for name, scales in named.items() if not pattern or pattern in name}
    if not chosen:
        if named and pattern:
            raise UnknownName("task", pattern, named, hint=registry.unlisted(pattern))
        raise SpecError(f"no task of domain {domain} has scale {scale}: leave one of them out")
    say_rows([("task", "scales", "budget", "metric"), *(_row(name, scales) for name, scales in chosen.items())])
    hint(f"all of one: {command_line('tasks', next(iter(chosen)))}")


def _row(name: str, scales: Sequence[Task]) -> tuple[str, ...]:
    """The budget is that of the largest scale."""
    return name, " ".join(task.scale for task in scales), _budget(scales[-1]), scales[-1].metric


def _budget(task: Task) -> str:
    return f"{task.budget:,} {task.unit.replace('_', ' ')}"


def _details(scales: Sequence[Task]) -> list[str]:
    """Everything a user asks of a task before running it."""
    task = scales[-1]
    facts: dict[str, Iterable[str]] = {
        "source": [task.source or "none is named"],
        "score": [
            f"{task.metric}, {'more' if task.direction == 'max' else 'less'} is better, on {task.split}, {task.at[0]}",
            f"{task.chance:g} at chance; matching dense: no worse by more than {task.tolerance:g}",
        ],
        "pruning": [_pruning(task.pruning)],
        "scales": [
            f"{each.scale:5}  {_budget(each)}, rewind step {each.rewind_step:,}, evaluated every "
            f"{each.evaluate_every:,}, version {each.version}"
            for each in scales
        ],
        "methods": _methods(task),
        "deviations": _by_scale({each.scale: each.deviations for each in scales}),
    }
    return [task.name, *(line for name, texts in facts.items() for line in block(name, texts))]


def _pruning(pruning: Pruning) -> str:
    where = {"layer": "layer by layer", "global": "ranked over the whole network"}[pruning.scope]
    rates = "".join(f"; {pattern}: {rate:.0%}" for pattern, rate in pruning.rates.items())
    exempt = f"; never: {', '.join(pruning.exempt)}" if pruning.exempt else ""
    return f"{pruning.rate:.0%} of what is left at each level, {where}{rates}{exempt}"


def _methods(task: Task) -> list[str]:
    """How many there are, and those that it refuses, by reason."""
    reasons: dict[str, list[str]] = {}
    known = registry.methods()
    for name, method in known.items():
        if reason := refusal(task, method):
            reasons.setdefault(reason, []).append(name)
    refused = sum(map(len, reasons.values()))
    return [
        f"{len(known) - refused} of the {len(known)} that `ticketbench methods` lists",
        *(f"not {', '.join(names)}: {reason}" for reason, names in reasons.items()),
    ]


def _by_scale(texts: Mapping[str, Iterable[str]]) -> list[str]:
    """Each text once: those of all scales, then the others behind the scales that they are of."""
    scales: dict[str, list[str]] = {}
    for scale, told in texts.items():
        for text in told:
            scales.setdefault(text, []).append(scale)
    of_all = [text for text, of in scales.items() if len(of) == len(texts)]
    return of_all + [f"{', '.join(of)}: {text}" for text, of in scales.items() if text not in of_all]


def block(name: str, texts: Iterable[str]) -> list[str]:
    """The texts behind their name, on a terminal folded to its width."""
    heads = [f"  {name:10}  ", " " * 14]
    lines: list[str] = []
    for text in texts:
        head = heads[bool(lines)]
        folded = textwrap.wrap(plain(text), width() - len(head) - 2) if sys.stdout.isatty() else [plain(text)]
        lines += [f"{head}{folded[0]}", *(f"{heads[1]}  {line}" for line in folded[1:])]
    return lines


def suites() -> None:
    """List the suites that come with Ticket Bench."""
    known = map(suitefile.load_suite, suitefile.names())
    say_rows([("suite", "tasks", "title"), *(_suite_row(suite) for suite in known)])
    hint(f"what a run of one would do: {command_line('plan', 'first')}")


def _suite_row(suite: Suite) -> tuple[str, ...]:
    return suite.name, str(len({entry.task.key for entry in suite.entries})), suite.title


def methods() -> None:
    """List the methods."""
    arms = {
        **registry.methods(),
        **{f"{name}{registry.SOURCE}TASK": each for name, each in registry.templates().items()},
    }
    rows = [(name, each.mask, each.weights, each.training, each.about) for name, each in arms.items()]
    say_rows([("method", "mask", "weights", "training", "about"), *rows])


def say_rows(rows: Sequence[Sequence[str]]) -> None:
    """Rows below their header: on a terminal within its width, wide columns folded; else each a plain line."""
    if not sys.stdout.isatty():
        say(overview.in_columns(rows))
        return
    head, *rest = rows
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(Text(name), overflow="fold")
    for row in rest:
        table.add_row(*(Text(plain(cell)) for cell in row))
    Console().print(table, width=width())


def width() -> int:
    """Of the terminal, up to `WIDEST`."""
    return min(shutil.get_terminal_size().columns, WIDEST)
