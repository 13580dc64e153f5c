"""The uniform table: one row per task, method, level, metric and way of reading it; the same columns for every domain."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from bench.record import Record
from bench.report.statistics.seeds import Interval, interval, not_worse, paired
from bench.report.table.arms import Arm, Comparison, comparisons, measured
from bench.spec import DENSE, Direction, Scale, Task

UNCLAIMED = ("smoke", "quick")
"""Scales that spend too little of a source's budget to carry a verdict on its claims."""

CUT_OFF = "cut off"
"""Why an arm without a path from input to output has no verdict."""

TICKET, RANDOM = "ticket", "random-ticket"
UNINSTALLED = " (not installed)"
"""Behind the version of a task or method that is not."""
OPPONENTS = {"dense": DENSE, "random": RANDOM, "reinit": "reinit", "shuffled": "shuffled"}
"""Column `vs_*` -> the method it compares with: of the same task and level, dense at level 0. They are there to judge `TICKET`."""


Seeds = Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. None: there is nothing to say, because an opponent or an interval is missing.

    Args:
        mean: of the metric over the seeds, in its own unit; a diverged seed counts at the task's chance score.
        score_normalised: 0 at chance, 1 at the dense mean; None where dense is within the tolerance of chance. Only of
            the task's own metric, and of tasks that are installed, like `matching`.
        vs_dense: difference paired by seed, positive where this row's method is better whatever the direction.
        matching: the paired lower bound against dense is at least minus the task's tolerance.
        verdict: see `verdict`.
        flops_ratio: theoretical multiply-adds over those of the dense network.
        search_cost: updates spent to obtain this point, ancestors included; mean over the seeds.
        versions: of everything that could change the numbers.
    """

    task: str
    domain: str
    scale: Scale
    method: str
    level: int
    density: float
    sparsity: float
    n: int
    n_diverged: int
    metric: str
    split: str
    at: str
    direction: Direction
    mean: float | None
    low: float | None
    high: float | None
    score_normalised: float | None
    vs_dense: float | None
    vs_dense_low: float | None
    vs_dense_high: float | None
    vs_random: float | None
    vs_random_low: float | None
    vs_random_high: float | None
    vs_reinit: float | None
    vs_reinit_low: float | None
    vs_reinit_high: float | None
    vs_shuffled: float | None
    vs_shuffled_low: float | None
    vs_shuffled_high: float | None
    matching: bool | None
    verdict: str | None
    density_weights: float
    density_total: float
    effective_density: float | None
    flops_ratio: float | None
    search_cost: float
    versions: str

    def bounds(self, name: str) -> tuple[float | None, float | None, float | None]:
        """Mean, lower and upper bound of `mean` or of one of the `vs_*`."""
        return tuple(getattr(self, field) for field in _bounded(name))


def _bounded(name: str) -> tuple[str, str, str]:
    """The three fields of a mean or difference with its interval."""
    return ("mean", "low", "high") if name == "mean" else (name, f"{name}_low", f"{name}_high")


COLUMNS = tuple(item.name for item in fields(Row))
_AVERAGED = ("density", "density_weights", "density_total", "effective_density", "search_cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The part of the table that belongs to one task.

    Args:
        comparison: the task and its arms.
        arms: those that are shown.
        rows: for each metric and each entry of the task's `at`, the headline first, one row per shown arm.
    """

    comparison: Comparison
    arms: tuple[Arm, ...]
    rows: tuple[Row, ...]

    @property
    def headline(self) -> list[tuple[Arm, Row]]:
        """The shown arms with their rows of the headline score."""
        return list(zip(self.arms, self.rows, strict=False))

    @property
    def dense(self) -> tuple[Arm, Row] | None:
        """The dense network with its row of the headline score, if it is shown; one that is not installed stands for nobody's."""
        known = self.comparison.arm(DENSE, 0)
        return next((pair for pair in self.headline if pair[0] is known), None)

    @property
    def besides(self) -> dict[str, list[Row]]:
        """What else was measured, metric -> its rows at the headline's `at`, one per arm."""
        task = self.comparison.task
        by_metric: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.metric != task.metric and row.at == task.at[0]:
                by_metric.setdefault(row.metric, []).append(row)
        return by_metric


def rows(records: Iterable[Record]) -> list[Row]:
    """The table of `records`, in the order of its sections.

    Args:
        records: in any order.
    """
    return [row for section in sections(records) for row in section.rows]


def sections(records: Iterable[Record], methods: Collection[str] | None = None) -> list[Section]:
    """The table of `records`, task by task.

    Args:
        records: in any order.
        methods: shown; all if None. What they are compared with need not be among them.
    """
    return [section for comparison in comparisons(records) if (section := section_of(comparison, methods)).arms]


def section_of(comparison: Comparison, methods: Collection[str] | None = None) -> Section:
    """The table of one task, as `sections` has it."""
    arms = tuple(arm for arm in comparison.arms if methods is None or arm.method in methods)
    return Section(comparison=comparison, arms=arms, rows=tuple(_rows(comparison, arms)))


def learned(comparison: Comparison, at: str) -> float | None:
    """How far the dense network got from chance, positive where it is better; None if it was not run."""
    task, dense = comparison.task, comparison.arm(DENSE, 0)
    reached = list(dense.scores[task.metric, at].values()) if dense else []
    if not reached:
        return None
    gain = interval(reached).mean - task.chance
    return gain if task.direction == "max" else -gain


def at_chance(comparison: Comparison, at: str) -> bool:
    """Whether the dense network learned nothing that a subnetwork could keep or lose."""
    gain = learned(comparison, at)
    return gain is not None and gain <= comparison.task.tolerance


def unjudged(comparison: Comparison, at: str) -> str | None:
    """Why no row of a task may carry a verdict, in a word or two; None if they may."""
    task = comparison.task
    if not comparison.installed:
        return "not installed"  # nobody here vouches for its tolerance, its chance score or its meaning
    if task.scale in UNCLAIMED:
        return task.scale
    return "dense at chance" if at_chance(comparison, at) else None


def _silent(comparison: Comparison, arm: Arm, at: str) -> str | None:
    """Why the row of an arm may carry no verdict; None if it may."""
    return unjudged(comparison, at) or (CUT_OFF if arm.cut_off else None)


def verdict(task: Task, method: str, gaps: Mapping[str, Interval | None], *, why_none: str | None = None) -> str | None:
    """What the paired intervals say about a method.

    Args:
        task: its `fewest_seeds` say whether there can be a verdict.
        method: the row's.
        gaps: `random`, `reinit`, `shuffled` -> paired interval, positive where the method is better; None where the
            opponent was not run or is the method itself.
        why_none: what `unjudged` says, or that the network is cut off.

    Returns:
        `winning`: above the random ticket, reinit and shuffled; all three must have been run.
        `better`: above the random ticket only. `worse`: below the random ticket. `inconclusive`: neither.
        `n < 3`: no interval, or too few seeds for this task. `none (quick)`: why there is none.
        None for dense, for the random ticket itself, and where no random ticket was run: nothing was compared.
    """
    random = gaps["random"]
    if method in (DENSE, RANDOM) or random is None:
        return None
    if why_none:
        return f"none ({why_none})"
    if random.low is None or random.high is None or random.n < task.fewest_seeds:
        return f"n < {task.fewest_seeds}"
    if random.low <= 0:
        return "worse" if random.high < 0 else "inconclusive"
    return "winning" if all(_beaten(gaps[rival], task) for rival in ("reinit", "shuffled")) else "better"


def _beaten(gap: Interval | None, task: Task) -> bool:
    return gap is not None and gap.n >= task.fewest_seeds and gap.low is not None and gap.low > 0


def _rows(comparison: Comparison, arms: tuple[Arm, ...]) -> Iterator[Row]:
    task = comparison.task
    for metric in measured(task):
        for at in task.at:
            if metric == task.metric or any(arm.scores[metric, at] for arm in arms):
                yield from (_row(comparison, arm, metric, at) for arm in arms)


def _row(comparison: Comparison, arm: Arm, metric: str, at: str) -> Row:
    task, own = comparison.task, arm.scores[metric, at]
    mean = interval(own.values()) if own else None
    gaps = {column: _gap(comparison, arm, (metric, at), method) for column, method in OPPONENTS.items()}
    averages: dict[str, Any] = {name: arm.average(name) for name in _AVERAGED}
    claims = metric == task.metric
    judged = claims and comparison.installed
    return Row(
        task=task.name,
        domain=task.domain,
        scale=task.scale,
        method=arm.method,
        level=arm.level,
        sparsity=1 - averages["density"],
        n=len(own),
        n_diverged=len(arm.diverged),
        metric=metric,
        split=task.split,
        at=at,
        direction=task.directions[metric],
        score_normalised=_normalised(comparison, at, mean) if judged else None,
        matching=_matching(task, gaps["dense"]) if judged else None,
        verdict=verdict(task, arm.method, gaps, why_none=_silent(comparison, arm, at)) if claims else None,
        flops_ratio=arm.flops_ratio,
        versions=_versions(comparison, arm),
        **averages,
        **_fields("mean", mean),
        **{name: value for column, gap in gaps.items() for name, value in _fields(f"vs_{column}", gap).items()},
    )


def _matching(task: Task, gap: Interval | None) -> bool | None:
    """Whether it is not worse than dense; None where too few seeds of both tell it."""
    return not_worse(gap, task.tolerance) if gap is not None and gap.n >= task.fewest_seeds else None


def _gap(comparison: Comparison, arm: Arm, score: tuple[str, str], method: str) -> Interval | None:
    sides = opposed(comparison, arm, score, method)
    return paired(*sides) if sides else None


def opposed(comparison: Comparison, arm: Arm, score: tuple[str, str], method: str) -> tuple[Seeds, Seeds] | None:
    """The scores of an arm and of its opponent, seed -> value, ordered so that first minus second is what the arm is better.

    Args:
        comparison: of the arm's task.
        arm: one of its arms.
        score: metric and way of reading it.
        method: the opponent's.

    Returns:
        None if the opponent was not run, or is the arm's own method.
    """
    opponent = None if method == arm.method else comparison.arm(method, arm.level)
    if opponent is None:
        return None
    own, other = arm.scores[score], opponent.scores[score]
    return (own, other) if comparison.task.directions[score[0]] == "max" else (other, own)


def _fields(name: str, gap: Interval | None) -> dict[str, Any]:
    values = (None, None, None) if gap is None else (gap.mean, gap.low, gap.high)
    return dict(zip(_bounded(name), values, strict=True))


def _normalised(comparison: Comparison, at: str, mean: Interval | None) -> float | None:
    task, gain = comparison.task, learned(comparison, at)
    if mean is None or gain is None or at_chance(comparison, at):
        return None
    own = mean.mean - task.chance
    return (own if task.direction == "max" else -own) / gain


def _versions(comparison: Comparison, arm: Arm) -> str:
    told = [record["provenance"].get("versions", {}) for record in arm.records.values()]
    software = [
        f"{name} {'/'.join(sorted({str(versions[name]) for versions in told if name in versions}))}"
        for name in ("ticketbench", "torch")
        if any(name in versions for versions in told)
    ]
    asked = {"task": (comparison.task.version, comparison.installed), "method": (arm.version, arm.installed)}
    return ", ".join(
        [
            *software,
            *(f"{what} {version}{'' if known else UNINSTALLED}" for what, (version, known) in asked.items()),
        ]
    )
