"""Honest stores of the toy and the example domain, and a forger who changes them and recomputes every digest."""

import json
import os
import shutil
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import toy
from example import MOONS, ExampleDomain, variant
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from bench import registry
from bench.digests import file_digest, json_digest, tensors_digest
from bench.runs.planning.plan import plan as make_plan
from bench.spec import Unit, unit_id
from bench.store.attempt import STATES, Attempt
from bench.store.store import Store
from bench.tickets.measurements.metrics import metrics
from bench.tickets.methods import METHODS
from bench.tickets.units.work import work


class Part:
    """A unit of a store, open for changes: its record, curve, mask and states."""

    def __init__(self, folder):
        self.folder = folder
        self.record = json.loads((folder / "record.json").read_text())
        self.curve = self.record.pop("curve")
        self.mask = load_file(folder / "mask.safetensors") if (folder / "mask.safetensors").exists() else {}
        self.states = {name: load_file(folder / name) for name in STATES if (folder / name).exists()}
        self.rest = {name: _metadata(folder / name) for name in self.states}
        self.was = deepcopy((self.record, self.curve, self.mask))

    @property
    def spec(self):
        return self.record["spec"]

    @property
    def final(self):
        return self.states["final.safetensors"]

    @property
    def key(self):
        return self.spec["method"]["name"], self.spec["level"], self.spec["seed"]

    def edit_scores(self, change):
        """Another value for the metric at every point of the curve."""
        for point in self.curve:
            for named in point["metrics"].values():
                named["accuracy"] = change(named["accuracy"])

    def swap(self, name, count=1):
        """Another mask of the same counts: the first weights it keeps of a layer against the first that it cuts."""
        flat = self.mask[name].reshape(-1)
        kept, cut = flat.nonzero()[0][:count], (~flat).nonzero()[0][:count]
        flat[kept], flat[cut] = False, True
        if "final.safetensors" in self.states:
            final = self.final[f"weights/{name}"].reshape(-1)
            final[cut], final[kept] = final[kept], 0

    def reseal(self, family):
        """Recompute what follows from the curve and the mask, then every digest; `family` is {old id: part}."""
        old, curve, mask = self.was
        record, task = self.record, Unit.from_spec(self.spec).task
        if self.curve != curve and record["metrics"] == old["metrics"]:
            record["metrics"] = metrics(
                task, self.curve, steps=record["steps"], diverged=record["status"] == "diverged", settled=0
            )
        if not _same(self.mask, mask) and record["counts"] == old["counts"]:
            self._recount()
        parents = {role: family.get(each) for role, each in self.spec["parents"].items()}
        ticket = parents.get("ticket")
        if ticket and not (_same(self.mask, mask) and _same(ticket.mask, ticket.was[2])):
            layers = ticket.record["counts"]["layers"]
            fixed = sum(layers[name]["all"] - layers[name]["prunable"] for name in ticket.mask)
            common = sum(int((self.mask[name] & ticket.mask[name]).sum()) for name in ticket.mask) - fixed
            record["overlap"] = common / ticket.record["counts"]["kept"]
        if self.spec["parents"] == old["spec"]["parents"]:
            self.spec["parents"] = {
                role: each.record["unit_id"] if each else self.spec["parents"][role] for role, each in parents.items()
            }
        if record["unit_id"] == old["unit_id"]:
            record["unit_id"] = unit_id(self.spec)
        if record["parents"] == old["parents"]:
            record["parents"] = {
                self.spec["parents"][role]: each.record["digests"]["result"] if each else old["parents"][old_id]
                for (role, each), old_id in zip(parents.items(), old["spec"]["parents"].values(), strict=True)
            }

    def _recount(self):
        counts, record = self.record["counts"], self.record
        before = counts["kept"]
        thin = 0
        for name, each in self.mask.items():
            layer = counts["layers"][name]
            kept = int(each.sum()) - (layer["all"] - layer["prunable"])
            thin += (kept - layer["kept"]) * (each.ndim < 2)
            layer["kept"] = kept
        counts["kept"] = sum(layer["kept"] for layer in counts["layers"].values())
        counts["kept_all"] += counts["kept"] - before
        counts["kept_weights"] += counts["kept"] - before - thin
        if counts == self.was[0]["counts"]:
            return  # nor do the densities change, which a narrower network refers to another one
        for density, kept, of in (
            ("density", "kept", "prunable"),
            ("density_weights", "kept_weights", "weights"),
            ("density_total", "kept_all", "all"),
        ):
            record[density] = counts[kept] / counts[of]

    def write(self, root, *, folder=None):
        """Write everything and its digests into the folder that the spec asks for."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = folder or root / Unit.from_spec(self.spec).path
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.mask:
            mask = {name: np.ascontiguousarray(each) for name, each in self.mask.items()}
            save_file(mask, self.folder / "mask.safetensors")
        for name, state in self.states.items():
            save_file(state, self.folder / name, metadata=self.rest[name])
        digests = self.record["digests"]
        digests |= {"curve": json_digest(self.curve), "mask": tensors_digest(self.mask)}
        if "final.safetensors" in self.states:
            digests["weights"] = tensors_digest(
                {key.removeprefix("weights/"): each for key, each in self.final.items()}
            )
        parts = {name: digests[name] for name in ("curve", "mask", "weights")}
        digests["result"] = json_digest({**parts, "metrics": self.record["metrics"]})
        digests["files"] = {path.name: file_digest(path) for path in sorted(self.folder.iterdir())}
        (self.folder / "record.json").write_text(json.dumps({**self.record, "curve": self.curve}))


def _metadata(path):
    with safe_open(path, framework="np") as file:
        return file.metadata()


def _same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def _forge(root, change):
    """Change units of a store as somebody would who recomputes all that follows: counts, scores, ids, every digest.

    Args:
        root: of the store.
        change: called with {(method, level, seed): Part}.
    """
    parts = {part.key: part for part in map(Part, Store(root).folders())}
    change(parts)
    family = {part.was[0]["unit_id"]: part for part in parts.values()}
    done = set()

    def seal(part):
        if id(part) in done:
            return
        done.add(id(part))
        for parent in part.was[0]["spec"]["parents"].values():
            if parent in family:
                seal(family[parent])
        part.reseal(family)
        part.write(Path(root))

    for part in parts.values():
        seal(part)


@pytest.fixture
def forge():
    """See `_forge`."""
    return _forge


@pytest.fixture
def opened():
    """Read a unit's folder for changes that are the test's own."""
    return Part


def _train(plan, root):
    store = Store(root)
    store.prepare()
    for unit in plan.units.values():
        attempt = Attempt(root, unit)
        parents = {role: store.folder(plan.units[each]) for role, each in unit.parents.items()}
        attempt.commit(work(unit, parents=parents, folder=attempt.folder))
    shutil.rmtree(root / ".attempts")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A store of the example domain with every method at level 2 and two seeds; not to be changed."""
    root = tmp_path_factory.mktemp("moons") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain()})
        patch.setattr(os, "fsync", lambda _: None)
        _train(make_plan(toy.suite(tuple(METHODS), (2,), (0, 1), of=MOONS)), root)
    return root


@pytest.fixture
def early(tmp_path, monkeypatch):
    """A small store of the example domain, whose task rewinds to step 2 of 40."""
    task = variant(rewind_step=2)
    monkeypatch.setattr(registry, "domains", lambda: {"example": ExampleDomain(task=task)})
    monkeypatch.setattr(os, "fsync", lambda _: None)
    plan = make_plan(toy.suite(("dense", "ticket", "permuted", "one-shot"), (1,), of=task))
    _train(plan, tmp_path / "early")
    return tmp_path / "early"


@pytest.fixture
def example(monkeypatch):
    """The registry knows the example domain and nothing else."""
    monkeypatch.setattr(registry, "domains", lambda: {"example": ExampleDomain()})


@pytest.fixture
def moons(trained, example, tmp_path):
    """A copy of the example domain's store that may be changed."""
    shutil.copytree(trained, tmp_path / "moons")
    return tmp_path / "moons"


@pytest.fixture
def runs(finished):
    """A copy of the toy domain's store that may be changed: dense, ticket, reinit, random-ticket, two seeds."""
    shutil.rmtree(finished / ".attempts", ignore_errors=True)
    return finished
