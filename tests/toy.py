"""A made-up domain whose units train in milliseconds without torch, for tests of the machinery; and its command line."""

import json
import multiprocessing
import os
import shutil
import signal
import time
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load, load_file, save, save_file

from bench import registry
from bench.digests import canonical_json, file_digest, json_digest, tensors_digest
from bench.errors import DataError
from bench.record import FORMAT
from bench.runs.job import Job, Part, Works
from bench.spec import DENSE, Entry, Pruning, Suite, Task, search_cost
from bench.store.attempt import Attempt
from bench.store.integrity import read_file, read_parent
from bench.tickets.measurements.metrics import metrics as measured
from bench.tickets.methods import METHODS

SHAPES = {"a.weight": (8, 5), "a.bias": (8,), "b.weight": (2, 8)}
PRUNABLE = ("a.weight", "b.weight")
TROUBLE = "TOY_TROUBLE"
"""Environment variable: a file of JSON, label of a unit -> what it does instead of a quiet training; see `_misbehave`."""
REST = {"scalars": {}, "step": 10, "updates": 10, "origin": 0}
LOCKS = []


def task(name="toy/chain", **changes):
    fields = {
        "scale": "smoke", "config": {"seconds": 0.0}, "budget": 30, "evaluate_every": 10, "rewind_step": 10,
        "pruning": Pruning(rate=0.2), "metric": "accuracy", "directions": {"accuracy": "max"}, "tolerance": 1.0,
        "chance": 10.0, "constant_rate": False, "splits": ("test",),
    }  # fmt: skip
    return Task(name=name, **{**fields, **changes})


TASKS = (
    task(),
    task(scale="quick", budget=60),
    task("toy/slow", config={"seconds": 0.03}),
    task("toy/still", rewind_step=0, constant_rate=True),
    task("toy/picky", unsupported={"ticket": "it has no weights to rewind", "snip": "it has no losses"}),
)


STACKED = task("toy/stack", config={"seconds": 0.0, "seats": 8})
WORKS = Works(alone="toy:work", stack="toy:work_in_stack")


class Toy:
    forwards_ones = interpolates = True

    def tasks(self):
        return {each.key: each for each in (*TASKS, STACKED)}

    def seats(self, task, device):
        return task.config.get("seats", "it is a toy")

    def network(self, task):
        return {name: list(shape) for name, shape in SHAPES.items()}

    def outputs(self, task):
        return task.config


def suite(methods=("dense", "ticket", "reinit"), levels=(1, 3), seeds=(0,), of=TASKS[0]):
    arms = tuple(METHODS[name] if name in METHODS else registry.method(name) for name in methods)
    return Suite(name="toy", title="", entries=(Entry(task=of, methods=arms, levels=levels, seeds=seeds),))


def work(unit, *, parents, folder, device, report):
    """What `bench.tickets.units.work.work` does, without learning anything."""
    trouble = _trouble(unit)
    if trouble == "fail":
        raise RuntimeError("the toy was told to fail\nand has more to say")
    if trouble == "full":
        raise OSError(28, "No space left on device")
    print("training", unit.label)  # noqa: T201  what libraries do
    for step in range(unit.task.evaluate_every, unit.task.budget + 1, unit.task.evaluate_every):
        time.sleep(unit.task.config["seconds"] / 3)
        report(step, {"accuracy": 50.0 + step})
    _misbehave(trouble)
    if trouble == "vanish":
        shutil.rmtree(folder)
    generator = np.random.default_rng([unit.seed, unit.level, zlib.crc32(unit.method.name.encode())])
    mask = _mask(unit, parents, generator)
    states = _states(unit, parents, mask, generator)
    if trouble == "differ":
        states["final"]["a.bias"] += 1
    return _record(unit, parents, folder, mask, states, trouble)


def work_in_stack(seatings, *, device):
    """What `bench.tickets.units.work.work_in_stack` does; `crash` is the trouble that takes all of it down."""
    for place, (unit, parents, folder, report) in enumerate(seatings):
        if _trouble(unit) == "crash":
            raise RuntimeError("the stack was told to crash")
        try:
            record = work(unit, parents=parents, folder=folder, device=device, report=report)
        except Exception as error:  # noqa: BLE001  as the real one
            yield place, error
        else:
            record["provenance"]["stack"] = len(seatings)
            yield place, record


def job(root, *units, parents=(), stack=False):
    """The units made ready; `parents`: of the first."""
    parts = tuple(Part(spec=unit.spec(), parents={} if place else dict(parents)) for place, unit in enumerate(units))
    return Job(parts=parts, root=root, stack=stack, work=WORKS.stack if stack else WORKS.alone)


def told(job, run):
    """Run a job; gives the outcome of each unit, or of the only one, and the steps that were told."""
    outcomes, steps = {}, []

    def tell(unit, what):
        if isinstance(what, tuple):
            steps.append(what[0])
        else:
            assert unit not in outcomes
            outcomes[unit] = what

    run(job, tell=tell)
    found = [outcomes.get(part.id) for part in job.parts]
    return (found if job.stack else found[0]), steps


def _misbehave(trouble):
    if trouble == "lock":
        LOCKS.append(multiprocessing.Lock())  # as progress bars of libraries do
    if trouble in ("fork", "fork-and-hang") and not os.fork():
        time.sleep(600)  # as a data loader that nobody ends
    if trouble in ("die", "fork"):
        os.kill(os.getpid(), signal.SIGKILL)
    if trouble == "exit":
        os._exit(3)
    if trouble == "end slowly":
        os.closerange(3, 256)
        time.sleep(0.3)
        os._exit(3)
    if trouble in ("hang", "fork-and-hang"):
        time.sleep(600)
    if trouble == "eat":
        LOCKS.append(bytearray(400 * 2**20))
        time.sleep(600)
    while trouble == "print":
        os.write(1, b"and again " * 10_000)


def trial(task, *, device, seats):
    """What `bench.tickets.units.trial.trial` does."""
    if task.name == "toy/picky":
        raise DataError(f"no data of {task.key} on {device}: get them")
    if task.name == "toy/still":
        os._exit(7)
    return {"start": 1.0, "step": 0.1 / (seats or 1), "evaluation": 0.5, "worker": 40.0}


def echo(pipe, *words):
    """What a child process may do: say what it was called with, send back what comes in, and leave with a number."""
    pipe.send(words)
    while not isinstance(got := pipe.recv(), int):
        pipe.send(got)
    os._exit(got)


def finish(unit, store, plan, *, stack=None):
    """Train one unit here and commit it, as if in a stack of so many."""
    attempt = Attempt(store.root, unit)
    parents = {role: store.folder(plan.units[each]) for role, each in unit.parents.items()}
    record = work(unit, parents=parents, folder=attempt.folder, device="cpu", report=lambda *_: None)
    if stack:
        record["provenance"]["stack"] = stack
    return attempt.commit(record)


def seal(folder):
    """Write the digests of a unit's files, as they are now, into its record: what a commit does, or a forger."""
    record = json.loads((folder / "record.json").read_text())
    names = sorted(path.name for path in folder.iterdir() if path.name != "record.json")
    record["digests"]["files"] = {name: file_digest(folder / name) for name in names}
    (folder / "record.json").write_text(canonical_json(record))


def flip(path, at=-1):
    """Change one bit of a byte of a file, as disks do."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _trouble(unit):
    path = Path(os.environ.get(TROUBLE, "/nonexistent"))
    return json.loads(path.read_text()).get(unit.label) if path.exists() else None


def _mask(unit, parents, generator):
    if unit.method.mask == "none":
        return {}
    if taken := parents.keys() & {"ticket", "source"}:
        return _load(parents[taken.pop()], "mask")
    keep = unit.task.pruning.keep({name: int(np.prod(SHAPES[name])) for name in PRUNABLE}, unit.level)
    previous = _load(parents["previous"], "mask") if "previous" in parents and unit.level > 1 else {}
    final = _load(parents["previous"], "final") if "previous" in parents else {}
    mask = {}
    for name in PRUNABLE:
        score = np.abs(final[f"weights/{name}"]) if final else generator.random(SHAPES[name])
        score = np.where(previous.get(name, np.ones(SHAPES[name], bool)), score, -1).ravel()
        mask[name] = np.zeros(score.size, bool)
        mask[name][np.argsort(-score, kind="stable")[: keep[name]]] = True
        mask[name] = mask[name].reshape(SHAPES[name])
    return mask


def _load(folder, name):
    return load(read_file(folder, f"{name}.safetensors", read_parent(folder)))


def _states(unit, parents, mask, generator):
    start = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    if "dense" in parents:
        rewind = _load(parents.get("source-dense", parents["dense"]), "rewind")
        start = {name: rewind[f"weights/{name}"] for name in SHAPES}
    moved = {
        name: (each + 0.1 * generator.standard_normal(each.shape)).astype(np.float32) for name, each in start.items()
    }
    final = {name: np.where(mask[name], each, np.float32(0)) if name in mask else each for name, each in moved.items()}
    return {"initial": start, "rewind": start, "final": final} if unit.method.name == DENSE else {"final": final}


def _record(unit, parents, folder, mask, states, trouble):
    score = None if trouble == "diverge" else 80.0 + float(states["final"]["a.bias"][0])
    task = unit.task
    begun = task.rewind_step if unit.method.training in ("rewound", "reordered") else 0
    stops = [step for step in range(0, task.budget + 1, task.evaluate_every) if step > begun]
    points = [
        {"step": step, "updates": step, "metrics": {split: {"accuracy": score or 0.0} for split in task.splits}}
        for step in stops
    ]
    if mask:
        save_file(mask, folder / "mask.safetensors")
    if unit.method.is_chain or unit.method.name == DENSE:
        for name, state in states.items():
            tensors = {f"weights/{key}": each for key, each in state.items()}
            save_file(tensors, folder / f"{name}.safetensors", metadata={"state": canonical_json(REST)})
    metrics = measured(task, points, steps=task.budget - begun, diverged=score is None, settled=0)
    parts = {
        "curve": json_digest(points), "mask": tensors_digest(mask), "weights": tensors_digest(states["final"]),
    }  # fmt: skip
    records = {role: read_parent(path) for role, path in parents.items()}
    family = {role: each["digests"]["result"] for role, each in records.items()}
    overlap = None
    if "ticket" in parents:
        ticket = _load(parents["ticket"], "mask")
        overlap = sum(int((mask[name] & ticket[name]).sum()) for name in PRUNABLE)
        overlap /= sum(int(each.sum()) for each in ticket.values())
    counts = _counts(unit, mask)
    return {
        "format": FORMAT, "unit_id": unit.id, "spec": unit.spec(),
        "status": "diverged" if trouble == "diverge" else "ok",
        "reason": "loss is not finite at step 20" if trouble == "diverge" else None,
        "metrics": metrics, "counts": counts, "density": counts["kept"] / counts["prunable"],
        "density_weights": counts["kept_weights"] / counts["weights"],
        "density_total": counts["kept_all"] / counts["all"],
        "effective_density": None, "flops": None, "flops_dense": None, "nulls": {},
        "steps": task.budget - begun, "updates": task.budget - begun,
        "search_cost": search_cost(task.budget - begun, {role: each["search_cost"] for role, each in records.items()}),
        "env_steps": None, "overlap": overlap, "wall_seconds": 0.5,
        "peak_memory_bytes": 1, "parents": {unit.parents[role]: digest for role, digest in family.items()},
        "provenance": {"versions": {"ticketbench": "0"}, "device": str(os.getpid())},
        "digests": {"result": json_digest({**parts, "metrics": metrics}), **parts}, "curve": points,
    }  # fmt: skip


def _counts(unit, mask):
    sizes = {name: int(np.prod(shape)) for name, shape in SHAPES.items()}
    layers = {
        name: {
            "all": size,
            "prunable": size if name in PRUNABLE else 0,
            "kept": (int(mask[name].sum()) if name in mask else size) if name in PRUNABLE else 0,
        }
        for name, size in sizes.items()
    }
    prunable, kept = (sum(each[what] for each in layers.values()) for what in ("prunable", "kept"))
    every = sum(sizes.values())
    return {
        "all": every, "weights": prunable, "prunable": prunable, "kept": kept, "kept_weights": kept,
        "kept_all": every - prunable + kept, "level_asks": kept, "layers": layers, "groups": {}, "collapsed": [],
    }  # fmt: skip


def resaved(path):
    """The bytes of a safetensors file with metadata that it did not have."""
    return save(load_file(path), metadata={"by": "another version"})


def main():
    """`python -c "import toy; toy.main()" run SUITE ...`: the real command, with the toy's tasks and work, without figures."""
    from bench.__main__ import main
    from bench.verbs import training

    registry.domains = lambda: {"toy": Toy()}
    training.run = partial(training.run, works=WORKS)
    training.timings = lambda *_, **__: {}
    training.draw = lambda *_: []
    main()
