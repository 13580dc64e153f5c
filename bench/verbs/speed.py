"""The verb that measures what sparsity is worth in seconds and bytes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench import registry, suitefile
from bench.errors import SpecError, StoreError, UnknownName
from bench.record import Record
from bench.runs.device import check_device
from bench.runs.speed import SERVE, Told, speeds
from bench.spec import DIGITS, Unit
from bench.speed import STYLES, Speed
from bench.store import files
from bench.store.attempt import STATES, read_record
from bench.store.store import Store
from bench.store.tensors import masks_nothing
from bench.verbs.activity import say_aside
from bench.verbs.arguments.request import Request, again, existing, say, writing

FOLDER = "speed"
"""Of a store: what was measured of its units, a file each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How it is measured.

    Args:
        rounds: in which everything is timed in turn.
        threads: of torch.
        device: `cpu`, `cuda`, ...
    """

    rounds: int
    threads: int = 1
    device: str = "cpu"


def speed(
    asked: Request, root: Path, timing: Timing, *, style: str | None, output: Path | None, serve: str = SERVE
) -> int:
    """Measure one unit or those of a suite; the exit code says whether any was executed wrongly, or broke."""
    style = style or (output.suffix.removeprefix(".") if output else STYLES[0])
    if style not in STYLES:
        raise UnknownName("format", style, STYLES)
    store = existing(root)
    folders = _folders(asked, store)
    check_device(timing.device)
    if output:
        with writing(output):  # what was measured for an hour must find its place
            output.parent.mkdir(parents=True, exist_ok=True)
            if output.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    found, missed = [], []
    for told in _measured(folders, timing, serve):
        if told.speed:
            found.append(told.speed)
            _keep(store, told.speed)
        else:
            missed.append(told)
            say_aside(f"nothing measured of {_label(told.folder)}: {told.reason}")
    if not found and all(told.kind == "refused" for told in missed):
        raise StoreError(f"nothing in {root} that was asked for can be measured: see above why")
    _write(found, style, output)
    again(asked.command("speed", root))
    return 1 if any(told.kind != "refused" for told in missed) else 0


def _folders(asked: Request, store: Store) -> list[Path]:
    """Of the units that are asked for; of a suite, those of the first seed of each task, method and level."""
    assert asked.suite is not None
    if asked.suite in suitefile.names() or asked.suite.endswith(".toml"):
        return _of_suite(asked, store)
    if len(asked.typed) > 1:
        raise SpecError(
            f"{asked.words}: options choose among the units of a suite, and {asked.suite} is none: leave them out"
        )
    try:
        folder = store.find(asked.suite)
    except StoreError as error:
        raise StoreError(f"{error}; or name a suite ({', '.join(suitefile.names())}) or a TOML file") from error
    if obstacle := _obstacle(folder) or _foreign(folder):
        raise StoreError(f"{_label(folder)} {obstacle}")
    return [folder]


def _foreign(folder: Path) -> str | None:
    """What the task of a unit names that is not run on its record's word."""
    record = read_record(folder)
    return registry.foreign_code(Unit.from_spec(record["spec"]).task) if record else None


def _of_suite(asked: Request, store: Store) -> list[Path]:
    plan = asked.plan()
    arms = {(entry.task.key, method.name) for entry in plan.suite.entries for method in entry.methods}
    listed = (each for each in plan.units.values() if plan.lists(each) and (each.task.key, each.method.name) in arms)
    chosen: dict[tuple[str, str, int], Path] = {}
    for unit in sorted(listed, key=lambda unit: unit.seed):
        folder, arm = store.folder(unit), (unit.task.key, unit.method.name, unit.level)
        if arm not in chosen and not _obstacle(folder):
            chosen[arm] = folder
    if not chosen:
        raise StoreError(
            f"no finished unit of {asked.words} in {store.root} is pruned and has its trained weights: run the suite "
            "(methods that prune round by round keep theirs, until `ticketbench clean`), or name another --store"
        )
    return [chosen[arm] for arm in sorted(chosen)]


def _obstacle(folder: Path) -> str | None:
    """Why a unit cannot be measured."""
    record = read_record(folder)
    if record is None:
        return "is not finished: run it"
    if record["status"] != "ok":
        return f"diverged ({record['reason']}): name one that did not"
    if masks_nothing(record):
        return "keeps every weight: name one that is pruned"
    if not (folder / STATES[-1]).exists():
        return "has no trained weights here: name a unit of a method that prunes round by round, such as ticket"
    return None


def _measured(folders: Sequence[Path], timing: Timing, serve: str) -> Iterator[Told]:
    errors = Console(stderr=True, force_terminal=sys.stderr.isatty())
    with errors.status("") as status:
        yield from speeds(
            folders,
            device=timing.device,
            threads=timing.threads,
            rounds=timing.rounds,
            measuring=lambda folder: status.update(f"measuring {_label(folder)}"),
            serve=serve,
        )


def _label(folder: Path) -> str:
    record: Record | None = read_record(folder)
    return Unit.from_spec(record["spec"]).label if record else str(folder)


def _keep(store: Store, measured: Speed) -> None:
    """Add it to what was measured of the unit before, on this machine or another."""
    from bench.report.speed import line  # noqa: PLC0415  only tables need scipy

    path = store.root / FOLDER / f"{measured['unit_id'][:DIGITS]}.jsonl"
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line(measured))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise files.unwritable(f"to {path}", error) from error


def _write(found: Sequence[Speed], style: str, output: Path | None) -> None:
    from bench.report.speed import render  # noqa: PLC0415  only tables need scipy

    text = render(found, style)
    if output is None:
        say(text.removesuffix("\n"))
        return
    with writing(output), files.drafted(output) as draft:
        draft.write_text(text, encoding="utf-8")
