"""The verbs that show results: tables, figures, single records."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console

from bench.errors import SpecError, UnknownName
from bench.record import Record
from bench.runs import overview
from bench.store import files
from bench.store.attempt import CONFLICTS, read_record
from bench.store.store import PLAIN, Store, curve
from bench.verbs.arguments.options import FIGURES, RESULTS
from bench.verbs.arguments.request import (
    Request,
    again,
    command_line,
    existing,
    kept_suite,
    refuse_without_suite,
    say,
    some,
    writing,
)

if TYPE_CHECKING:
    from bench.report.results import Results

MARKDOWN = "md"


def table(asked: Request, root: Path, *, style: str | None, output: Path | None) -> None:
    """Print or write the table."""
    style = style or (output.suffix.removeprefix(".") if output else None)
    store = existing(root)
    records = asked.compared(store)
    some(asked.among(records), asked, root)
    tell_conflicts(store)
    tell_unfinished(asked, store)
    if output is None and style is None:
        display(records, methods=asked.arms)
        again(asked.command("table", root), asked.command("plot", root))
        return
    text = rendered(records, style or MARKDOWN, methods=asked.arms)
    if output is None:
        say(text.removesuffix("\n"))
        return
    with writing(output):
        if output.exists() and not output.is_file():  # /dev/stdout
            output.write_text(text, encoding="utf-8")
            return
        with files.drafted(output) as draft:
            draft.write_text(text, encoding="utf-8")


def sum_up(records: list[Record]) -> None:
    """Say in sentences what the table shows, then print it."""
    from bench.report.sentences import sentences  # noqa: PLC0415  only tables need scipy
    from bench.report.table.rows import sections  # noqa: PLC0415

    if not sys.stdout.isatty():  # where it is one, `display` says them
        for sentence in sentences(sections(records)):
            say(sentence, "")
    display(records)


def display(records: list[Record], *, methods: tuple[str, ...] | None = None) -> None:
    """Print the table: compact, below its sentences, on a terminal; as Markdown alone in a file or pipe."""
    from bench.report.table.terminal import show as print_table  # noqa: PLC0415  only tables need scipy

    if sys.stdout.isatty():
        print_table(Console(), records, methods)
    else:
        sys.stdout.write(rendered(records, MARKDOWN, methods=methods))


def tell_conflicts(store: Store) -> None:
    """Warn of other results of finished units, which the store keeps aside."""
    aside = store.root / CONFLICTS
    if count := len(list(aside.glob("*.json"))):
        what = "another result of a unit" if count == 1 else f"{count} other results of units"
        sys.stderr.write(f"warning: {aside} holds {what} of this store; what was there first is shown\n")


def tell_unfinished(asked: Request, store: Store) -> None:
    """Warn of units of a suite that are not finished: what they would show is not shown."""
    if asked.suite and (lacks := overview.lacking(asked.plan(), store)):
        sys.stderr.write(f"warning: {lacks}; see why: {asked.command('status', store.root)}\n")


def rendered(records: list[Record], style: str, *, methods: tuple[str, ...] | None = None) -> str:
    from bench.report.table.render import Style, render  # noqa: PLC0415  only tables need scipy

    known: tuple[Style, ...] = get_args(Style)
    chosen = next((name for name in known if name == style), None)
    if chosen is None:
        raise UnknownName("format", style, known)
    return render(records, chosen, methods=methods)


def plot(asked: Request, root: Path, *, folder: Path) -> None:
    """Draw the figures."""
    store = existing(root)
    say(*map(str, draw(asked, store, folder)))
    tell_unfinished(asked, store)
    where = [] if folder == FIGURES else ["--output", str(folder)]
    again(asked.command("plot", root, *where), asked.command("table", root))


def draw(asked: Request, store: Store, folder: Path) -> list[Path]:
    """Draw the figures of what is asked for into a folder; their paths, each SVG before its PNG."""
    return list(_found(asked, store).plot(folder))


def export(asked: Request, root: Path, *, tensorboard: Path) -> None:
    """Write the curves for another program."""
    from bench.report.tensorboard import write  # noqa: PLC0415  an extra

    found = _found(asked, existing(root))
    with writing(tensorboard, "--tensorboard"):
        written = write(found.records, found.curves, tensorboard)
    say(f"{tensorboard}: {len(written)} curves; next: tensorboard --logdir {shlex.quote(str(tensorboard))}")


def _found(asked: Request, store: Store) -> Results:
    from bench.report.results import Results  # noqa: PLC0415  only tables need scipy

    name = Path(asked.suite).stem if asked.suite else "records"
    return Results(name=name, store=store, records=some(asked.records(store), asked, store.root))


def publish(
    asked: Request,
    root: Path,
    *,
    folder: Path,
    name: str | None = None,
    replace: bool = False,
    submitter: str | None = None,
) -> None:
    """Write what others read, under the suite's name or another; without a suite, make it again from the records that lie there."""
    from bench.report.publish import publish as write  # noqa: PLC0415  it draws, with matplotlib
    from bench.report.publish import refresh  # noqa: PLC0415

    suite = Path(asked.suite).stem if asked.suite else kept_suite(root)
    called = suite if name is None else name
    if called is not None and not PLAIN.fullmatch(called):
        raise SpecError(f"--name {called!r}: a file is called so; take letters, digits, '.', '_', '+' and '-'")
    where = [] if folder == RESULTS else ["--output", str(folder)]
    if suite is None:
        way = "name one, or a --store that was unpacked"
        refuse_without_suite(asked, root, {"name": name, "replace": replace, "from": submitter}, way=way)
        with writing(folder):
            written = refresh(folder)
        say(*map(str, written))
        again(command_line("publish", *where))
        return
    is_theirs = kept_suite(root) is not None
    if replace and is_theirs:
        raise SpecError(
            f"--replace is for units of your own: {root} was unpacked, give its suite a name of its own, --name"
        )
    store = existing(root)
    records = some(asked.records(store), asked, root)
    tell_conflicts(store)
    with writing(folder):
        written = write(records, folder, name=name or suite, apart=is_theirs, replace=replace, submitter=submitter)
    say(*map(str, written))
    again(asked.command("publish", root, *where, *(["--name", name] if name else [])))


def show(text: str, root: Path) -> None:
    """Print one record."""
    from bench.report.show import show as describe  # noqa: PLC0415  only this verb needs it

    folder = existing(root).find(text)
    record = read_record(folder)
    assert record is not None
    say(describe(record, curve(folder)).rstrip())
