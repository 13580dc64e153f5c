"""The command line: what each verb takes. What it does is in `bench.verbs`, imported when a verb is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, cast

import typer
import typer.main

from bench import __version__
from bench.errors import MISTAKE, TicketBenchError
from bench.report.escaping import plain
from bench.verbs.arguments import options

NAME = "ticketbench"
COMPLETE = "_TICKETBENCH_COMPLETE"
"""Environment variable in which a shell says how it wants completions; typer's name for it."""

app = typer.Typer(
    name=NAME,
    help="One lottery-ticket protocol for vision, reinforcement learning and translation, and uniform tables of it.",
    epilog="Start with: ticketbench run first",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__base__)  # which typer names only by this child


def invoke(words: Sequence[str]) -> int:
    """Do what was typed; a mistake of the user's is one line.

    Returns:
        The exit code.
    """
    command = typer.main.get_command(app)
    if instruction := os.environ.get(COMPLETE):
        return _complete(command, instruction)
    try:
        with command.make_context(app.info.name, list(words)) as context:
            command.invoke(context)
    except typer.Exit as left:
        return left.exit_code
    except SystemExit as left:
        if left.code:  # whoever leaves so is told apart above
            raise
        return 0  # typer's own options, which install or show completion
    except UsageError as error:
        error.show()
        return MISTAKE
    except TicketBenchError as error:
        print(f"ticketbench: {plain(str(error))}", file=sys.stderr)  # noqa: T201  the command line prints
        return MISTAKE
    return 0


def _complete(command: Any, instruction: str) -> int:
    """Answer a shell that wants to know how what was typed so far may go on; it tells it by the environment."""
    from typer.completion import shell_complete  # noqa: PLC0415  only a shell asks

    return shell_complete(command, {}, NAME, COMPLETE, instruction)


def _verbs(of: str) -> ModuleType:
    return import_module(f"bench.verbs.{of}")  # when called: `--help` answers before numpy is imported


def _asked(suite: str | None, part: options.Part, scale: str | None) -> Any:
    return _verbs("arguments.request").Request(suite=suite, scale=scale, **asdict(part))


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
@options.flat
def run(
    suite: options.SuiteName,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    part: options.Part,
    scale: options.Scale = None,
    training: options.Training,
) -> None:
    """Train what is left of a suite, and print its table."""
    asked = _asked(suite, part, scale)
    execution = _verbs("arguments.execution").Execution(**asdict(training))
    raise typer.Exit(_verbs("training").run(asked, store, execution))


@app.command(epilog="Example: ticketbench plan quick --methods ticket,reinit")
@options.flat
def plan(
    suite: options.Forecast = None,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    part: options.Part,
    scale: options.Scale = None,
    workers: options.Workers = None,
    stack: options.Stacked = "auto",
) -> None:
    """Show what a run would do, and how long; or list the suites."""
    asked = _asked(suite, part, scale)
    if suite is None:
        _verbs("arguments.request").refuse_without_suite(asked, store, {"workers": workers, "stack": stack != "auto"})
        _verbs("lists").suites()
        return
    _verbs("training").plan(asked, store, _verbs("arguments.execution").Execution(workers=workers, stack=stack))


@app.command(epilog="Example: ticketbench status quick")
@options.flat
def status(
    suite: options.SuiteName,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    part: options.Part,
    scale: options.Scale = None,
) -> None:
    """Show how far a suite is, and why units failed."""
    asked = _asked(suite, part, scale)
    _verbs("training").status(asked, store)


@app.command(epilog="Example: ticketbench clean quick")
def clean(suite: options.Planned = None, store: options.StorePath = options.DEFAULT_STORE) -> None:
    """Remove weights from which no unit is left to start."""
    raise typer.Exit(_verbs("training").clean(suite, store))


@app.command(epilog="Example: ticketbench table quick --output quick.csv")
@options.flat
def table(
    suite: options.AnySuite = None,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    format: options.Format = None,  # noqa: A002  the option is called that
    output: options.Output = None,
    part: options.Part,
    scale: options.OneScale = None,
) -> None:
    """Print the table of sparsity against performance."""
    asked = _asked(suite, part, scale)
    _verbs("reports").table(asked, store, style=format, output=output)


@app.command(epilog="Example: ticketbench plot quick --output plots")
@options.flat
def plot(
    suite: options.AnySuite = None,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    output: options.Figures = options.FIGURES,
    part: options.Part,
    scale: options.OneScale = None,
) -> None:
    """Draw the score of every method over density."""
    asked = _asked(suite, part, scale)
    _verbs("reports").plot(asked, store, folder=output)


@app.command(epilog="Example: ticketbench export quick --tensorboard curves")
@options.flat
def export(
    suite: options.AnySuite = None,
    *,
    tensorboard: options.Curves,
    store: options.StorePath = options.DEFAULT_STORE,
    part: options.Part,
    scale: options.OneScale = None,
) -> None:
    """Write the curve of every unit as TensorBoard event files."""
    asked = _asked(suite, part, scale)
    _verbs("reports").export(asked, store, tensorboard=tensorboard)


@app.command(epilog="Example: ticketbench publish lth-mnist --scale small")
@options.flat
def publish(
    suite: options.Republished = None,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    output: options.Published = options.RESULTS,
    name: options.SuiteAlias = None,
    replace: options.Replacing = False,
    submitter: options.Submitter = None,
    part: options.Part,
    scale: options.Scale = None,
) -> None:
    """Add a suite to what others read, or make that again."""
    asked = _asked(suite, part, scale)
    _verbs("reports").publish(asked, store, folder=output, name=name, replace=replace, submitter=submitter)


@app.command(epilog="Example: ticketbench tasks lenet; ticketbench tasks vision/lenet-mnist")
def tasks(
    pattern: options.TaskPattern = None, domain: options.DomainName = None, scale: options.OneScale = None
) -> None:
    """List the tasks that are installed, or tell all of one."""
    _verbs("lists").tasks(pattern, domain=domain, scale=scale)


@app.command(epilog="Example: ticketbench methods")
def methods() -> None:
    """List the methods: which mask, which weights, how they train."""
    _verbs("lists").methods()


@app.command(epilog="Example: ticketbench claims 1803.03635 --records results/records")
def claims(
    claim: options.AnyClaim = None,
    scale: options.ClaimScale = None,
    records: options.Judged = None,
    verdict: options.Verdict = None,
    *,
    cost: options.Cost = False,
    format: options.ClaimFormat = "text",  # noqa: A002
) -> None:
    """List what papers claim, what records say, what it costs."""
    _verbs("claims").claims(claim, scale=scale, records=records, verdict=verdict, cost=cost, style=format)


@app.command(epilog="Example: ticketbench reproduce 1803.03635 --scale small")
@options.flat
def reproduce(
    claim: options.ClaimName,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    scale: options.ClaimScale = None,
    plan: options.OnlyPlan = False,
    training: options.Training,
) -> None:
    """Train the units that a claim needs, and print whether it holds."""
    execution = _verbs("arguments.execution").Execution(**asdict(training))
    if plan:
        _verbs("claims").plan(claim, store, execution, scale=scale)
        return
    raise typer.Exit(_verbs("claims").reproduce(claim, store, execution, scale=scale))


@app.command(epilog="Example: ticketbench compare results/records/lth-mnist.jsonl results/runs")
def compare(
    baseline: Annotated[Path, typer.Argument(metavar="BASELINE", help="A store, published *.jsonl, or its *.csv.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The same of what is in question.")],
    *,
    tasks: options.Tasks = None,
    methods: options.Methods = None,
    levels: options.Levels = None,
    scale: options.OneScale = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Do not fail for what was not run.")] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Fail, too, where a mean is worse than tolerated and more seeds must decide."),
    ] = False,
    format: Annotated[str, typer.Option("--format", help="md, csv or json.")] = "md",  # noqa: A002
) -> None:
    """Tell whether anything is worse than before, or missing."""
    asked = _asked(None, options.Part(tasks=tasks, methods=methods, levels=levels), scale)
    policy = _verbs("compare").Policy(allow_missing=allow_missing, strict=strict)
    raise typer.Exit(_verbs("compare").compare(baseline, candidate, asked, policy, style=format))


@app.command(epilog="Example: ticketbench check mine.py:method --task vision/lenet-mnist@smoke")
def check(
    name: Annotated[str, typer.Argument(metavar="METHOD|TASK", help="mine.py:name, or the name of an installed one.")],
    task: Annotated[str, typer.Option(metavar="TASK", help="A small one, for a method.")] = "vision/lenet-mnist@smoke",
) -> None:
    """Hold a method or a task to the protocol."""
    raise typer.Exit(_verbs("conformance").check(name, task))


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
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Print everything that one finished unit says about itself."""
    _verbs("reports").show(record, store)


@app.command(epilog="Example: ticketbench speed lth-mnist --levels 10,13,18")
@options.flat
def speed(
    measured: options.UnitOrSuite,
    *,
    store: options.StorePath = options.DEFAULT_STORE,
    part: options.Part,
    scale: options.Scale = None,
    rounds: options.Rounds = options.ROUNDS,
    threads: options.Threads = 1,
    device: options.Device = "cpu",
    format: options.SpeedFormat = None,  # noqa: A002
    output: options.Output = None,
) -> None:
    """Measure what sparsity is worth in seconds and bytes."""
    asked = _asked(measured, part, scale)
    timing = _verbs("speed").Timing(rounds=rounds, threads=threads, device=device)
    raise typer.Exit(_verbs("speed").speed(asked, store, timing, style=format, output=output))


@app.command(epilog="Example: ticketbench pack lth-mnist --output lth-mnist.zip")
@options.flat
def pack(
    suite: options.SuiteName,
    *,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The archive.")],
    store: options.StorePath = options.DEFAULT_STORE,
    part: options.Part,
    scale: options.Scale = None,
    weights: Annotated[bool, typer.Option("--weights", help="With the weights; `verify --replay` needs them.")] = False,
) -> None:
    """Write the finished units of a suite into one archive."""
    asked = _asked(suite, part, scale)
    _verbs("exchange").pack(asked, store, output=output, weights=weights)


@app.command(epilog="Example: ticketbench unpack lth-mnist.zip --into somebodys")
def unpack(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="What `ticketbench pack` made.")],
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="A new folder, which becomes a store.")],
) -> None:
    """Make a store of an archive that contradicts itself nowhere."""
    _verbs("exchange").unpack(archive, into)


@app.command(epilog="Example: ticketbench ticket 3f2a91 --output lenet.ticket")
def ticket(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The beginning of a unit's id, or its folder.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The ticket file.")],
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Write a ticket as one file: mask and first weights."""
    _verbs("exchange").ticket(record, store, output=output)


@app.command("import", epilog="Example: ticketbench import lenet.ticket")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ticketbench ticket` wrote.")],
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Take a ticket file as the source of a transfer."""
    _verbs("exchange").import_(file, store)


@app.command(epilog="Example: ticketbench verify lth-mnist.zip --retrain 3")
def verify(
    submission: Annotated[
        Path, typer.Argument(metavar="[SUBMISSION]", help="A store, an archive or a ticket file.")
    ] = options.DEFAULT_STORE,
    replay: Annotated[int, typer.Option(min=0, metavar="N", help="Evaluate the stored weights of N units.")] = 0,
    retrain: Annotated[
        int, typer.Option(min=0, metavar="N", help="Train N units or more again: whole comparisons.")
    ] = 0,
    draw: Annotated[int | None, typer.Option(min=0, help="Which units: the same number, the same ones.")] = None,
    measured: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add what was measured to this *.jsonl.")
    ] = None,
    suites: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Of yours: their own tasks and methods count as installed.")
    ] = None,
    workers: options.Workers = None,
    threads: options.Threads = 1,
    device: options.Device = "cpu",
) -> None:
    """Check a store, archive or ticket file; measure again."""
    checks = _verbs("checks")
    audit = checks.Audit(
        replay=replay,
        retrain=retrain,
        draw=draw,
        output=measured,
        suites=suites,
        workers=workers,
        threads=threads,
        device=device,
    )
    raise typer.Exit(checks.verify(submission, audit))
