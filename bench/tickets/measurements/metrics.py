"""From a curve to the numbers that are recorded: nothing is ever selected on test data."""

from bench.record import CurvePoint, Metric
from bench.spec import VALIDATION, Task, share_of_budget


def metrics(task: Task, curve: list[CurvePoint], *, steps: int, diverged: bool, settled: float) -> list[Metric]:
    """Every metric of every split: at the end, at the validation optimum, early in training, as the task says.

    The early-stop step is the first best value of `task.select` on `val`, of a network that has no more weights than its level
    leaves: test numbers are only read there. After a share of the budget is the first evaluation there or later; of a training
    that starts later, its first.
    A diverged unit has nulls everywhere.

    Args:
        task: says what is recorded.
        curve: every evaluation, in order.
        steps: how far training went; where the nulls of a diverged unit stand.
        diverged: whether training left the finite numbers.
        settled: the step behind which nothing is pruned any more, 0 of a mask that stays; see `bench.tickets.columns.TrainingColumn.settled`.
    """
    whole = bool(curve) and not diverged
    points = {at: _read(task, curve, at, settled) if whole else None for at in task.at}
    return [
        {
            "name": name,
            "split": split,
            "at": at,
            "value": point["metrics"][split].get(name) if point else None,
            "direction": direction,
            "step": point["step"] if point else steps,
        }
        for at, point in points.items()
        for split in task.splits
        for name, direction in task.directions.items()
        if point is None or name in point["metrics"][split]
    ]


def _read(task: Task, curve: list[CurvePoint], at: str, settled: float) -> CurvePoint:
    """The point of the curve that an entry of the task's `at` means."""
    share = share_of_budget(at)
    if share is not None:
        return next((point for point in curve if point["step"] >= share * task.budget), curve[-1])
    if at == "early-stop":
        return best(task, [point for point in curve if point["step"] > settled] or curve[-1:])
    return curve[-1]


def best(task: Task, curve: list[CurvePoint]) -> CurvePoint:
    """The first point of the curve with the best validation value of `task.select`."""
    assert task.select is not None
    sign = 1 if task.directions[task.select] == "min" else -1
    return min(curve, key=lambda point: sign * point["metrics"][VALIDATION][str(task.select)])
