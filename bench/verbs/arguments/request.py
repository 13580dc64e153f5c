"""What was typed: the suite, the part of it, the store; and the refusals that all verbs share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench import suitefile
from bench.code import brought
from bench.errors import SpecError, StoreError
from bench.record import Record
from bench.report.escaping import printable
from bench.runs.planning.plan import Plan
from bench.runs.planning.plan import plan as make_plan
from bench.runs.planning.selection import Selection
from bench.spec import Entry, Method, Suite
from bench.store.store import Store
from bench.verbs.arguments.options import DEFAULT_STORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
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
            tasks=names(self.tasks),
            methods=self.arms,
            levels=suitefile.numbers(self.levels) if self.levels is not None else None,
            seeds=suitefile.numbers(self.seeds) if self.seeds is not None else None,
            scale=self.scale,
        )

    @property
    def arms(self) -> tuple[str, ...] | None:
        """Names of the methods that are asked for; of those in files of the user's own, as they are called there."""
        asked = names(self.methods)
        return asked and tuple(each.name if isinstance(each, Method) else each for each in map(named, asked))

    @property
    def narrowed(self) -> Suite:
        """The part of the suite that is asked for; methods in files that are typed join every task of it.

        Raises:
            SpecError: if the suite has another method of such a name.
        """
        return self.selection.of_suite(self._suite())

    def _suite(self) -> Suite:
        assert self.suite is not None
        suite = suitefile.load_suite(self.suite)
        return joined(suite, map(named, names(self.methods) or ()))

    @property
    def words(self) -> str:
        """The suite and the options, to be typed again."""
        return shlex.join(self.typed)

    @property
    def typed(self) -> list[str]:
        """The same, word by word."""
        given = {name: value for name, value in asdict(self).items() if name != "suite" and value}
        suite = [self.suite] if self.suite else []
        return [*suite, *(word for name, value in given.items() for word in (f"--{name}", value))]

    def command(self, verb: str, root: Path, *more: str) -> str:
        """What does that for what is asked for here, to be typed."""
        return command_line(verb, *self.typed, *elsewhere(root), *more)

    def plan(self) -> Plan:
        """The units that are asked for.

        Raises:
            SpecError: if there is none.
        """
        return self._plan(self.narrowed)

    def _plan(self, suite: Suite) -> Plan:
        made = make_plan(suite)
        if not made.units:
            whole = shlex.quote(str(self.suite))
            raise SpecError(f"{self.words} selects no unit: `ticketbench plan {whole}` shows what there is")
        return made

    def records(self, store: Store) -> list[Record]:
        """The finished units that are asked for."""
        if not self.suite:
            return self.selection.of_records(store.records())
        return store.records(self.plan().units.values())

    def among(self, records: list[Record]) -> list[Record]:
        """Those of the methods that are asked for; a suite may name some that have not finished yet."""
        if not self.suite:
            return self.selection.of_records(records)
        _ = self.narrowed  # refuses what is not in it
        wanted = self.arms
        return [record for record in records if wanted is None or record["spec"]["method"]["name"] in wanted]

    def listed(self, store: Store) -> list[Record]:
        """The same without the rounds of chains between the levels that the suite lists: nothing compares with them."""
        return self._listed(store, self.narrowed) if self.suite else self.records(store)

    def compared(self, store: Store) -> list[Record]:
        """The same with those of all other methods: a row needs those of its opponents too."""
        every = replace(self.selection, methods=None)
        return self._listed(store, every.of_suite(self._suite())) if self.suite else every.of_records(store.records())

    def _listed(self, store: Store, suite: Suite) -> list[Record]:
        return store.records(self._plan(suite).listed)


def named(name: str) -> Method | str:
    """A method in a file of the user's own; of any other the name, as it may be in the suite or the store alone."""
    return brought.method(name, Path()) if brought.is_own(name) else name


def joined(suite: Suite, methods: Iterable[Method | str]) -> Suite:
    """The suite with those methods in every task of it that are the user's own.

    Raises:
        SpecError: if the suite has another method of such a name.
    """
    joining = {each.name: each for each in methods if isinstance(each, Method)}
    return replace(suite, entries=tuple(_joined(each, joining) for each in suite.entries))


def _joined(entry: Entry, methods: Mapping[str, Method]) -> Entry:
    """A part of a suite with these methods besides."""
    own = {method.name: method for method in entry.methods}
    if wrong := next((name for name, method in methods.items() if own.get(name, method) != method), None):
        raise SpecError(
            f"the suite has another method {wrong!r} than the one of --methods: give one of them another name"
        )
    return replace(entry, methods=tuple({**own, **methods}.values()))


def names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",")) if text is not None else None


def some(records: list[Record], asked: Request, root: Path) -> list[Record]:
    if not records:
        what = f"of suite {asked.suite} " if asked.suite else ""
        raise StoreError(f"no finished unit {what}in {root}: run a suite, or name another --store")
    return records


def existing(root: Path, otherwise: str = "run a suite first, or name another --store") -> Store:
    """The store there; if there is none, the error says what to do otherwise, as the caller was asked for it."""
    if not root.exists():
        raise StoreError(f"no store {root}: {otherwise}")
    return Store(root)


def kept_suite(root: Path) -> str | None:
    """The name of the suite that a store keeps which was unpacked from an archive."""
    suite = Store(root).suite if root.exists() else None
    return suite["name"] if suite else None


def refuse_without_suite(asked: Request, root: Path, others: Mapping[str, object], *, way: str = "name one") -> None:
    """Refuse what was typed of a suite where none is asked for: it would be passed over, and look as if it were done.

    Args:
        asked: without a suite.
        root: the store.
        others: option -> what was given, nothing if it is None or false.
        way: what to do, besides.
    """
    typed = {**asdict(asked), "store": elsewhere(root), **others}
    if given := ", ".join(
        f"--{name}" for name, value in typed.items() if value is not None and value not in (False, [])
    ):
        verb = "are" if "," in given else "is"
        raise SpecError(f"{given} {verb} of a suite, and none is asked for: {way}")


@contextmanager
def writing(place: Path, option: str = "--output") -> Iterator[None]:
    """The block writes to a place that the option names; if that cannot be, it is told in one line."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {place}: {error.strerror or error}; name another {option}") from error


def elsewhere(root: Path) -> list[str]:
    """The option that names a store, if that is not the one that is taken without it."""
    return [] if root == DEFAULT_STORE else ["--store", str(root)]


def command_line(*words: str | Path) -> str:
    """A command, to be typed."""
    return shlex.join(["ticketbench", *map(str, words)])


def again(*commands: str) -> None:
    """Tell on a terminal by which commands what it shows can be had again."""
    hint(*ways(commands))


def hint(*lines: str) -> None:
    """Say something below what was asked for, on a terminal; a file or pipe gets that alone."""
    if sys.stdout.isatty():
        say("", *lines)


def ways(commands: Sequence[str]) -> list[str]:
    """A line for each command by which what was printed can be had again."""
    return [f"{'' if place else 'again:':6} {command}" for place, command in enumerate(commands)]


def say(*lines: str) -> None:
    """Print lines, which may tell what others wrote."""
    print(*map(printable, lines), sep="\n")  # noqa: T201  the command line prints
