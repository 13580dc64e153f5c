"""Finished units without a store, for tests of what reads their folders."""

from example import MOONS, ExampleDomain, Moons
from toy import seal

from bench.digests import canonical_json
from bench.spec import Unit
from bench.tickets.methods import METHODS
from bench.tickets.units.work import work


class Folders:
    """Units of the example task in folders of their own, each trained once; `folders(method, level)` gives the record."""

    def __init__(self, root, learner=Moons, task=MOONS, seed=0):
        root.mkdir(exist_ok=True)
        self.root, self.domain, self.task, self.seed = root, ExampleDomain(learner, task), task, seed
        self.folders, self.records = {}, {}

    def __call__(self, name, level=1):
        if (name, level) not in self.records:
            method = METHODS[name]
            units = {role: method.parent_of(role, level) for role in method.parents}
            parents = {role: self(*each)["unit_id"] for role, each in units.items()}
            unit = Unit(task=self.task, method=method, level=level, seed=self.seed, parents=parents)
            folder = self.root / f"{name}-{level}"
            folder.mkdir()
            record = work(unit, parents={role: self.folders[each] for role, each in units.items()}, folder=folder)
            (folder / "record.json").write_text(canonical_json(record))
            seal(folder)
            self.folders[name, level], self.records[name, level] = folder, record
        return self.records[name, level]

    def files(self, name, level=1):
        self(name, level)
        return {path.name for path in self.folders[name, level].iterdir()} - {"record.json"}
