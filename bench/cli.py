"""The command line: what each verb takes. What it does is in `bench.verbs`, imported when a verb is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, cast

import typer
import typer.main

from bench import __version__
from bench.errors import MISTAKE, TicketBenchError

app = typer.Typer(
    name="ticketbench",
    help="One lottery-ticket protocol for vision, reinforcement learning and translation, and uniform tables of it.",
    epilog="Start with: ticketbench run smoke",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

SuiteName = Annotated[str, typer.Argument(metavar="SUITE", help="quick, smoke, lth-mnist ..., or a TOML file.")]
AnySuite = Annotated[str | None, typer.Argument(metavar="[SUITE]", help="Only the units of this suite.")]
Planned = Annotated[
    str | None,
    typer.Argument(metavar="[SUITE]", help="Whose units count; without it, all that have a finished child."),
]
Republished = Annotated[
    str | None, typer.Argument(metavar="[SUITE]", help="Add this suite; without it, make all again from the records.")
]
StorePath = Annotated[Path, typer.Option("--store", metavar="FOLDER", help="Where finished units are kept.")]
Tasks = Annotated[str | None, typer.Option(metavar="NAMES", help="Only these tasks: vision/lenet-mnist,...")]
Methods = Annotated[str | None, typer.Option(metavar="NAMES", help="Only these methods: ticket,reinit,...")]
Levels = Annotated[str | None, typer.Option(metavar="NUMBERS", help="Only these levels: 2,5-8")]
Seeds = Annotated[str | None, typer.Option(metavar="NUMBERS", help="Only these seeds: 0-2")]
Scale = Annotated[str | None, typer.Option(metavar="SCALE", help="Another scale: smoke, quick, small or paper.")]
OneScale = Annotated[str | None, typer.Option(metavar="SCALE", help="Only tasks of this scale.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Units trained at once; all cores unless given.")]
Threads = Annotated[int, typer.Option(min=1, help="Torch threads of each worker.")]
Device = Annotated[str, typer.Option(help="Where to train: cpu, cuda, ...")]
UnitTimeout = Annotated[
    float | None, typer.Option(min=1, metavar="SECONDS", help="Give up a unit that takes longer; it has failed.")
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
Published = Annotated[Path, typer.Option(metavar="FOLDER", help="Where records/, tables/ and plots/ go.")]
Format = Annotated[str | None, typer.Option(help="md, csv, tex, json or rliable; else what --output ends in, else md.")]
AnyClaim = Annotated[str | None, typer.Argument(metavar="[CLAIM]", help="A claim, or a paper: F1-4, 1803.03635.")]
ClaimName = Annotated[str, typer.Argument(metavar="CLAIM", help="A claim, or a paper: F1-4, 1803.03635.")]
ClaimScale = Annotated[str | None, typer.Option("--scale", metavar="SCALE", help="Show it at this scale.")]
Judged = Annotated[Path | None, typer.Option(metavar="PATH", help="Judge by these published records, *.jsonl.")]
ClaimFormat = Annotated[str, typer.Option("--format", help="text or md.")]
DEFAULT_STORE = Path("results/runs")


UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__base__)  # which typer names only by this child


def invoke(words: Sequence[str]) -> int:
    """Do what was typed; a mistake of the user's is one line.

    Returns:
        The exit code.
    """
    command = typer.main.get_command(app)
    try:
        with command.make_context(app.info.name, list(words)) as context:
            command.invoke(context)
    except typer.Exit as left:
        return left.exit_code
    except UsageError as error:
        error.show()
        return MISTAKE
    except TicketBenchError as error:
        print(f"ticketbench: {error}", file=sys.stderr)  # noqa: T201  the command line prints
        return MISTAKE
    return 0


def _verbs(of: str) -> ModuleType:
    return import_module(f"bench.verbs.{of}")  # when called: `--help` answers before numpy is imported


def _version(asked: bool) -> None:  # noqa: FBT001  typer calls it so
    if asked:
        typer.echo(f"ticketbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """The callback of `--version` has answered already."""


@app.command(epilog="Example: ticketbench run quick --workers 2")
def run(
    suite: SuiteName,
    store: StorePath = DEFAULT_STORE,
    tasks: Tasks = None,
    methods: Methods = None,
    levels: Levels = None,
    seeds: Seeds = None,
    scale: Scale = None,
    workers: Workers = None,
    threads: Threads = 1,
    device: Device = "cpu",
    unit_timeout: UnitTimeout = None,
    unit_memory: UnitMemory = None,
    launcher: LauncherName = "local",
    address: Address = None,
    gpus_per_unit: GpusPerUnit = None,
    partition: Partition = None,
    nodes: Nodes = None,
    time: Time = None,
    progress: Progress = None,
    *,
    dry_run: DryRun = False,
) -> None:
    """Train what is left of a suite, and print its table."""
    asked = _verbs("request").Request(
        suite=suite, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale
    )
    execution = _verbs("execution").Execution(
        workers=workers,
        threads=threads,
        device=device,
        unit_timeout=unit_timeout,
        unit_memory=unit_memory,
        launcher=launcher,
        address=address,
        gpus_per_unit=gpus_per_unit,
        partition=partition,
        nodes=nodes,
        time=time,
        dry_run=dry_run,
        progress=progress,
    )
    raise typer.Exit(_verbs("training").run(asked, store, execution))


@app.command(epilog="Example: ticketbench plan quick --methods ticket,reinit")
def plan(
    suite: SuiteName,
    store: StorePath = DEFAULT_STORE,
    tasks: Tasks = None,
    methods: Methods = None,
    levels: Levels = None,
    seeds: Seeds = None,
    scale: Scale = None,
    workers: Workers = None,
) -> None:
    """Show what a run would do, and how long it would take."""
    asked = _verbs("request").Request(
        suite=suite, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale
    )
    _verbs("training").plan(asked, store, _verbs("execution").Execution(workers=workers))


@app.command(epilog="Example: ticketbench status quick")
def status(
    suite: SuiteName,
    store: StorePath = DEFAULT_STORE,
    tasks: Tasks = None,
    methods: Methods = None,
    levels: Levels = None,
    seeds: Seeds = None,
    scale: Scale = None,
) -> None:
    """Show how far a suite is, and why units failed."""
    asked = _verbs("request").Request(
        suite=suite, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale
    )
    _verbs("training").status(asked, store)


@app.command(epilog="Example: ticketbench clean quick")
def clean(suite: Planned = None, store: StorePath = DEFAULT_STORE) -> None:
    """Remove weights from which no unit is left to start."""
    raise typer.Exit(_verbs("training").clean(suite, store))


@app.command(epilog="Example: ticketbench table quick --output quick.csv")
def table(
    suite: AnySuite = None,
    store: StorePath = DEFAULT_STORE,
    format: Format = None,  # noqa: A002  the option is called that
    output: Output = None,
    tasks: Tasks = None,
    methods: Methods = None,
    levels: Levels = None,
    seeds: Seeds = None,
    scale: OneScale = None,
) -> None:
    """Print the table of sparsity against performance."""
    asked = _verbs("request").Request(
        suite=suite, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale
    )
    _verbs("reports").table(asked, store, style=format, output=output)


@app.command(epilog="Example: ticketbench plot quick --output plots")
def plot(
    suite: AnySuite = None,
    store: StorePath = DEFAULT_STORE,
    output: Figures = Path("plots"),
    tasks: Tasks = None,
    methods: Methods = None,
    levels: Levels = None,
    seeds: Seeds = None,
    scale: OneScale = None,
) -> None:
    """Draw the score of every method over density."""
    asked = _verbs("request").Request(
        suite=suite, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale
    )
    _verbs("reports").plot(asked, store, folder=output)


@app.command(epilog="Example: ticketbench publish lth-mnist --scale small")
def publish(
    suite: Republished = None,
    store: StorePath = DEFAULT_STORE,
    output: Published = Path("results"),
    tasks: Tasks = None,
    methods: Methods = None,
    levels: Levels = None,
    seeds: Seeds = None,
    scale: Scale = None,
) -> None:
    """Add a suite to what others read, or make that again."""
    asked = _verbs("request").Request(
        suite=suite, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale
    )
    _verbs("reports").publish(asked, store, folder=output)


@app.command(epilog="Example: ticketbench tasks")
def tasks() -> None:
    """List the tasks that are installed."""
    _verbs("lists").tasks()


@app.command(epilog="Example: ticketbench methods")
def methods() -> None:
    """List the methods: which mask, which weights, how they train."""
    _verbs("lists").methods()


@app.command(epilog="Example: ticketbench claims 1803.03635 --records results/records")
def claims(
    claim: AnyClaim = None,
    scale: ClaimScale = None,
    records: Judged = None,
    format: ClaimFormat = "text",  # noqa: A002
) -> None:
    """List what papers claim, or what published records say about it."""
    _verbs("claims").claims(claim, scale=scale, records=records, style=format)


@app.command(epilog="Example: ticketbench reproduce 1803.03635 --scale small")
def reproduce(
    claim: ClaimName,
    store: StorePath = DEFAULT_STORE,
    scale: ClaimScale = None,
    workers: Workers = None,
    threads: Threads = 1,
    device: Device = "cpu",
    unit_timeout: UnitTimeout = None,
    unit_memory: UnitMemory = None,
    launcher: LauncherName = "local",
    address: Address = None,
    gpus_per_unit: GpusPerUnit = None,
    partition: Partition = None,
    nodes: Nodes = None,
    time: Time = None,
    progress: Progress = None,
    *,
    dry_run: DryRun = False,
) -> None:
    """Train the units that a claim needs, and print whether it holds."""
    execution = _verbs("execution").Execution(
        workers=workers,
        threads=threads,
        device=device,
        unit_timeout=unit_timeout,
        unit_memory=unit_memory,
        launcher=launcher,
        address=address,
        gpus_per_unit=gpus_per_unit,
        partition=partition,
        nodes=nodes,
        time=time,
        dry_run=dry_run,
        progress=progress,
    )
    raise typer.Exit(_verbs("claims").reproduce(claim, store, execution, scale=scale))


@app.command(epilog="Example: ticketbench compare results/records/lth-mnist.jsonl results/runs")
def compare(
    baseline: Annotated[Path, typer.Argument(metavar="BASELINE", help="A store, published *.jsonl, or its *.csv.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The same of what is in question.")],
    *,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Do not fail for what was not run.")] = False,
    format: Annotated[str, typer.Option("--format", help="md, csv or json.")] = "md",  # noqa: A002
) -> None:
    """Tell whether anything is worse than before, or missing."""
    raise typer.Exit(_verbs("compare").compare(baseline, candidate, style=format, allow_missing=allow_missing))


@app.command(epilog="Example: ticketbench site --output results/index.html")
def site(
    records: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Published records: a folder of *.jsonl files.")
    ] = Path("results/records"),
    output: Annotated[Path, typer.Option(metavar="FILE", help="The page.")] = Path("index.html"),
) -> None:
    """Write the leaderboard: one page that works without a network."""
    _verbs("site").site(records, output)


@app.command(epilog="Example: ticketbench show 3f2a91")
def show(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The beginning of a unit's id, or its folder.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Print everything that one finished unit says about itself."""
    _verbs("reports").show(record, store)


@app.command(epilog="Example: ticketbench pack lth-mnist --output lth-mnist.zip")
def pack(
    suite: SuiteName,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The archive.")],
    store: StorePath = DEFAULT_STORE,
    tasks: Tasks = None,
    methods: Methods = None,
    levels: Levels = None,
    seeds: Seeds = None,
    scale: Scale = None,
    *,
    weights: Annotated[bool, typer.Option("--weights", help="With the weights; `verify --replay` needs them.")] = False,
) -> None:
    """Write the finished units of a suite into one archive."""
    asked = _verbs("request").Request(
        suite=suite, tasks=tasks, methods=methods, levels=levels, seeds=seeds, scale=scale
    )
    _verbs("exchange").pack(asked, store, output=output, weights=weights)


@app.command(epilog="Example: ticketbench unpack lth-mnist.zip --into somebodys")
def unpack(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="What `ticketbench pack` made.")],
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="A new folder, which becomes a store.")],
) -> None:
    """Make a store of an archive that stands every check."""
    _verbs("exchange").unpack(archive, into)


@app.command(epilog="Example: ticketbench ticket 3f2a91 --output lenet.ticket")
def ticket(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The beginning of a unit's id, or its folder.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The ticket file.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write a ticket as one file: mask and first weights."""
    _verbs("exchange").ticket(record, store, output=output)


@app.command("import", epilog="Example: ticketbench import lenet.ticket")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ticketbench ticket` wrote.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Take a ticket file as the source of a transfer."""
    _verbs("exchange").import_(file, store)


@app.command(epilog="Example: ticketbench verify lth-mnist.zip --retrain 3")
def verify(
    submission: Annotated[
        Path, typer.Argument(metavar="[SUBMISSION]", help="A store, an archive or a ticket file.")
    ] = DEFAULT_STORE,
    replay: Annotated[int, typer.Option(min=0, metavar="N", help="Evaluate the stored weights of N units.")] = 0,
    retrain: Annotated[
        int, typer.Option(min=0, metavar="N", help="Train N units or more again: whole comparisons.")
    ] = 0,
    draw: Annotated[int | None, typer.Option(min=0, help="Which units: the same number, the same ones.")] = None,
    measured: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add what was measured to this *.jsonl.")
    ] = None,
    workers: Workers = None,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Check a store, archive or ticket file; measure again."""
    checks = _verbs("checks")
    audit = checks.Audit(
        replay=replay, retrain=retrain, draw=draw, output=measured, workers=workers, threads=threads, device=device
    )
    raise typer.Exit(checks.verify(submission, audit))
