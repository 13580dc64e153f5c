"""The sentences about tickets of other tasks: what their search cost, and what they brought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bench import registry
from bench.report.table.arms import Arm
from bench.spec import Method, Task, method_from_json


def transfers(task: Task, arms: Sequence[Arm]) -> list[str]:
    """A few sentences for every source task among `arms`, none if there is no transfer."""
    by_source: dict[str, list[tuple[Method, Arm]]] = defaultdict(list)
    for arm in arms:
        method = method_from_json(next(iter(arm.records.values()))["spec"]["method"])
        if method.source and arm.installed:
            by_source[method.source].append((method, arm))
    return [_sentences(task, source, pairs) for source, pairs in by_source.items()]


def _sentences(task: Task, source: str, pairs: Sequence[tuple[Method, Arm]]) -> str:
    names = dict.fromkeys(f"`{method.name}`" for method, _ in pairs)
    shares = {arm.level: (arm.average("search_cost") or 0) - (arm.average("updates") or 0) for _, arm in pairs}
    spent = ", ".join(f"{updates:,.0f} updates (L{level})" for level, updates in sorted(shares.items()))
    told = [f"{', '.join(names)}: {spent} of the search cost are the source's, paid once for all targets."]
    lent = [method.name for method, _ in pairs if _lends_weights(method)]
    home = registry.tasks().get(f"{task.domain}/{source}@{task.scale}")
    return " ".join([*told, *(_brought(task, home, lent[0]) if lent and home else [])])


def _lends_weights(method: Method) -> bool:
    """Whether it starts from the source's weights, not from the mask alone."""
    columns = registry.columns_of(method)
    return columns is not None and columns.weights.state == "source"


def _brought(task: Task, source: Task, method: str) -> list[str]:
    """What a transferred ticket starts from."""
    domain = registry.domains().get(task.domain)
    same = domain is None or registry.outputs(domain, source) == registry.outputs(domain, task)
    head = "the output layer's among them, as outputs mean the same" if same else "under an output layer of its own"
    start = f"`{method}` starts from the source's weights of step {source.rewind_step}, {head}"
    told = [f"{start}; a seed gives source and target the same initial weights, of which 1906.02773 says nothing."]
    if task.rewind_step == source.rewind_step == 0:
        told.append("Both rewind to step 0, so that it differs from `ticket` by its mask alone.")
    return told
