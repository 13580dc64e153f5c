"""What the records show and what it costs, in three sentences: each number comes from the ranking, and has its interval."""

from __future__ import annotations

from bench import registry
from bench.report.site.overview.ranking import Ranked, Ranking
from bench.report.statistics.seeds import FEWEST, Interval
from bench.report.table.rows import UNCLAIMED

RIVALS = 2
"""Methods that the reference is set against in a sentence, at most."""


def sentences(ranking: Ranking) -> list[tuple[str, str]]:
    """What is best, how sure that is, and the price: a word and a sentence each, methods as code spans."""
    if ranking.reference is None:
        return _undecided(ranking)
    best = ranking.ranked[0]
    return [("Best", _best(ranking, best)), ("How sure", _sure(ranking, best)), ("Price", _price(ranking, best))]


def _undecided(ranking: Ranking) -> list[tuple[str, str]]:
    lacking = f"none was run beside a dense network above chance, with {FEWEST} seeds or more"
    unsure = f"no intervals: they start at {FEWEST} seeds"
    if ranking.tiny:
        lacking = f"all of this was run at {' or '.join(UNCLAIMED)} scale, where too little is trained to name one"
        unsure = "intervals below are over seeds, and at these scales none of them is a verdict"
    return [
        ("Best", f"no method can be named yet: {lacking}."),
        ("How sure", f"{unsure}."),
        ("Price", "what each network has cost so far stands task by task under Tickets, in updates."),
    ]


def _best(ranking: Ranking, best: Ranked) -> str:
    learnt, others = f"of what the dense network learns, at {_densities(ranking)} % of the weights", ranking.ranked[1:]
    if not others:
        alone = "no other method was run on all of them"
        return f"`{best.method}` keeps {_kept(best, explained=True)} {learnt}, over {_tasks(ranking)}; {alone}{_elsewhere(ranking)}."
    field = f"of the {len(ranking.ranked)} methods run on {'all ' if len(ranking.ground) > 1 else ''}{_tasks(ranking)}"
    first = f"`{best.method}` keeps the most {learnt}: {_kept(best, explained=True)}"
    last = f", the last, {_name(others[-1])}, {_kept(others[-1])}" if len(others) > 1 else ""
    ahead = ranking.lead is not None and ranking.lead.low is not None and ranking.lead.low > 0
    doubt = "" if ahead else "; the first two cannot be told apart"
    second = f"{_name(others[0])} keeps {_kept(others[0])}"
    return f"{field}, {first}; {second}{last}{doubt}{_elsewhere(ranking)}."


def _kept(each: Ranked, *, explained: bool = False) -> str:
    """The interquartile mean with its interval, and the mean that leaves nothing out."""
    assert each.whole is not None, "who is ranked has a score"
    middle, all_of_it = (" in the middle half of seeds and tasks", " over all") if explained else ("", "")
    return f"{_percent(each.score)}{middle} ({100 * each.whole:.0f} %{all_of_it})"


def _elsewhere(ranking: Ranking) -> str:
    """Who was run on some of the tasks only, and is better there: no rank, and yet no less true."""
    better = ranking.ahead
    if not better:
        return ""
    named = ", ".join(
        f"`{each.method}` by {_points(each.gap)} points ({_part(ranking, each)})" for each in better[:RIVALS]
    )
    more = f", and {len(better) - RIVALS} more" if len(better) > RIVALS else ""
    return f". Run on fewer, but better there: {named}{more}"


def _part(ranking: Ranking, each: Ranked) -> str:
    """The tasks that a method shares with the reference, and their domain where that is one."""
    domains = {page.task.domain for page in ranking.ground if page.anchor in each.networks}
    of = f" of {domains.pop()}" if len(domains) == 1 < len(ranking.ground) else ""
    return f"{_count(each.shared)}{of}{_seeds(ranking, each)}"


def _seeds(ranking: Ranking, each: Ranked) -> str:
    """Those of its interval, where these are others than are told of all."""
    return f", {each.gap.n} seeds" if each.gap and each.gap.n != ranking.seeds else ""


def _sure(ranking: Ranking, best: Ranked) -> str:
    seeds = f"brackets: 95 % intervals, {ranking.seeds} seeds a task, as many as all have"
    if best.better:
        return f"`{best.method}` is {_apart(best, ranking.reference, 1)}; {seeds}."
    rivals = [each for each in ranking.methods if each.worse]
    rivals = sorted(rivals, key=lambda each: (each.rank is None, -each.shared, each.rank or 0))[:RIVALS]
    if not rivals:
        return f"nothing was run beside `{best.method}` on a task; {seeds}."
    told = (f"{_apart(each, each.method, -1)}{_where(ranking, each)}" for each in rivals)
    return f"`{best.method}` is {', '.join(told)}; {seeds}."


def _apart(each: Ranked, rival: str | None, side: int) -> str:
    """How far a method is ahead of `rival`, the reference, or behind it, and how often; from the other side with a `side` of -1."""
    assert each.gap is not None, "who is compared has a gap"
    leads = side * each.gap.mean > 0
    sign = side if leads else -side
    odds = each.better if sign > 0 else each.worse
    word = "ahead of" if leads else "behind"
    return f"{word} `{rival}` by {_points(each.gap, sign)} points ({_percent(odds)} of seed pairs)"


def _price(ranking: Ranking, best: Ranked) -> str:
    """Of the best, and of the cheaper method that matches on the largest share of its tasks, beside the best there."""
    matches = "matches dense (within tolerance, by its interval)"
    if best.matched:
        costs = [f"{end([each.cost for each in best.matching]):.2g}" for end in (min, max)]
        paid = _paid(best, f"% of the weights{_rest(best)}")
        spread = f" ({' to '.join(costs)} by task)" if costs[0] != costs[1] else ""
        own = f"`{best.method}` {matches} on {best.matched} of {_tasks(ranking)}, with {paid}{spread}"
    else:
        own = f"`{best.method}` {matches} on none of {_tasks(ranking)}"
    others = [each for each in ranking.broad if _cheaper(each, best)]
    if not others:
        return f"{own}; nothing cheaper matches anywhere."
    cheap = min(others, key=lambda each: (-each.matched / each.tasks, -each.tasks, each.cost, each.method))
    beside = best.on(cheap.networks)
    there = f"{beside.matched}, with {_paid(beside)}" if beside.matched else "none"
    share = f"{cheap.matched} of its {_count(cheap.tasks)}, with {_paid(cheap)}"
    return f"{own}; of what is cheaper `{cheap.method}` matches most, on {share}; there `{best.method}` matches on {there}."


def _cheaper(each: Ranked, best: Ranked) -> bool:
    """Whether it matches somewhere, for less than the best does on the same tasks."""
    own, beside = each.cost, best.on(each.networks).cost
    return each is not best and own is not None and (beside is None or own < beside)


def _paid(each: Ranked, unit: str = "%") -> str:
    """Density and cost of its networks that match."""
    assert each.density is not None, "asked of what matches somewhere"
    assert each.cost is not None, "it has a cost where it has a density"
    trainings = f"{each.cost:.2g}"
    return f"{100 * each.density:.2g} {unit} for {trainings} dense training{'s' * (trainings != '1')}"


def _rest(each: Ranked) -> str:
    """What the density counts where nothing matches, if that is anywhere; the cost has nothing to count there."""
    return " (100 % where it does not)" if each.matched < each.tasks else ""


def _densities(ranking: Ranking) -> str:
    """The least and the most at which scores were read, in percent."""
    low, high = (f"{100 * density:.2g}" for density in ranking.densities)
    return low if low == high else f"{low} to {high}"


def _points(gap: Interval | None, sign: int = 1) -> str:
    """A difference in percentage points, with its interval; turned around by a `sign` of -1."""
    assert gap is not None, "who is compared has a gap"
    ends = sorted(sign * end for end in (gap.low, gap.high) if end is not None)
    bounds = f" [{', '.join(f'{100 * end:z.0f}' for end in ends)}]" if ends else ""
    return f"{100 * sign * gap.mean:z.0f}{bounds}"


def _where(ranking: Ranking, each: Ranked) -> str:
    return (
        "" if each.shared == len(ranking.ground) else f" on the {_count(each.shared)} they share{_seeds(ranking, each)}"
    )


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
