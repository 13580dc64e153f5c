"""A great many units, and records that no training made, for what has to be fast."""

import json
from itertools import product

from bench.spec import Entry, Pruning, Suite, Task, Unit
from bench.tickets.methods import METHODS

ARMS = (
    "dense", "ticket", "ticket-init", "reinit", "shuffled", "random-ticket", "one-shot", "lr-rewind", "random-erk",
    "magnitude-init", "gmp",
)  # fmt: skip


def suite(tasks):
    """910 units a task: ten arms at ten levels with ten seeds, and their dense networks."""
    arms = tuple(METHODS[name] for name in ARMS)
    entries = (
        Entry(task=task(number), methods=arms, levels=tuple(range(1, 11)), seeds=tuple(range(10)))
        for number in range(tasks)
    )
    return Suite(name="many", title="", entries=tuple(entries))


def fill(store, units):
    """Finish units: one and the same record in every folder, beside the files that children ask for."""
    text = json.dumps(record(task(0), "ticket", 1, 0))
    for unit in units:
        folder = store.folder(unit)
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(text)
        names = ("initial", "rewind", "final") if unit.method.name == "dense" else ("mask", "final")
        for name in names if unit.method.name == "dense" or unit.method.is_chain else ():
            (folder / f"{name}.safetensors").touch()


def task(number):
    return Task(
        name=f"vision/toy-{number}",
        scale="small",
        config={"model": {"name": "lenet", "width": [300, 100]}, "optimizer": {"name": "adam", "lr": 0.0012}},
        data={"mnist": "0" * 64},
        budget=1000,
        evaluate_every=100,
        pruning=Pruning(rate=0.2),
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        tolerance=0.01,
        chance=0.1,
        constant_rate=True,
        source="nowhere",
        deviations=("A sentence that says what differs.",) * 3,
    )


def record(asked, method, level, seed):
    """Everything that a record of the small network has."""
    unit = Unit(task=asked, method=METHODS[method], level=level, seed=seed)
    kept = {name: round(size * 0.8**level) for name, size in (("hidden.weight", 235_200), ("output.weight", 1000))}
    layers = {
        name: {"all": size, "prunable": size, "kept": kept[name]}
        for name, size in (("hidden.weight", 235_200), ("output.weight", 1000))
    }
    density = sum(kept.values()) / 236_200
    score = 0.9 + seed / 1e3 - level * (len(method) % 5) / 1e3
    return {
        "format": 1,
        "unit_id": unit.id,
        "spec": unit.spec(),
        "status": "ok",
        "reason": None,
        "metrics": [
            {"name": name, "split": split, "at": "final", "value": score, "direction": direction, "step": 1000}
            for (name, direction), split in product((("accuracy", "max"), ("loss", "min")), ("val", "test"))
        ],
        "counts": {
            "all": 236_600, "weights": 236_200, "prunable": 236_200, "kept": sum(kept.values()), "kept_weights": sum(kept.values()),
            "kept_all": sum(kept.values()) + 400, "level_asks": sum(kept.values()), "layers": layers, "groups": {}, "collapsed": [],
        },
        "density": density,
        "density_weights": density,
        "density_total": density,
        "effective_density": density,
        "nulls": {},
        "flops": 1e5 * density,
        "flops_dense": 1e5,
        "steps": 1000,
        "updates": 1000,
        "search_cost": 1000 * (level + 1),
        "env_steps": None,
        "overlap": None,
        "wall_seconds": 10.5,
        "peak_memory_bytes": 900_000_000,
        "parents": {},
        "provenance": {
            "commit": "0" * 40, "device": "cpu", "machine": "Linux x86_64", "threads": 1, "start": "2024-01-01T00:00:00",
            "end": f"2024-01-01T00:{seed:02d}:00", "versions": {"ticketbench": "0.1.0", "torch": "2.6.0"},
        },
        "digests": dict.fromkeys(("result", "curve", "mask", "weights"), unit.id),
    }  # fmt: skip
