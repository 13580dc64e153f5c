"""One record as text for a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.digests import canonical_json
from bench.record import CurvePoint, LayerCount, Record, node_layers
from bench.report.escaping import plain

POINTS = 8
"""Points of the learning curve that are shown, at most: the first, the last and evenly spaced ones between."""


def show(record: Record, curve: Iterable[CurvePoint]) -> str:
    """Everything one finished unit says about itself, as plain text that ends in a newline.

    Args:
        record: the unit's.
        curve: its points in the order of training; may be empty.
    """
    spec = record["spec"]
    task = spec["task"]
    blocks: dict[str, Sequence[Sequence[str]]] = {
        f"{task['name']}@{task['scale']} {spec['method']['name']} L{spec['level']} s{spec['seed']}": _status(record),
        "asked": _asked(spec),
        "metrics": _metrics(record),
        "on training examples": [(name, f"{value:.6g}") for name, value in sorted(record.get("fit", {}).items())],
        "from its twin's weights to its own": _interpolation(record),
        "test items": _items(record),
        **_nodes(record),
        "weights kept": _layers(record),
        "kept weights against pruned ones in the dense network": _survival(record),
        "density": _densities(record),
        "cost": _cost(record),
        "curve": _curve(list(curve)),
        "null": sorted(record["nulls"].items()),
        "parents": sorted(record["parents"].items()),
        "provenance": list(_flat(record["provenance"])),
        "digests": list(_flat(record["digests"])),
    }
    return "\n".join(_block(name, lines) for name, lines in blocks.items() if lines)


def _block(name: str, lines: Sequence[Sequence[str]]) -> str:
    """A heading and its lines, their columns aligned."""
    texts = [[plain(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in texts]
    return "\n".join([plain(name), *(f"  {line}".rstrip() for line in padded), ""])


def _status(record: Record) -> list[tuple[str, str]]:
    status = record["status"] if record["reason"] is None else f"{record['status']}: {record['reason']}"
    seats = record["provenance"].get("stack")
    return [
        ("unit", record["unit_id"]),
        ("status", status),
        *([("trained", f"in a stack of {seats}")] if seats else []),
        *(
            [("imported", f"elsewhere, from a ticket file with sha256 {record['imported']}")]
            if "imported" in record
            else []
        ),
    ]


def _asked(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    task, method = spec["task"], spec["method"]
    arm = f"{method['mask']} mask, {method['weights']} weights, {method['training']} training"
    return [
        ("task", f"version {task['version']}, {task['budget']} {task['unit']}, rewind step {task['rewind_step']}"),
        ("method", f"version {method['version']}, {arm}"),
        ("options", canonical_json(method["options"])),
        ("config", canonical_json(task["config"])),
        ("pruning", canonical_json(task["pruning"])),
        ("source", task["source"]),
        *(("deviation", sentence) for sentence in task["deviations"]),
    ]


def _metrics(record: Record) -> list[tuple[str, ...]]:
    task = record["spec"]["task"]
    score = (task["metric"], task["split"], task["at"][0])
    lines: list[tuple[str, ...]] = [("name", "split", "at", "step", "value", "better", "")]
    for metric in record["metrics"]:
        name = (metric["name"], metric["split"], metric["at"])
        mark = "the task's score" if name == score else ""
        lines.append((*name, str(metric["step"]), _number(metric["value"]), metric["direction"], mark))
    return lines if record["metrics"] else []


def _items(record: Record) -> list[tuple[str, ...]]:
    if "items" not in record:
        return []
    items = record["items"]
    return [(items["metric"], items["split"], f"{len(items['statistics']):,} items", items["signature"])]


def _interpolation(record: Record) -> list[tuple[str, ...]]:
    return [(name, *map(_number, values)) for name, values in sorted(record.get("interpolation", {}).items())]


def _survival(record: Record) -> list[tuple[str, ...]]:
    if "survival" not in record:
        return []
    told = record["survival"]
    return [
        ("chance of having begun larger in magnitude", f"{told['initial']:.3f}"),
        ("moved farther, in standard deviations of initial weights", f"{told['movement']:.3f}"),
    ]


def _nodes(record: Record) -> dict[str, list[tuple[str, ...]]]:
    """Heading -> the nodes of one layer, a line each."""
    return {
        f"{whose} nodes of {layer['layer']}": _by_node(columns)
        for layer in node_layers(record)
        for whose, columns in (("teacher", layer["teachers"]), ("student", layer["students"]))
    }


def _by_node(columns: Mapping[str, Any]) -> list[tuple[str, ...]]:
    known = {name: values for name, values in columns.items() if values is not None}
    rows = zip(*known.values(), strict=True)
    return [
        ("node", *(name.replace("_", " ") for name in known)),
        *((str(node), *map(_fact, row)) for node, row in enumerate(rows)),
    ]


def _fact(value: float | None) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else _number(value)


def _layers(record: Record) -> list[tuple[str, ...]]:
    counts = record["counts"]
    network: LayerCount = {"all": counts["all"], "prunable": counts["prunable"], "kept": counts["kept"]}
    return [
        ("", "all", "prunable", "kept", "density", ""),
        *(_layer(name, count, counts["collapsed"]) for name, count in counts["layers"].items()),
        *(_layer(f"group {name}", count, ()) for name, count in counts["groups"].items()),
        _layer("network", network, ()),
        ("level asks", "", "", f"{counts['level_asks']:,}", "", ""),
    ]


def _layer(name: str, count: LayerCount, collapsed: Sequence[str]) -> tuple[str, ...]:
    density = _percent(count["kept"] / count["prunable"]) if count["prunable"] else "exempt"
    numbers = (f"{number:,}" for number in (count["all"], count["prunable"], count["kept"]))
    return name, *numbers, density, "collapsed" if name in collapsed else ""


def _densities(record: Record) -> list[tuple[str, str]]:
    shares = {
        "of prunable weights": record["density"],
        "of all weights (P_m)": record["density_weights"],
        "of all parameters": record["density_total"],
        "effective, of prunable weights": record["effective_density"],
        "kept of the ticket's weights": record["overlap"],
    }
    return [(name, "null" if share is None else _percent(share)) for name, share in shares.items()]


def _cost(record: Record) -> list[tuple[str, str]]:
    unit = record["spec"]["task"]["unit"]
    flops, dense = record["flops"], record["flops_dense"]
    env_steps = record["env_steps"]
    return [
        ("steps", f"{record['steps']:,} {unit}"),
        ("updates", f"{record['updates']:,}"),
        ("search cost", f"{record['search_cost']:,} updates, ancestors included"),
        *([] if env_steps is None else [("environment steps", f"{env_steps:,}")]),
        (
            "multiply-adds",
            "null" if flops is None or not dense else f"{flops:,.0f}, {_percent(flops / dense)} of dense",
        ),
        ("wall time", f"{record['wall_seconds']:,.1f} s"),
        ("peak memory", f"{record['peak_memory_bytes'] / 1e6:,.0f} MB"),
    ]


def _curve(points: list[CurvePoint]) -> list[tuple[str, ...]]:
    if not points:
        return []
    names = sorted({(split, name) for point in points for split, found in point["metrics"].items() for name in found})
    last = len(points) - 1
    shown = sorted({round(last * place / (POINTS - 1)) for place in range(POINTS)})
    return [
        ("step", "updates", *(f"{split} {name}" for split, name in names)),
        *(
            (
                str(points[place]["step"]),
                str(points[place]["updates"]),
                *(_number(points[place]["metrics"].get(split, {}).get(name)) for split, name in names),
            )
            for place in shown
        ),
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", str(value)


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.6g}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"
