"""A protocol that is broken on purpose, trained for real: `compare` sees it, and sees nothing in honest runs."""

import json
from dataclasses import replace
from itertools import product

import example
import pytest
import toy
from broken import broken_column

from bench import registry
from bench.runs.planning.plan import plan as make_plan
from bench.spec import Entry, Pruning, Suite
from bench.store.attempt import without_curve
from bench.tickets.columns import MASKS, WEIGHTS
from bench.tickets.methods import METHODS
from bench.tickets.units.work import work

ARMS = ("dense", "ticket", "reinit", "shuffled", "random-ticket")
SEEDS, OTHERS = range(3), range(3, 6)
KEEP = Pruning.keep


@pytest.fixture(name="train")
def real_training(tmp_path, monkeypatch, command):
    """Train the arms of a task for real; gives the file of their records."""

    def train(name, seeds, *, task=example.MOONS, domain=None, levels=(1, 3)):
        monkeypatch.setattr(registry, "domains", lambda: {task.domain: domain or example.ExampleDomain()})
        entry = Entry(task=task, methods=tuple(METHODS[arm] for arm in ARMS), levels=levels, seeds=tuple(seeds))
        folders, lines = {}, []
        for unit_id, unit in make_plan(Suite(name=name, title="", entries=(entry,))).units.items():
            folders[unit_id] = folder = tmp_path / name / unit.id
            folder.mkdir(parents=True)
            record = work(unit, parents={role: folders[each] for role, each in unit.parents.items()}, folder=folder)
            (folder / "record.json").write_text(json.dumps(record))
            lines.append(json.dumps(without_curve(record)))
            toy.seal(folder)
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(lines))
        return path

    return train


@pytest.fixture(name="compared")
def comparison(command):
    """Exit code, and method and quantity of what is worse."""

    def compared(before, after):
        code, out, err = command("compare", before, after, "--format", "json")
        assert err == ""
        return code, {(c["method"], c["quantity"]) for c in json.loads(out)["cells"] if c["verdict"] == "worse"}

    return compared


def not_rewound(setting, _):
    return setting.parents["previous"].state("final")


def from_step_0(setting, _):
    return setting.parents["dense"].state("initial")


def fresh(setting, _):
    return setting.fresh


def two_per_cent_more(self, sizes, level):
    return {name: round(1.02 * count) if level else count for name, count in KEEP(self, sizes, level).items()}


@pytest.mark.slow
def test_injected_regressions_are_flagged_and_honest_runs_are_not(train, compared, monkeypatch):
    honest = train("honest", SEEDS)
    assert compared(honest, train("again", SEEDS)) == (0, set())
    assert compared(honest, train("others", OTHERS)) == (0, set())
    for broken in (not_rewound, from_step_0, fresh):
        with monkeypatch.context() as patch:
            broken_column(patch, WEIGHTS, "rewind", broken)
            assert compared(honest, train(broken.__name__, SEEDS)) == (1, {("ticket", "accuracy final")})
    with monkeypatch.context() as patch:
        broken_column(patch, MASKS, "shuffled", MASKS["ticket"].function)
        assert compared(honest, train("unshuffled", OTHERS)) == (1, {("shuffled", "overlap")})
    with monkeypatch.context() as patch:
        patch.setattr(Pruning, "keep", two_per_cent_more)
        code, worse = compared(honest, train("denser", OTHERS))
        assert code == 1
        assert set(product(ARMS[1:], ("density",))) <= worse


@pytest.mark.slow
def test_without_rewinding_tickets_are_worse_at_other_seeds_too(train, compared, monkeypatch):
    """LeNet for 40 updates, 16 % of the weights: the score alone tells, and first of all its distance from reinit."""
    from domains.vision import domain

    task = replace(domain.tasks()["vision/lenet-mnist@smoke"], evaluate_every=40, pruning=Pruning(rate=0.6))
    asked = {"task": task, "domain": domain, "levels": (2,)}
    honest = train("honest", range(5), **asked)
    others = range(5, 10)
    assert compared(honest, train("others", others, **asked)) == (0, set())
    broken_column(monkeypatch, WEIGHTS, "rewind", fresh)
    code, worse = compared(honest, train("fresh", others, **asked))
    assert code == 1
    assert {("ticket", "accuracy final"), ("ticket", "vs_reinit")} <= worse
