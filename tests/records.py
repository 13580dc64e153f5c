"""Records of a made-up world, true to the schema, whose effects the tests choose: the one builder of them.

In a test module under `as_told`, every task is installed as its records tell it. `install` puts chosen tasks there
instead, where a test is about what is installed and what is not. Methods are never made up: one that is not of
`registry.methods()` is not installed.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from bench import registry
from bench.digests import json_digest
from bench.record import Record
from bench.spec import Method, Pruning, Task, Unit

SIZES = {"fc1.weight": 800, "fc2.weight": 200}
GROUPS = {"fc1.*": "hidden", "fc2.*": "head"}
BIASES = 30

TASKS, INSTALLED = registry.tasks, registry.installed_task


def build_task(**changes: Any) -> Task:
    """A task at a scale whose verdicts count; `changes` replace its fields."""
    fields = {
        "name": "vision/toy",
        "scale": "small",
        "config": {"model": "toy"},
        "budget": 1000,
        "evaluate_every": 100,
        "rewind_step": 100,
        "pruning": Pruning(rate=0.5),
        "metric": "accuracy",
        "directions": {"accuracy": "max", "loss": "min"},
        "tolerance": 0.01,
        "chance": 0.1,
        "constant_rate": False,
        "groups": GROUPS,
        "source": "Frankle & Carbin 2018, section 2",
    }
    return Task(**{**fields, **changes})


def build_record(
    method: str | Method, level: int, seed: int, value: float | None, *, task: Task | None = None, **changes: Any
) -> Record:
    """The record of one unit that scored `value`, at every `at` of its task; None: it diverged."""
    task = task or build_task()
    arm = method if isinstance(method, Method) else registry.known_method(method) or _unknown(method)
    unit = Unit(task=task, method=arm, level=level, seed=seed)
    counts = _counts(task, level)
    record: Record = {
        "format": 1,
        "unit_id": unit.id,
        "spec": unit.spec(),
        "status": "ok" if value is not None else "diverged",
        "reason": None if value is not None else "loss is not finite at step 40",
        "metrics": [] if value is None else _metrics(task, value),
        "counts": counts,
        "density": counts["kept"] / counts["prunable"],
        "density_weights": counts["kept_weights"] / counts["weights"],
        "density_total": counts["kept_all"] / counts["all"],
        "effective_density": counts["kept"] / counts["prunable"],
        "flops": float(counts["kept_weights"]),
        "flops_dense": float(counts["weights"]),
        "nulls": {},
        "steps": task.budget,
        "updates": task.budget,
        "search_cost": task.budget * (level + 1),
        "env_steps": None,
        "overlap": None,
        "wall_seconds": 12.5,
        "peak_memory_bytes": 300_000_000,
        "parents": {},
        "provenance": {
            "commit": "0123abc",
            "versions": {"ticketbench": "0.1.0", "torch": "2.6.0"},
            "device": "cpu",
            "threads": 1,
            "start": "2024-01-01T00:00:00+00:00",
            "end": "2024-01-01T00:00:12+00:00",
        },
        "digests": {name: json_digest([unit.id, value, name]) for name in ("result", "curve", "mask", "weights")},
    }
    return {**record, **changes}


def build_study(
    effects: Mapping[str, float], *, levels: tuple[int, ...] = (1,), seeds: int = 3, noise: float = 0.001, **task: Any
) -> list[Record]:
    """Method -> gain over dense (0.9): every arm at every level and seed, with noise of its own and a shared one."""
    asked = build_task(**task)
    records = []
    for method, gain in effects.items():
        for level in (0,) if method == "dense" else levels:
            for seed in range(seeds):
                shared = np.random.default_rng(seed).normal(scale=10 * noise)
                own = np.random.default_rng([seed, level, zlib.crc32(method.encode())]).normal(scale=noise)
                records.append(build_record(method, level, seed, 0.9 + gain + shared + own, task=asked))
    return records


@pytest.fixture(scope="module")
def as_told() -> Iterator[None]:
    """Every task is installed, just as a record describes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "installed_task", lambda task: task)
        yield


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function of tasks: they, beside the real ones, and nothing else are installed."""

    def only(*tasks: Task) -> None:
        known = {**TASKS(), **{task.key: task for task in tasks}}
        monkeypatch.setattr(registry, "tasks", lambda: known)
        monkeypatch.setattr(registry, "installed_task", INSTALLED)

    return only


@pytest.fixture(name="task", scope="session")
def task_builder() -> Callable[..., Task]:
    return build_task


@pytest.fixture(name="record", scope="session")
def record_builder() -> Callable[..., Record]:
    return build_record


@pytest.fixture(name="study", scope="session")
def study_builder() -> Callable[..., list[Record]]:
    return build_study


def _unknown(name: str) -> Method:
    return Method(name=name, mask="ones", weights="initial", training="full")


def _metrics(task: Task, value: float) -> list[dict[str, Any]]:
    found = [(task.metric, task.split, at, value + place / 100) for place, at in enumerate(task.at)]
    found += [(task.metric, "val", "final", value), ("other", task.split, "final", 7.0)]
    return [
        {"name": name, "split": split, "at": at, "value": score, "direction": task.direction, "step": task.budget}
        for name, split, at, score in found
    ]


def _counts(task: Task, level: int) -> dict[str, Any]:
    keep = task.pruning.keep(SIZES, level)
    prunable, kept = sum(SIZES.values()), sum(keep.values())
    layers = {name: {"all": size, "prunable": size, "kept": keep[name]} for name, size in SIZES.items()}
    return {
        "all": prunable + BIASES,
        "weights": prunable,
        "prunable": prunable,
        "kept": kept,
        "kept_weights": kept,
        "kept_all": kept + BIASES,
        "level_asks": kept,
        "layers": layers,
        "groups": {"hidden": layers["fc1.weight"], "head": layers["fc2.weight"]},
        "collapsed": [name for name in SIZES if keep[name] == 0],
    }
