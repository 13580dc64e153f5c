"""Units that start from another task's ticket: verified, trained again, carried elsewhere, and what was forged of them found."""

import shutil

import pytest
import toy
from example import MOONS, ExampleDomain
from remeasured import Here, again, entry_of, submission_of

from bench import registry
from bench.errors import StoreError
from bench.exchange import remeasure as measuring
from bench.exchange.draw import draw_comparisons, obstacle, retrainable
from bench.exchange.pack import pack
from bench.exchange.ticketfile import write_ticket
from bench.exchange.unpack import unpack
from bench.exchange.verify import findings_of
from bench.runs.planning.plan import plan as make_plan
from bench.store.attempt import Attempt
from bench.store.store import Store
from bench.tickets.units.work import work

ARMS = ("dense", "transfer+turned", "transfer-reinit+turned")
TRANSFER, MASK_ONLY = ("transfer+turned", 2, 0), ("transfer-reinit+turned", 2, 0)


def train(plan, root):
    store = Store(root)
    store.prepare()
    for unit in plan.units.values():
        attempt = Attempt(root, unit)
        parents = {role: store.folder(plan.units[each]) for role, each in unit.parents.items()}
        attempt.commit(work(unit, parents=parents, folder=attempt.folder))
    shutil.rmtree(root / ".attempts")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store of the example domain with both transfers and what they come from, at two seeds; not to be changed."""
    root = tmp_path_factory.mktemp("transfers") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain()})
        train(make_plan(toy.suite(ARMS, (2,), (0, 1), of=MOONS)), root)
    return root


@pytest.fixture
def runs(made, example, tmp_path):
    """A copy that may be changed."""
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(measuring, "LocalLauncher", Here)


def said(root):
    return findings_of(root).findings


def test_an_honest_store_has_no_findings(made, example):
    found = findings_of(made)
    assert (found.findings, found.doubts, found.missing, found.notes) == ([], [], [], [])
    assert found.units == len(found.submission.entries) == 12


def test_the_search_cost_is_the_sources_chain(made, example):
    submission = submission_of(made)
    for name, own in (("transfer+turned", 30), ("transfer-reinit+turned", 40)):
        record = entry_of(submission, name).record
        assert record["updates"] == own
        assert record["search_cost"] == own + 60 + 2 * 45, "dense and two rewound rounds of the source"


def edit_cost(units):
    units[TRANSFER].record["search_cost"] = 30 + 40  # its own, and the target's dense


def own_mask(units):
    units[MASK_ONLY].swap("0.weight", 2)


def another_seeds(role):
    def change(units):
        for key in (TRANSFER, MASK_ONLY):
            if role in units[key].spec["parents"]:
                unit, theirs = units[key], units[key[0], 2, 1]
                unit.spec["parents"][role] = theirs.spec["parents"][role]
                unit.record["parents"] = {**unit.record["parents"], theirs.spec["parents"][role]: "0" * 64}

    return change


def another_level(units):
    for key in (TRANSFER, MASK_ONLY):
        units[key].spec["parents"]["source"] = units["ticket", 1, 0].record["unit_id"]


def another_task(units):
    """The source is said to be of this very task."""
    units[TRANSFER].spec["parents"]["source-dense"] = units[TRANSFER].spec["parents"]["dense"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edit_cost, "its search cost is 180 updates, the record says 70"),
        (own_mask, "its mask is not that of 'example/turned@smoke ticket L2 s0'"),
        (another_seeds("source"), "its parent (source) is 'example/turned@smoke ticket L2 s1', not ticket L2 s0 of example/turned"),
        (another_seeds("source-dense"), "its parent (source-dense) is 'example/turned@smoke dense L0 s1', not dense L0 s0 of example/turned"),
        (another_level, "its parent (source) is 'example/turned@smoke ticket L1 s0', not ticket L2 s0 of example/turned"),
        (another_task, "its parent (source-dense) is 'example/moons@smoke dense L0 s0', not dense L0 s0 of example/turned"),
    ],
)  # fmt: skip
def test_what_was_forged_is_found(runs, forge, change, told):
    forge(runs, change)
    assert any(line.endswith(told) for line in said(runs)), said(runs)


def test_a_method_that_is_called_by_another_source_is_not_the_installed_one(runs, forge):
    def change(units):
        units[TRANSFER].spec["method"]["options"]["source"] = "moons"

    forge(runs, change)
    assert any("has another options than the installed one" in line for line in said(runs))


def test_a_seed_whose_source_diverged_is_not_missing(template, tmp_path, toys, trouble):
    trouble({"toy/slow@smoke ticket L1 s0": "diverge"})
    arms = ("dense", "transfer+slow", "transfer-reinit+slow", "random-ticket")
    store, plan = Store(tmp_path / "runs"), make_plan(toy.suite(arms, (1, 2), (0, 1)))
    store.prepare()
    for unit in plan.units.values():
        if unit.seed or not (unit.method.source or (unit.task.name, unit.level) == ("toy/slow", 2)):
            toy.finish(unit, store, plan)
    assert findings_of(store.root).missing == []


# Measured again.


@pytest.mark.parametrize("which", [TRANSFER, MASK_ONLY])
def test_a_transfer_is_trained_to_the_same_bits(made, example, here, which):
    (found,) = again(submission_of(made), ("retrain", *which))
    assert (found.reason, found.differing, found.is_exact, found.believes_mask) == (None, [], True, False)


def test_its_rewind_weights_are_found_from_the_sources_seed(runs, here):
    """Whatever of weights was submitted, or not."""
    for path in [*runs.rglob("initial.*"), *runs.rglob("rewind.*"), *runs.rglob("final.*")]:
        path.unlink()
    (found,) = again(submission_of(runs), ("retrain", *TRANSFER))
    assert found.is_exact


def test_an_edited_score_is_found(runs, forge, here):
    forge(runs, lambda units: units[TRANSFER].edit_scores(lambda value: value + 5))
    assert said(runs) == []
    (found,) = again(submission_of(runs), ("retrain", *TRANSFER))
    assert found.differing


def test_rewind_weights_of_a_source_that_its_seed_does_not_give_are_found(runs, forge, here):
    def change(units):
        dense = units["dense", 0, 0]  # the source's: it is read last
        assert dense.spec["task"]["name"] == "example/turned"
        dense.states["rewind.safetensors"] = dict(dense.states["final.safetensors"])

    forge(runs, change)
    (found,) = again(submission_of(runs), ("retrain", *TRANSFER))
    assert "its rewind weights are" in found.reason


def test_without_its_source_a_transfer_cannot_be_trained_again(runs):
    for path in (runs / "example/turned/ticket").rglob("L02-*"):
        shutil.rmtree(path)
    submission = submission_of(runs)
    left = {entry.unit.method.name for entry in retrainable(submission)}
    assert not left & {"transfer+turned", "transfer-reinit+turned"}
    assert "source's ticket was not submitted" in obstacle(submission, entry_of(submission, "transfer+turned"))


def test_a_ticket_is_drawn_together_with_the_tickets_that_were_taken_instead(example, tmp_path):
    plan = make_plan(toy.suite((*ARMS, "ticket"), (1,), (0,), of=MOONS))
    train(plan, tmp_path / "runs")
    drawn = draw_comparisons(retrainable(submission_of(tmp_path / "runs")), 1, seed=0)
    assert {entry.unit.label.partition(" ")[2] for entry in drawn if entry.unit.task == MOONS} == {
        "dense L0 s0", "ticket L1 s0", "transfer+turned L1 s0", "transfer-reinit+turned L1 s0",
    }  # fmt: skip


# Carried elsewhere.


def test_an_archive_holds_the_sources_too(made, example, tmp_path):
    suite = toy.suite(ARMS, (2,), (0, 1), of=MOONS)
    packed = pack(make_plan(suite).units.values(), Store(made), tmp_path / "a.zip", suite=suite, weights=False)
    assert packed.units == 12
    unpack(tmp_path / "a.zip", tmp_path / "theirs")
    found = findings_of(tmp_path / "theirs")
    assert (found.findings, found.doubts, found.missing, found.notes) == ([], [], [], [])


def test_a_transferred_ticket_is_no_file_and_says_whose_is(made, example, tmp_path):
    folder = next((made / "example/moons/transfer+turned/s0").iterdir())
    with pytest.raises(StoreError, match="starts from weights of another task: write the ticket of turned instead"):
        write_ticket(Store(made), folder, tmp_path / "a.ticket")
    fresh = next((made / "example/moons/transfer-reinit+turned/s0").iterdir())
    with pytest.raises(StoreError, match="has the mask of another task: write the ticket of turned instead"):
        write_ticket(Store(made), fresh, tmp_path / "a.ticket")
