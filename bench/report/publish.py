"""Puts a suite's records, tables and figures where readers find them: `results/`, without weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench import registry
from bench.digests import canonical_json
from bench.errors import Conflict, SpecError
from bench.record import Record
from bench.report.claims.definitions import load_claims
from bench.report.claims.text import verdict_table
from bench.report.claims.verdicts import judge, shown
from bench.report.escaping import plain
from bench.report.folder import fill
from bench.report.published import PACKED, RECORDS, files, read, read_files, standing, twin, write
from bench.report.submitters import SUBMITTERS, submitters, written
from bench.report.table.merge import Replicate, merged, refuse_additions
from bench.report.table.render import Style, render, resamples

Suites = Mapping[str, Iterable[Record]]
STYLES: tuple[Style, ...] = ("csv", "md")
ADDED = "what is to be published"
CLAIMS = "claims"
"""The table of verdicts, beside those of suites."""


def publish(
    records: Iterable[Record],
    folder: Path,
    *,
    name: str,
    apart: bool = False,
    replace: bool = False,
    submitter: str | None = None,
) -> list[Path]:
    """Write `records/<name>.jsonl`, `tables/<name>.csv` and `.md`, and `plots/<name>-<task>.svg`: all of them, or none.

    `tables/<name>-bootstrap.csv` comes with them where records keep their test items; many records are `<name>.jsonl.gz`.

    What was published under that name before stays, so that a suite can be published task by task, from several
    machines; a unit that comes again with an equal result changes nothing. A suite that is to be apart repeats what stands
    in another as it stands there: whoever sends it chooses the times and words of its copies. Tables and figures that no
    longer follow go: one of a task has the scale in its name once there are two.

    Args:
        records: of a suite, in any order; the files do not depend on it.
        folder: `results`.
        name: of the suite.
        apart: the suite is somebody's who chose its name: it joins nothing that stands under it but what is told to be of
            the same submitter.
        replace: the records that were published under that name before make place.
        submitter: who made the records, as the page tells it; None: as it was told before.

    Returns:
        The files, in that order.

    Raises:
        Conflict: if a record contradicts one that is published there, in whatever suite that stays; or, of a suite that is to
            be apart, tells more or less of a unit.
        SpecError: if it is to be apart, and another suite stands under its name; if a file of something else does; or if
            nobody is called like the submitter.
        StoreError: if what is published there cannot be read, or the files cannot be written.
    """
    added, published = list(records), files(folder / "records")
    staying = read_files({suite: path for suite, path in published.items() if not (replace and suite == name)})
    sources = standing(staying, published)
    _refuse_contradictions(sources, added, name, published.get(name), replaceable=not apart)
    _refuse_place(folder, name, published=name in published)
    _refuse_name(name)
    before = staying.get(name, [])
    told_before = submitters(folder)
    if apart and name in published:
        _refuse_joining(published[name], told_before.get(name), submitter, same=_ids(before) == _ids(added))
    own = merged({published[name].name: before, ADDED: added} if before else {ADDED: added})
    named = None if submitter is None else written({**told_before, name: submitter})
    others = {suite: records for suite, records in staying.items() if suite != name}
    if apart:
        own = _beside(standing(others, published), own)

    def make(draft: Path) -> list[Path]:
        told = [] if named is None else [_text(draft / SUBMITTERS, named)]
        made = _suite(draft, name, own.values())
        _refuse_places_of_others(made, name, others)
        return [*made, *told]

    made = fill(folder, make)
    _tidy(folder, made, {**staying, name: own.values()} if name in published else others, {name})
    return made


def refresh(folder: Path) -> list[Path]:
    """Make every table and figure again from the records that are published, and `tables/claims.md` from all of them.

    Args:
        folder: `results`.

    Returns:
        The files.

    Raises:
        SpecError: if two suites make the same file.
        StoreError: if nothing is published there, or it cannot be read.
    """
    suites = read(folder / "records")
    for name in suites:
        _refuse_name(name)

    def make(draft: Path) -> list[Path]:
        owners: dict[Path, str] = {}
        for name, records in suites.items():
            for path in _suite(draft, name, merged({name: records}).values()):
                if (owner := owners.setdefault(path, name)) != name:
                    where = f"suites {owner} and {name} both make {path.relative_to(draft)}"
                    raise SpecError(f"{where}: remove the records of one, and publish them under another name")
        told = verdicts([record for records in suites.values() for record in records])
        return [*owners, _text(draft / "tables" / f"{CLAIMS}.md", told)]

    made = fill(folder, make)
    _tidy(folder, made, suites, suites.keys())
    return made


def _tidy(folder: Path, made: list[Path], suites: Suites, names: Iterable[str]) -> None:
    """Put away what stood there in another form, or no longer follows.

    Args:
        folder: `results`.
        made: the files that were put there.
        suites: all whose files lie there.
        names: of those that were made.
    """
    for path in made:
        if path.parent.name == "records":
            twin(path).unlink(missing_ok=True)
    drawn = {suite: _begins(suite, records) for suite, records in suites.items()}
    for name in names:
        for path in _made_of(folder, name, drawn) - set(made):
            path.unlink()


def verdicts(records: Iterable[Record]) -> str:
    """Every claim at the largest scale at which the records tell something, as a Markdown table."""
    return verdict_table(shown(judge(load_claims(), records)))


def _refuse_contradictions(
    sources: Mapping[str, Iterable[Record]], added: list[Record], name: str, place: Path | None, *, replaceable: bool
) -> None:
    """See that what is published contradicts neither itself nor what is added, and say if replacing would mend it.

    Args:
        sources: what is published, by the names of its files.
        added: of a suite.
        name: of the suite.
        place: its own file, if there is one.
        replaceable: whether it may make place.
    """
    try:
        merged({**sources, ADDED: added})
    except Conflict as conflict:
        if not replaceable or place is None or place.name not in sources:
            raise
        others = {file: records for file, records in sources.items() if file != place.name}
        merged({**others, ADDED: added})
        raise Conflict(f"{conflict}; or put these in the place of all that is published of {name}: --replace") from None


def _refuse_joining(place: Path, recorded: str | None, submitter: str | None, *, same: bool) -> None:
    """See that a suite whose sender chose its name adds nothing to another's, and takes it from nobody.

    Args:
        place: what is published under its name.
        recorded: who is told to have submitted that.
        submitter: who is told to have sent the suite.
        same: whether both have the same units.
    """
    if not (same if submitter is None else submitter == recorded):
        whose = f"submitted by {recorded}" if recorded else f"of nobody whom {SUBMITTERS} names"
        way = (
            f"give it a name of its own, --name; one submitter's two are joined if --from and {SUBMITTERS} both say so"
        )
        raise SpecError(plain(f"{place} is published already, {whose}: {way}"))


def _refuse_name(name: str) -> None:
    if name == CLAIMS:
        raise SpecError(f"a suite named {name} would share its table with the verdicts: give it another name, --name")


def _refuse_place(folder: Path, name: str, *, published: bool) -> None:
    """See that a suite that is published for the first time writes over nothing: `claims` and `x-bootstrap` are tables, too."""
    tables = (f"{name}.csv", f"{name}.md", f"{name}-bootstrap.csv")
    places = [
        *(folder / "records" / f"{name}{kind}" for kind in (RECORDS, PACKED)),
        *(folder / "tables" / table for table in tables),
    ]
    there = next((place for place in places if place.exists()), None)  # be it by another case of its letters
    if there and not published:
        raise SpecError(
            f"{there} is there already, and no records of a suite {name} are: give it another name, --name, or remove that file"
        )


def _refuse_places_of_others(made: Iterable[Path], name: str, others: Suites) -> None:
    """See that a suite makes no file that another one makes, or will: names go on with those of tasks, and may meet."""
    for suite, records in others.items():
        begins = _begins(suite, records)
        if path := next((path for path in made if _is_of(path, suite, begins)), None):
            where = f"{path.parent.name}/{path.name} is a file of suite {suite}, too"
            raise SpecError(f"{where}: give {name} another name, --name")


def _made_of(folder: Path, name: str, drawn: Mapping[str, tuple[str, ...]]) -> set[Path]:
    """The tables and figures of a suite that is published; another one may be called like one of its figures.

    Args:
        folder: `results`.
        name: of the suite.
        drawn: every suite that lies there -> with what the names of its figures begin.
    """
    there = [path for kind in ("tables/*", "plots/*.svg", "plots/*.png") for path in folder.glob(kind)]
    known = {suite: tuple(f"{suite}-{domain}-" for domain in registry.domains()) for suite in drawn}
    owner = {
        path: max((suite for suite in drawn if _is_of(path, suite, known[suite])), key=len, default=None)
        for path in there
    }
    others = {suite: begins for suite, begins in drawn.items() if suite != name}
    own = {path for path in there if owner[path] == name}
    return {path for path in own if not any(_is_of(path, suite, begins) for suite, begins in others.items())}


def _is_of(path: Path, suite: str, begins: tuple[str, ...]) -> bool:
    """Whether a file is, by its name, a table of a suite, or one of its figures, whose names begin so."""
    if path.parent.name == "plots":
        return path.name.startswith(begins)
    return path.parent.name == "tables" and path.stem in (suite, f"{suite}-bootstrap")


def _begins(suite: str, records: Iterable[Record]) -> tuple[str, ...]:
    """With what the names of a suite's figures begin, task by task."""
    from bench.report.figures.plots import plain_name  # noqa: PLC0415  reading must not wait for matplotlib

    stems = {f"{suite}-{plain_name(record['spec']['task']['name'])}" for record in records}
    return tuple(f"{stem}{end}" for stem in sorted(stems) for end in ".-")


def _beside(others: Suites, own: Mapping[Replicate, Record]) -> dict[Replicate, Record]:
    """What a suite is that somebody else sent: what other files hold of it, as it stands there, and all else."""
    refuse_additions({**others, ADDED: own.values()})
    stands = merged(others)
    return {replicate: stands.get(replicate, record) for replicate, record in own.items()}


def _ids(records: Iterable[Record]) -> set[str]:
    return {record["unit_id"] for record in records}


def _suite(folder: Path, name: str, records: Iterable[Record]) -> list[Path]:
    from bench.report.figures.plots import plot  # noqa: PLC0415  reading what is published must not wait for matplotlib

    ordered = sorted(records, key=lambda record: record["unit_id"])
    written = [write(folder / "records", name, map(canonical_json, ordered))]
    written += [_text(folder / "tables" / f"{name}.{style}", render(ordered, style)) for style in STYLES]
    if bootstrap := resamples(ordered):
        written.append(_text(folder / "tables" / f"{name}-bootstrap.csv", bootstrap))
    return written + plot(ordered, folder / "plots", stem=name)


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
