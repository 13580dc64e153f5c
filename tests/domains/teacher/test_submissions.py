"""Honest records of students pass every check that is made without training, those of whole nodes included."""

import shutil

import pytest

from bench import registry
from bench.digests import json_digest
from bench.exchange.verify import findings_of
from bench.report.show import show
from bench.runs.planning.plan import plan
from bench.spec import Entry, Suite
from bench.store.attempt import Attempt
from bench.store.integrity import verify
from bench.store.store import Store, curve
from bench.tickets.units.work import work
from domains.teacher import domain

pytestmark = pytest.mark.slow
METHODS = ("dense", "ticket", "reinit", "small-dense", "lr-rewind", "fanout", "fanout-reinit", "fanout-random")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    task = domain.tasks()["teacher/two-layer-narrow@smoke"]
    methods = tuple(registry.method(name) for name in METHODS)
    suite = Suite(name="x", title="", entries=(Entry(task=task, methods=methods, levels=(2,), seeds=(0, 1, 2)),))
    made, root = plan(suite), tmp_path_factory.mktemp("runs")
    store = Store(root)
    store.prepare()
    for unit in made.units.values():
        attempt = Attempt(root, unit)
        parents = {role: store.folder(made.units[each]) for role, each in unit.parents.items()}
        attempt.commit(work(unit, parents=parents, folder=attempt.folder))
    shutil.rmtree(root / ".attempts")
    return store


def test_an_honest_store_has_no_findings(store):
    assert verify(store) == []
    found = findings_of(store.root)
    assert (found.findings, found.doubts) == ([], [])
    assert {unit.unit.method.name for unit in found.submission.entries.values()} == set(METHODS)


def test_every_record_holds_its_nodes_with_their_digest_and_prints_them(store):
    records = {entry.unit.label: entry for entry in findings_of(store.root).submission.entries.values()}
    for label, entry in records.items():
        (layer,) = entry.record["nodes"]
        assert entry.record["digests"]["nodes"] == json_digest(entry.record["nodes"]), label
        students = layer["students"]
        kept = entry.record["counts"]["layers"]
        assert sum(students["kept_in"]) == kept["hidden1.weight"]["kept"]
        assert sum(students["kept_out"]) == kept["output.weight"]["kept"]
        text = show(entry.record, curve(entry.folder))
        assert "student nodes of hidden1\n  node  fanout initial  fanout final  kept in  kept out" in text
        assert len(str(entry.record["nodes"])) < 6_000
        assert {"luck", "fanout_ratio"} & entry.record["nulls"].keys()


def test_a_ticket_and_its_control_began_where_they_were_made(store):
    """The ticket's nodes as the dense network's; the control's as the fresh draw of the level, pruned ones included."""
    records = {
        (each.unit.method.name, each.unit.level): each.record
        for each in findings_of(store.root).submission.entries.values()
        if each.unit.seed == 0
    }
    began = {key: record["nodes"][0]["teachers"]["correlation_initial"] for key, record in records.items()}
    for name in (("ticket", 1), ("ticket", 2), ("fanout", 2), ("fanout-random", 2), ("lr-rewind", 2)):
        assert began[name] == began["dense", 0]
    assert began["reinit", 2] == began["fanout-reinit", 2] != began["dense", 0]
