"""The sentences under a task's table: what its brackets mean, what is missing and why, where the task deviates."""

from collections import defaultdict

from bench.report.statistics.seeds import BOOTSTRAPPED, FEWEST
from bench.report.table.arms import Arm, Comparison
from bench.report.table.bootstrap import RESAMPLES, SEED
from bench.report.table.rows import CUT_OFF, OPPONENTS, UNCLAIMED, Row, Section, at_chance
from bench.report.table.transfers import transfers
from bench.spec import DENSE, Task, coincident
from bench.tickets.methods import METHODS

COLLAPSED = "†"
DIVERGED = "‡"
IMPORTED = "¶"
UNKNOWN = "‖"


def notes(section: Section) -> list[str]:
    """What a reader must know about the table of one task, a sentence or two each.

    Args:
        section: the table.

    Returns:
        Plain text. Names of methods and columns stand between backticks; a task's own sentences come as written.
    """
    comparison, task = section.comparison, section.comparison.task
    rows = [row for _, row in section.headline]
    return [
        *marks(section),
        *_intervals(rows),
        *_verdicts(rows, task),
        *_cut_off(rows),
        *strange(comparison),
        *hopeless(comparison),
        *_bootstrap(section.arms),
        *transfers(task, section.arms),
        *_missing(section),
        *_fewer(section),
        *_not_run(comparison),
        *_nulls(section.arms),
        *(f"Deviation: {sentence}" for sentence in task.deviations),
    ]


def marks(section: Section) -> list[str]:
    """What the marks in the cells of a table mean."""
    chance = section.comparison.task.chance
    empty: dict[str, list[str]] = defaultdict(list)
    for arm in section.arms:
        if collapsed(arm):
            empty[", ".join(collapsed(arm))].append(arm.label)
    gone = [f"{arm.label} ({_list('seed', arm.diverged)})" for arm in section.arms if arm.diverged]
    believed = [f"{arm.label} ({_list('seed', arm.imported)})" for arm in section.arms if arm.imported]
    unknown = sorted({f"{arm.method} (version {arm.version})" for arm in section.arms if not arm.installed})
    return [
        *(f"{COLLAPSED} Without a single weight: {layers}, in {', '.join(arms)}." for layers, arms in empty.items()),
        *([f"{DIVERGED} Diverged, counted at chance ({chance:g}): {'; '.join(gone)}."] if gone else []),
        *(
            [f"{IMPORTED} From an imported file, believed and not made here: {'; '.join(believed)}."]
            if believed
            else []
        ),
        *(
            [
                f"{UNKNOWN} Not installed here, or another version of it: {', '.join(unknown)}; nothing is compared with it."
            ]
            if unknown
            else []
        ),
    ]


def collapsed(arm: Arm) -> list[str]:
    """The prunable layers that lost every weight at some seed of `arm`, by name; a bias cuts nothing off."""
    layers = {layer for record in arm.records.values() for layer in record["counts"]["collapsed"]}
    return sorted(layer for layer in layers if not layer.endswith("bias"))


def _intervals(rows: list[Row]) -> list[str]:
    many = any(row.n >= BOOTSTRAPPED for row in rows)
    found = [f"Brackets: 95 % t interval over seeds{', bootstrapped from 8 seeds on' * many}."]
    if any(row.n < FEWEST for row in rows):
        found = [f"{found[0]} Fewer than {FEWEST} seeds: no interval, `n < {FEWEST}`."]
    if any(row.vs_dense is not None or row.vs_random is not None for row in rows):
        found.append("Columns `vs`: difference paired by seed, positive where the row's method is better.")
    return found


def _verdicts(rows: list[Row], task: Task) -> list[str]:
    found = []
    if any(row.matching is not None for row in rows):
        found.append(f"Matching: the lower bound against `dense` is at least {-task.tolerance:g}.")
    if task.scale in UNCLAIMED:
        found.append(f"Scale {task.scale}: no verdict on a claim.")
    elif any(row.verdict is not None for row in rows):
        found.append(
            "Verdict: `winning` has its lower bounds against `random-ticket`, `reinit` and `shuffled` above zero, "
            "`better` the one against `random-ticket`; `worse` has that upper bound below zero."
        )
    withheld = any(row.vs_dense_low is not None and row.matching is None for row in rows)
    if task.fewest_seeds > FEWEST and (withheld or any(row.verdict is not None for row in rows)):
        found.append(f"Seeds of this task fall apart into good and bad ones: no verdict below {task.fewest_seeds}.")
    return found


def _cut_off(rows: list[Row]) -> list[str]:
    if not any(row.verdict == f"none ({CUT_OFF})" for row in rows):
        return []
    sentence = "no path from input to output is left at any seed: such a network answers the same to whatever it sees"
    return [f"`none ({CUT_OFF})`: {sentence}."]


def strange(comparison: Comparison) -> list[str]:
    if comparison.installed:
        return []
    sentence = "This task is not installed here: its tolerance, chance score and source are what the records say of it,"
    return [f"{sentence} so nothing is normalised or matching and there is no verdict."]


def hopeless(comparison: Comparison) -> list[str]:
    task, at = comparison.task, comparison.task.at[0]
    if not at_chance(comparison, at):
        return []
    sentence = (
        f"`{DENSE}` is within {task.tolerance:g} of chance ({task.chance:g}): it learned nothing that a subnetwork"
    )
    return [f"{sentence} could keep or lose, so nothing is normalised and there is no verdict."]


def _bootstrap(arms: tuple[Arm, ...]) -> list[str]:
    records = [record for arm in arms for record in arm.records.values()]
    told = {(each["items"]["metric"], each["items"]["signature"]) for each in records if "items" in each}
    if not told:
        return []
    sentence = (
        f"Bootstrap: the two networks of one seed on {RESAMPLES:,} resamples of the test items (seed {SEED}), with the "
        "2.5th and 97.5th percentiles of their difference. It knows no noise between trainings: read it beside the "
        "interval over seeds, never instead."
    )
    return [*(f"Signature of `{metric}`: {signature}." for metric, signature in sorted(told)), sentence]


def _missing(section: Section) -> list[str]:
    """The opponents without which columns stay empty, level by level."""
    comparison = section.comparison
    levels = sorted({arm.level for arm in section.arms if arm.level > 0})
    found = []
    for method in OPPONENTS.values():
        without = [level for level in levels if comparison.arm(method, level) is None]
        if without:
            where = "" if method == DENSE or without == levels else f" at {_list('level', without)}"
            found.append(f"`{method}` was not run{where}: nothing to compare with.")
    return found


def _fewer(section: Section) -> list[str]:
    """The rows that rest on fewer seeds than there are records, and comparisons on fewer than the row's own `n`."""
    comparison = section.comparison
    headline = comparison.task.metric, comparison.task.at[0]
    without = [arm.label for arm in section.arms if len(arm.scores[headline]) < len(arm.records)]
    found = []
    for arm in section.arms:
        for method in OPPONENTS.values():
            opponent = comparison.arm(method, arm.level)
            own = arm.scores[headline].keys()
            common = own & opponent.scores[headline].keys() if opponent else own
            if len(common) < len(own):
                found.append(f"{arm.label} with `{method}` ({len(common)})")
    return [
        *([f"Records without this score, not in n: {'; '.join(without)}."] if without else []),
        *([f"Compared on fewer seeds than n: {'; '.join(found)}."] if found else []),
    ]


def _not_run(comparison: Comparison) -> list[str]:
    task, run = comparison.task, {arm.method for arm in comparison.arms if arm.installed}
    aliases = {name: same for name in METHODS if name not in run and (same := coincident(name, task)) in run}
    reasons = {"ticket-init": " (rewind step 0)", "fine-tune": " (constant learning rate)"}
    return [
        *(f"`{name}` is `{same}` here{reasons.get(name, '')}." for name, same in aliases.items()),
        *(f"`{name}` cannot run here: {reason}" for name, reason in task.unsupported.items() if name not in run),
    ]


def _nulls(arms: tuple[Arm, ...]) -> list[str]:
    columns: dict[str, set[str]] = defaultdict(set)
    for record in (record for arm in arms for record in arm.records.values()):
        for column, reason in record["nulls"].items():
            columns[reason].add(column)
    return [
        f"Null: {', '.join(f'`{each}`' for each in sorted(columns[reason]))}: {reason}" for reason in sorted(columns)
    ]


def _list(word: str, numbers: list[int]) -> str:
    return f"{word}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
