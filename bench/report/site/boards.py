"""The board of tickets: which method finds the sparsest matching network, per task and over all of them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.site.anchors import Page
from bench.report.site.markup import Column, attributes, label, link, listed, percent, row, sentence, table, text
from bench.report.site.measured import NOTE, of_arm
from bench.report.site.standings import Overall, Standing, overall, standings

TICKETS = (
    Column("task", number=False),
    Column("method", number=False),
    Column("rank"),
    Column("density %"),
    Column("unbroken to %"),
    Column("score [low, high]"),
    Column("vs dense"),
    Column("n"),
    Column("levels matching"),
    Column("search cost"),
    Column("verdict", number=False),
)
MEASURED = Column("measured / claimed", number=False)
TICKET_NOTES = (
    (
        "Density: of the sparsest network whose score is not worse than dense by more than the task's tolerance, by the lower "
        "bound of the 95 % interval over seeds. A method that was run at more levels had more chances: `levels matching` "
        "says of how many, `unbroken to` down to which density all of them match."
    ),
    "Search cost: optimizer updates spent to obtain that network, those of its ancestors included.",
    "Every number leads to the records that it was computed from.",
)
OVERALL_NOTES = (
    (
        "Geometric mean of the sparsest matching density over the tasks, 100 % where nothing matches; only tasks at scales that "
        "carry a verdict, in their newest version. Methods were not all run on the same tasks: compare those with as many."
    ),
)


def tickets(pages: Sequence[Page]) -> str:
    """Which method finds the sparsest matching network: over all tasks, and per task."""
    found = standings(pages)
    again = any(page.measured for page in pages)
    columns = beside(TICKETS, "score [low, high]") if again else TICKETS
    rows = [_ticket_row(each, columns) for each in found]
    if not rows:
        return "<p>No finished records.\n"
    summary = overall(found)
    return "".join(
        [
            "<h2>Tickets: which method finds the sparsest network that matches dense</h2>\n",
            _overall(summary) if summary else "",
            "<h3>Per task</h3>\n",
            table(columns, rows, key="tickets", caption="The sparsest matching network of every method on every task."),
            listed(map(sentence, (*TICKET_NOTES, NOTE) if again else TICKET_NOTES)),
        ]
    )


def beside(columns: Sequence[Column], claimed: str) -> tuple[Column, ...]:
    """The columns with `MEASURED` behind the one that is called `claimed`."""
    place = 1 + [each.name for each in columns].index(claimed)
    return (*columns[:place], MEASURED, *columns[place:])


def outcome(told: str) -> str:
    """What the intervals say of an arm, readable without colour."""
    mark = {"winning": "★ ", "better": "↑ ", "worse": "↓ "}.get(told, "")
    return f'<span class="badge {told}">{mark}{told}</span>' if mark else text(told)


def _overall(found: Sequence[Overall]) -> str:
    domains = sorted({domain for each in found for domain in each.domains})
    columns = (
        Column("method", number=False),
        Column("tasks"),
        Column("matches on"),
        Column("sparsest on"),
        Column("mean density %"),
        *(Column(f"{label(domain)} %") for domain in domains),
    )
    rows = [
        row(
            (
                text(each.method),
                str(each.tasks),
                str(each.matched),
                str(each.first),
                percent(each.density),
                *(percent(each.domains[domain]) if domain in each.domains else "" for domain in domains),
            ),
            columns,
            attributes({"m": label(each.method)}),
        )
        for each in found
    ]
    shown = table(columns, rows, key="methods", caption="Every method over the tasks of all domains.")
    return f"<h3>Across domains</h3>\n{shown}{listed(map(sentence, OVERALL_NOTES))}"


def _ticket_row(standing: Standing, columns: Sequence[Column]) -> str:
    page, task, best = standing.page, standing.page.task, standing.best
    place = (best or standing.rows[-1])[0]
    told = page.cells[place] if best else {}

    def to(number: str) -> str:
        return link(page.arms[place], text(number), again=True) if number else ""

    cells = (
        link(page.anchor, f"{text(task.key)}{_version(page)}"),
        text(standing.method),
        str(standing.rank or ""),
        link(page.arms[place], percent(best[1].density) if best else text(standing.told)),
        to("" if standing.unbroken is None else percent(standing.unbroken)),
        to(told.get("mean [low, high]", "")),
        *([to(of_arm(page.section.arms[place], page.measured) if best else "")] if MEASURED in columns else []),
        *(to(told.get(name, "")) for name in ("vs dense", "n")),
        f"{standing.matched} of {standing.judged}" if standing.judged else "",
        to(told.get("search cost", "")),
        outcome(told.get("verdict", "")),
    )
    names = {"d": label(task.domain), "t": label(task.name), "m": label(standing.method)}
    density = {"p": f"{100 * best[1].density:.4g}"} if best else {}
    return row(cells, columns, attributes(names | density) + " class=old" * (not page.newest))


def _version(page: Page) -> str:
    version = f" <small>version {page.task.version:d}{'' if page.newest else ', superseded'}</small>"
    return version if page.task.version > 1 or not page.newest else ""
