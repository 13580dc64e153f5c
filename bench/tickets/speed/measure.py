"""Measures one finished unit: its network executed dense, masked and sparse, and several of it at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.errors import Unsupported
from bench.learner import Mask
from bench.record import Record
from bench.registry import domain
from bench.spec import Unit
from bench.speed import INFERENCE, NETS, TIMED, WAYS, Execution, Several, Speed, Timed, Way
from bench.store.integrity import read_parent
from bench.streams import Streams
from bench.tickets.speed import networks
from bench.tickets.speed.calls import Call, TrainingStep, training_step
from bench.tickets.speed.clock import clock_of, rounds, spread
from bench.tickets.speed.differences import TOLERANCE, Unequal, apart, difference, exceeded, trained
from bench.tickets.speed.layers import check_support
from bench.tickets.speed.networks import Network
from bench.tickets.units.artifacts import load_parent
from bench.tickets.units.work import provenance_of

Make = Mapping[Way, Callable[[], Network]]
Seconds = Mapping[Any, list[float]]


def measure(folder: Path, *, device: str, count: int) -> Speed:
    """What sparsity is worth for one unit.

    Args:
        folder: of a finished unit that has a mask and its trained weights.
        device: where.
        count: rounds of timing.

    Raises:
        Unsupported: if nothing of it can be executed sparse.
        Unequal: if its sparse execution computes something else.
    """
    begun = datetime.now(UTC)
    check_support(torch.device(device))
    record, parent = read_parent(folder), load_parent(folder)
    unit = Unit.from_spec(record["spec"])
    learner = domain(unit.task.domain).learner(unit.task, streams=Streams(unit.seed), device=device)
    mask = {name: kept.to(device) for name, kept in parent.mask.items()}
    initial = learner.snapshot().weights
    learner.load(parent.state("final"))
    network = networks.copied(learner)
    step = training_step(learner)
    layers, refused = networks.sparse_layers(network, mask, step)
    if not layers:
        told = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:3]) or "nothing of it is pruned"
        raise Unsupported(f"no layer of it can be executed sparse ({told}): ask for a pruned unit with linear layers")
    final = learner.snapshot().weights
    whole = {
        name: torch.where(mask[name], final[name], initial[name]) if name in mask else final[name] for name in final
    }
    make: Make = {
        "dense": partial(networks.dense, network, whole),
        "masked": partial(networks.masked, network, mask),
        "sparse": partial(networks.sparse, network, mask, layers),
    }
    inference = {n: [call.resized(n) for call in step.calls] for n in INFERENCE}
    found = difference(make["sparse"](), make["masked"](), inference=inference.values(), step=step.calls)
    if wrong := exceeded(found):
        raise Unequal(f"sparse and masked execution are not the same: {', '.join(wrong)}")
    nulls = {}
    try:
        joined = _joined(network, mask, step, make["sparse"])
    except Unsupported as error:
        joined, nulls["several"] = None, str(error)
    timed = _timed(make, joined, inference, step.calls, device=device, count=count)
    return {
        **_about(unit, record),  # type: ignore[typeddict-item]
        "batch": step.calls[0].batch,
        "rounds": count,
        **timed,
        "masked_dense": refused,
        "nulls": nulls,
        "tolerance": TOLERANCE,
        "difference": found,
        "provenance": {
            **provenance_of(device),
            "start": begun.isoformat(),
            "end": datetime.now(UTC).isoformat(),
        },
    }


def _about(unit: Unit, record: Record) -> dict[str, Any]:
    return {
        "format": 1,
        "unit_id": record["unit_id"],
        "result": record["digests"]["result"],
        "task": unit.task.key,
        "method": unit.method.name,
        "level": unit.level,
        "seed": unit.seed,
        **{name: record[name] for name in ("density", "flops", "flops_dense")},
    }


MORE = "side by side its layers are joined by more than functions of single numbers"
"""Why networks cannot be one whose forward pass is more than its layers and activations."""


def _joined(
    network: Network, mask: Mask, step: TrainingStep, make: Callable[[], Network]
) -> tuple[Network, list[Call]]:
    """Several networks at once, and how they are called.

    Raises:
        Unsupported: if they cannot be one, or are not the same as one by one.
    """
    one, several = make(), networks.several(network, mask, step, NETS)
    calls = [call.beside_itself(NETS) for call in step.calls]
    for updates in (0, 1):
        trained([one], step.calls, updates=updates)
        try:
            trained([several], calls, updates=updates)
            wide = several.predict(calls)
        except RuntimeError as error:  # of a function that was told how wide a layer is
            raise Unsupported(MORE) from error
        pairs = zip(one.predict(step.calls), wide, strict=True)
        beside = [(output, part) for output, whole in pairs for part in whole.chunk(NETS, 1)]
        if not all(apart(part, output) <= TOLERANCE["outputs"] for output, part in beside):
            raise Unsupported(MORE)
    several.reset()
    return several, calls


def _timed(
    make: Make,
    joined: tuple[Network, list[Call]] | None,
    inference: Mapping[int, Sequence[Call]],
    step: Sequence[Call],
    *,
    device: str,
    count: int,
) -> dict[str, Any]:
    """Fields `clock`, `executions` and, if there is any, `several` of what was measured."""
    asked, training = ({way: build() for way, build in make.items()} for _ in range(2))
    things: dict[Any, Callable[[], object]] = {}
    for way in WAYS:
        asked[way].module.eval()
        training[way].module.train()
        for n, calls in inference.items():
            things[way, f"batch {n}"] = partial(asked[way].predict, calls)
        things[way, "step"] = partial(training[way].train, step)
    trainees = list(training.values())
    if joined:
        things["several"] = partial(joined[0].train, joined[1])
        trainees.append(joined[0])

    def prepare() -> None:
        for each in trainees:
            each.reset()

    clock = clock_of(torch.device(device))
    seconds = rounds(things, count, prepare=prepare, clock=clock)
    executions = {way: _execution(way, seconds, asked[way], training[way]) for way in WAYS}
    return {"clock": clock.name, "executions": executions, **({"several": _several(seconds)} if joined else {})}


def _execution(way: Way, seconds: Seconds, asked: Network, training: Network) -> Execution:
    return {
        "seconds": {name: spread(seconds[way, name]) for name in TIMED},
        "faster": {name: spread(_ratios(seconds, name, seconds[way, name])) for name in TIMED},
        "weights_bytes": asked.weights_bytes,
        "training_bytes": training.training_bytes,
        "disk_bytes": asked.disk_bytes,
    }


def _several(seconds: Seconds) -> Several:
    ratios = [NETS * ratio for ratio in _ratios(seconds, "step", seconds["several"])]
    return {"nets": NETS, "seconds": spread(seconds["several"]), "faster": spread(ratios)}


def _ratios(seconds: Seconds, name: Timed, own: Sequence[float]) -> list[float]:
    """Of dense, round by round."""
    return [dense / mine for dense, mine in zip(seconds["dense", name], own, strict=True)]
