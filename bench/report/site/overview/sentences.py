"""What the records show and what it costs, in three sentences: each number comes from the ranking, and has its interval."""

from __future__ import annotations

from bench import registry
from bench.report.site.overview.ranking import Ranked, Ranking
from bench.report.statistics.seeds import FEWEST, Interval

RIVALS = 2
"""Methods that the reference is set against in a sentence, at most."""


def sentences(ranking: Ranking) -> list[tuple[str, str]]:
    """What is best, how sure that is, and the price: a word and a sentence each, methods as code spans."""
    if ranking.reference is None:
        return _undecided()
    best = ranking.ranked[0]
    return [("Best", _best(ranking, best)), ("How sure", _sure(ranking, best)), ("Price", _price(ranking, best))]


def _undecided() -> list[tuple[str, str]]:
    return [
        (
            "Best",
            f"no method can be named yet: none was run beside a dense network above chance, with {FEWEST} seeds or more.",
        ),
        ("How sure", f"no intervals: they start at {FEWEST} seeds, and smoke and quick scales carry no verdict."),
        ("Price", "what each network has cost so far stands task by task under Tickets, in updates."),
    ]


def _best(ranking: Ranking, best: Ranked) -> str:
    first = f"`{best.method}` keeps {_percent(best.score)} of what the dense network learns"
    others = ranking.ranked[1:]
    if not others:
        return f"{first}, over {_tasks(ranking)}; no other method was run on all of them."
    last = f", the last, {_name(others[-1])}, {_percent(others[-1].score)}" if len(others) > 1 else ""
    field = f"of the {len(ranking.ranked)} methods run on {'all ' if len(ranking.ground) > 1 else ''}{_tasks(ranking)}"
    ahead = ranking.lead is not None and ranking.lead.low is not None and ranking.lead.low > 0
    doubt = "" if ahead else "; the first two cannot be told apart"
    return f"{first}, the most {field}; {_name(others[0])} keeps {_percent(others[0].score)}{last}{doubt}."


def _sure(ranking: Ranking, best: Ranked) -> str:
    seeds = f"{ranking.seeds} seeds of each task, as many as all have, 95 % intervals"
    if best.better:
        return f"a run of it beats one of `{ranking.reference}` {_percent(best.better)} of the time; {seeds}."
    rivals = [each for each in ranking.methods if each.better]
    rivals = sorted(rivals, key=lambda each: (each.rank is None, -each.shared, each.rank or 0))[:RIVALS]
    if not rivals:
        return f"nothing was run beside it on a task; {seeds}."
    told = (f"one of `{each.method}` {_percent(each.worse)}{_where(ranking, each)}" for each in rivals)
    return f"a run of `{best.method}` beats {', '.join(told)} of the time; {seeds}."


def _price(ranking: Ranking, best: Ranked) -> str:
    """Of the best, and of the cheaper method that matches on the most tasks."""
    low, high = best.range
    spread = f" ({low:.2g} to {high:.2g})" if f"{low:.2g}" != f"{high:.2g}" else ""
    paid = f"{best.cost:.2g}{spread} trainings of dense"
    if best.density is None:
        own = f"`{best.method}` matches dense on none of {_tasks(ranking)}, after {paid}"
    else:
        kept = f"{100 * best.density:.2g} % of the weights"
        where = f"on {best.matched} of {_tasks(ranking)}"
        own = f"`{best.method}` matches dense {where}, at its sparsest with {kept}, and costs {paid}"
    others = [each for each in ranking.methods if each.density is not None and each.cost < best.cost]
    if not others:
        return f"{own}; nothing cheaper matches anywhere."
    cheap = min(others, key=lambda each: (-each.matched, each.cost, each.method))
    kept = f"with {100 * (cheap.density or 1.0):.2g} % for {cheap.cost:.2g}"
    return f"{own}; the best that is cheaper, `{cheap.method}`, matches on {cheap.matched} of {cheap.tasks}, {kept}."


def _where(ranking: Ranking, each: Ranked) -> str:
    return "" if each.shared == len(ranking.ground) else f" on the {_count(each.shared)} they share"


def _tasks(ranking: Ranking) -> str:
    return _count(len(ranking.ground))


def _count(tasks: int) -> str:
    return f"{tasks} task{'s' * (tasks > 1)}"


def _name(each: Ranked) -> str:
    method = registry.known_method(each.method)
    return f"`{each.method}`{f' ({method.about})' if method and method.about else ''}"


def _percent(score: Interval | None) -> str:
    assert score is not None, "who is ranked has a score"
    bounds = "" if score.low is None or score.high is None else f" [{100 * score.low:.0f}, {100 * score.high:.0f}]"
    return f"{100 * score.mean:.0f} %{bounds}"
