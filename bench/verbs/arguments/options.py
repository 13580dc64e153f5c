"""What the verbs take, as typer reads it; what several of them take together is a group. Imported by `--help`, so light."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.verbs.arguments import completion
from bench.verbs.arguments.completion import one, several

_SUITE, _SCALE, _CLAIM = one(completion.suites), one(completion.scales), one(completion.claims)

SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE", help="first, quick, lth-mnist ..., or a TOML file.", autocompletion=_SUITE)
]
UnitOrSuite = Annotated[
    str,
    typer.Argument(
        metavar="UNIT|SUITE",
        help="The beginning of a unit's id, its folder; or a suite: its first seeds.",
        autocompletion=_SUITE,
    ),
]
AnySuite = Annotated[
    str | None, typer.Argument(metavar="[SUITE]", help="Only the units of this suite.", autocompletion=_SUITE)
]
Forecast = Annotated[
    str | None,
    typer.Argument(
        metavar="[SUITE]",
        help="first, quick, lth-mnist ..., or a TOML file; without it, list the suites.",
        autocompletion=_SUITE,
    ),
]
Planned = Annotated[
    str | None,
    typer.Argument(
        metavar="[SUITE]",
        help="Whose units count; without it, all that have a finished child.",
        autocompletion=_SUITE,
    ),
]
Republished = Annotated[
    str | None,
    typer.Argument(
        metavar="[SUITE]", help="Add this suite; without it, make all again from the records.", autocompletion=_SUITE
    ),
]
StorePath = Annotated[Path, typer.Option("--store", metavar="FOLDER", help="Where finished units are kept.")]
Tasks = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES", help="Only these tasks: vision/lenet-mnist,...", autocompletion=several(completion.tasks)
    ),
]
Methods = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES", help="Only these methods: ticket,reinit,...", autocompletion=several(completion.methods)
    ),
]
Levels = Annotated[str | None, typer.Option(metavar="NUMBERS", help="Only these levels: 2,5-8")]
Seeds = Annotated[str | None, typer.Option(metavar="NUMBERS", help="Only these seeds: 0-2")]
Scale = Annotated[
    str | None,
    typer.Option(metavar="SCALE", help="Another scale: smoke, quick, small or paper.", autocompletion=_SCALE),
]
OneScale = Annotated[
    str | None, typer.Option("--scale", metavar="SCALE", help="Only tasks of this scale.", autocompletion=_SCALE)
]
TaskPattern = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATTERN]",
        help="Only tasks with this in their name; of a whole name, everything.",
        autocompletion=one(completion.tasks),
    ),
]
DomainName = Annotated[
    str | None,
    typer.Option(
        "--domain", metavar="DOMAIN", help="Only tasks of this domain.", autocompletion=one(completion.domains)
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Units, or stacks of them, trained at once; all cores unless given.")
]
Threads = Annotated[int, typer.Option(min=1, help="Torch threads of each worker.")]
Device = Annotated[str, typer.Option(help="Where to train: cpu, cuda, ...")]
Stacked = Annotated[str, typer.Option("--stack", metavar="N", help="Units trained together: auto, off, or at most N.")]
UnitTimeout = Annotated[
    float | None,
    typer.Option(
        min=1, metavar="SECONDS", help="Give up a unit that takes longer; a stack gets as much for each unit."
    ),
]
UnitMemory = Annotated[str | None, typer.Option(metavar="SIZE", help="Give up a unit that holds more: 4G, 512M.")]
LauncherName = Annotated[str, typer.Option("--launcher", help="Who trains: local, ray or slurm.")]
Address = Annotated[str | None, typer.Option(metavar="WHERE", help="Ray: auto, local or HOST:PORT.")]
GpusPerUnit = Annotated[float | None, typer.Option(min=0.01, metavar="NUMBER", help="Ray: below 1, units share one.")]
Partition = Annotated[str | None, typer.Option(metavar="NAME", help="Slurm: where.")]
Nodes = Annotated[int | None, typer.Option(min=1, help="Slurm: how many.")]
Time = Annotated[str | None, typer.Option(metavar="TIME", help="Slurm: for how long, 4:00:00.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Slurm: print the script, submit nothing.")]
Progress = Annotated[str | None, typer.Option(help="plain, live or none; live in a terminal unless given.")]
Output = Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of printing.")]
Figures = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the figures go.")]
Curves = Annotated[Path, typer.Option("--tensorboard", metavar="FOLDER", help="Where event files go, a folder a unit.")]
Published = Annotated[Path, typer.Option(metavar="FOLDER", help="Where records/, tables/ and plots/ go.")]
SuiteAlias = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="What the suite is called there; else its own name.")
]
Replacing = Annotated[
    bool, typer.Option("--replace", help="What was published of the suite before makes place, records and figures.")
]
Submitter = Annotated[
    str | None, typer.Option("--from", metavar="WHO", help="Who made these records: a name, as the page shows it.")
]
Format = Annotated[
    str | None, typer.Option(help="md, csv, tex, html, json or rliable; else what --output ends in, else md.")
]
SpeedFormat = Annotated[
    str | None, typer.Option("--format", help="md, csv, json or jsonl; else what --output ends in, else md.")
]
Rounds = Annotated[int, typer.Option(min=3, help="How often everything is timed, in turn.")]
AnyClaim = Annotated[
    str | None,
    typer.Argument(metavar="[CLAIM]", help="A claim, or a paper: F1-4, 1803.03635.", autocompletion=_CLAIM),
]
ClaimName = Annotated[
    str, typer.Argument(metavar="CLAIM", help="A claim, or a paper: F1-4, 1803.03635.", autocompletion=_CLAIM)
]
ClaimScale = Annotated[
    str | None, typer.Option("--scale", metavar="SCALE", help="Show it at this scale.", autocompletion=_SCALE)
]
OnlyPlan = Annotated[bool, typer.Option("--plan", help="Show what it would train, and how long; train nothing.")]
Verdict = Annotated[
    str | None,
    typer.Option(
        metavar="VERDICT",
        help="Only claims of this verdict: holds, fails, ...",
        autocompletion=one(completion.verdicts),
    ),
]
Cost = Annotated[
    bool, typer.Option("--cost", help="How long what they need trains here: tries every task, in minutes.")
]
Judged = Annotated[Path | None, typer.Option(metavar="PATH", help="Judge by these published records, *.jsonl.")]
ClaimFormat = Annotated[str, typer.Option("--format", help="text or md.")]

DEFAULT_STORE = Path("results/runs")
FIGURES = Path("plots")
RESULTS = Path("results")
ROUNDS = 30
"""In which everything is timed, unless more or fewer are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of a suite: fields of `bench.verbs.arguments.request.Request`."""

    tasks: Tasks = None
    methods: Methods = None
    levels: Levels = None
    seeds: Seeds = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How units are trained: the fields of `bench.verbs.arguments.execution.Execution`."""

    workers: Workers = None
    threads: Threads = 1
    device: Device = "cpu"
    stack: Stacked = "auto"
    unit_timeout: UnitTimeout = None
    unit_memory: UnitMemory = None
    launcher: LauncherName = "local"
    address: Address = None
    gpus_per_unit: GpusPerUnit = None
    partition: Partition = None
    nodes: Nodes = None
    time: Time = None
    progress: Progress = None
    dry_run: DryRun = False


def flat(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that takes groups, as typer wants it: one that takes each option of them by itself."""
    takes = inspect.signature(verb, eval_str=True).parameters.values()
    groups: dict[str, Any] = {each.name: each.annotation for each in takes if is_dataclass(each.annotation)}

    @wraps(verb)
    def called(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{option.name: given.pop(option.name) for option in fields(group)})
        verb(**given)

    options = [option for each in takes for option in _options(each)]
    called.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    called.__annotations__ = {option.name: option.annotation for option in options}
    return called


def _options(taken: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """A parameter of a verb, or those that make the group that it is, each by its name alone."""
    is_group = is_dataclass(taken.annotation)
    inside = inspect.signature(taken.annotation, eval_str=True).parameters.values() if is_group else (taken,)
    return (each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in inside)
