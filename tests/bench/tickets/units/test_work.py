"""A unit trained for a store: the files its children need, and a record that says what came out."""

import json
import math
from dataclasses import replace
from datetime import datetime

import pytest
import torch
from example import MOONS, ExampleDomain, Moons, variant
from folders import Folders
from safetensors.torch import load_file

from bench import __version__, registry
from bench.digests import canonical_json, json_digest
from bench.errors import Diverged, UnknownName
from bench.record import FORMAT, MOST_ITEMS, Record
from bench.spec import Unit
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.measurements.survival import survival
from bench.tickets.methods import METHODS
from bench.tickets.units import artifacts
from bench.tickets.units.work import work

CHAINS = ("ticket", "ticket-init", "fine-tune", "lr-rewind")


@pytest.fixture(scope="module", autouse=True)
def example():
    """The registry knows the example domain and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain()})
        yield patch


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Folders(tmp_path_factory.mktemp("runs"))


# Files.


@pytest.mark.parametrize("name", METHODS)
def test_a_unit_leaves_what_its_children_need_and_no_more(store, name):
    states = {"dense": {"initial", "rewind", "final"}, **{chain: {"final"} for chain in CHAINS}}.get(name, set())
    mask = set() if name in ("dense", "small-dense") else {"mask.safetensors"}
    expected = {*mask, *(f"{state}.safetensors" for state in states)}
    assert store.files(name, int(name != "dense")) == expected


def test_the_curve_has_a_point_for_every_evaluation(store):
    points = store("ticket")["curve"]
    assert [point["step"] for point in points] == [20, 30, 40]
    assert all(set(point["metrics"]) == {"val", "test"} for point in points)


def test_the_mask_on_disk_has_the_records_counts(store):
    for name in ("ticket", "random-ticket", "gmp", "rigl"):
        record = store(name, 2 if name == "ticket" else 1)
        mask = load_file(store.folders[name, 2 if name == "ticket" else 1] / "mask.safetensors")
        assert masks.sizes(mask) == {layer: record["counts"]["layers"][layer]["kept"] for layer in mask}


def test_a_child_from_disk_equals_a_child_from_memory(store):
    """The rewound weights went through a file, and are the same to the bit."""
    ticket = store("ticket")
    rewind = artifacts.load_parent(store.folders["dense", 0]).state("rewind")
    learner = Moons(MOONS, Streams(0), 1.0)
    learner.train(MOONS.rewind_step)
    assert all(torch.equal(rewind.weights[name], each) for name, each in learner.snapshot().weights.items())
    assert rewind.step == MOONS.rewind_step
    final = artifacts.load_parent(store.folders["ticket", 1]).state("final")
    mask = load_file(store.folders["ticket", 1] / "mask.safetensors")
    assert all(torch.equal(final.weights[name] != 0, mask[name]) for name in mask)
    assert ticket["digests"]["mask"] == artifacts.digest(mask)


# Records.


@pytest.mark.parametrize("name", METHODS)
def test_a_record_has_every_field_and_no_number_that_is_not_finite(store, name):
    record = store(name, int(name != "dense"))
    assert set(record) - {"survival", "interpolation"} == {*Record.__required_keys__, "curve"}
    assert json.loads(canonical_json(record)) == record
    assert (record["format"], record["status"], record["reason"]) == (FORMAT, "ok", None)


def test_a_record_embeds_its_whole_spec_and_names_its_parents_with_their_digests(store):
    record = store("ticket", 2)
    assert Unit.from_spec(record["spec"]).id == record["unit_id"]
    assert record["spec"]["task"]["name"] == "example/moons"
    parents = [store("ticket", 1), store("dense", 0)]
    assert record["parents"] == {parent["unit_id"]: parent["digests"]["result"] for parent in parents}
    assert store("dense", 0)["parents"] == {}


def test_a_parent_with_two_roles_stands_once(store):
    assert list(store("ticket", 1)["parents"]) == [store("dense", 0)["unit_id"]]


def test_metrics_of_the_record_are_those_of_the_curve(store):
    record = store("random-ticket")
    last = record["curve"][-1]
    for row in record["metrics"]:
        if row["at"] == "final":
            assert (row["value"], row["step"]) == (last["metrics"][row["split"]][row["name"]], 40)


def test_a_network_is_not_stopped_early_before_it_is_pruned(tmp_path, example):
    """Gradual pruning cuts until seven tenths of the budget, step 28 of 40: an optimum before is that of a denser network."""

    class Worsens(Moons):
        def evaluate(self, split):
            return {**super().evaluate(split), "loss": self.step / 10}

    with example.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Worsens)})
        steps = {name: _early_stop(name, tmp_path / name) for name in ("gmp", "set", "random-ticket")}
    assert steps == {"gmp": 30, "set": 10, "random-ticket": 10}


def _early_stop(name, folder):
    folder.mkdir()
    record = work(Unit(task=MOONS, method=METHODS[name], level=3, seed=0), parents={}, folder=folder)
    (step,) = {metric["step"] for metric in record["metrics"] if metric["at"] == "early-stop"}
    return step


def test_search_cost_adds_up_over_the_chain(store):
    """40 updates of dense training, and 30 for every rewound round."""
    assert store("dense", 0)["search_cost"] == 40
    for level in (1, 2, 3):
        assert store("ticket", level)["search_cost"] == 40 + 30 * level
        assert store("reinit", level)["search_cost"] == 40 + 30 * level + 40
    assert store("ticket-init", 2)["search_cost"] == 40 + 2 * 40
    assert store("one-shot", 3)["search_cost"] == 40 + 30
    for name in ("random-ticket", "snip", "gmp", "small-dense"):
        assert store(name, 3)["search_cost"] == 40
    assert [store(name, 3)["updates"] for name in ("ticket", "reinit", "random-ticket")] == [30, 40, 40]


def test_a_ticket_in_another_order_names_its_twin_and_digests_what_lies_between(store):
    record, ticket = store("ticket-reordered", 2), store("ticket", 2)
    assert set(record["spec"]["parents"]) == {"ticket", "twin", "dense"}
    assert record["spec"]["parents"]["twin"] == ticket["unit_id"]
    assert record["digests"]["mask"] == ticket["digests"]["mask"]
    assert record["digests"]["weights"] != ticket["digests"]["weights"]
    assert record["digests"]["interpolation"] == json_digest(record["interpolation"])
    assert record["search_cost"] == ticket["search_cost"] + 30
    assert "interpolation" not in ticket


def test_environment_steps_are_those_of_the_learner_and_null_without_environments(store, tmp_path, example):
    class Plays(Moons):
        @property
        def env_steps(self):
            return 16 * self.step

    assert store("ticket")["env_steps"] is None
    with example.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Plays)})
        plays = Folders(tmp_path, Plays)
        assert plays("dense", 0)["env_steps"] == 16 * 40
        assert plays("ticket", 1)["env_steps"] == 16 * 30


def test_test_items_are_those_of_the_final_evaluation_and_absent_where_no_learner_keeps_them(tmp_path, example):
    class Translates(Moons):
        def evaluate(self, split):
            self.seen = f"{split} at {self.step}"
            return super().evaluate(split)

        def scored_items(self):
            return {"metric": "bleu", "split": "test", "signature": "s", "statistics": [self.seen]}

    plain = Folders(tmp_path / "plain")("dense", 0)
    with example.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Translates)})
        keeps = Folders(tmp_path / "keeps", Translates)
        assert {keeps(*each)["items"]["statistics"][0] for each in (("dense", 0), ("ticket", 1))} == {"test at 40"}
        patch.setattr(Translates, "scored_items", lambda _: None)
        none = Folders(tmp_path / "none", Translates)("dense", 0)
        many = {"metric": "bleu", "split": "test", "signature": "s", "statistics": ["1"] * (MOST_ITEMS + 1)}
        patch.setattr(Translates, "scored_items", lambda _: many)
        crowded = Folders(tmp_path / "crowded", Translates)("dense", 0)
    assert "items" not in {**plain, **none, **crowded}
    assert keeps("dense", 0)["unit_id"] == plain["unit_id"]
    digests = dict(keeps("dense", 0)["digests"])
    assert digests.pop("items") == json_digest(keeps("dense", 0)["items"])
    assert digests == plain["digests"]


def test_nodes_stand_beside_the_result_with_a_digest_of_their_own(tmp_path, example):
    layer = {"layer": "0", "teachers": {}, "students": {}}

    class Keeps(Moons):
        def node_layers(self, mask):
            return [layer]

        def absent(self):
            return {"luck": "no node is dead"}

    plain = Folders(tmp_path / "plain")("dense", 0)
    with example.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Keeps)})
        record = Folders(tmp_path / "keeps", Keeps)("dense", 0)
    assert (record["nodes"], record["nulls"]) == ([layer], {"luck": "no node is dead"})
    assert "nodes" not in plain
    digests = dict(record["digests"])
    assert digests.pop("nodes") == json_digest([layer])
    assert digests == plain["digests"]


def test_how_survivors_differed_in_the_dense_network_stands_beside_masks_that_rank(tmp_path):
    store = Folders(tmp_path)
    ticket, shot = store("ticket", 2), store("one-shot", 2)
    for record, folder in ((ticket, store.folders["ticket", 2]), (shot, store.folders["one-shot", 2])):
        arrays = [load_file(store.folders["dense", 0] / f"{name}.safetensors") for name in ("initial", "final")]
        initial, final = ({k.removeprefix("weights/"): v.numpy() for k, v in each.items()} for each in arrays)
        mask = {name: each.numpy() for name, each in load_file(folder / "mask.safetensors").items()}
        assert record["survival"] == survival(mask, initial, final, record["counts"]["layers"])
        assert record["digests"]["survival"] == json_digest(record["survival"])
    assert ticket["survival"] != shot["survival"]
    for other in (("dense", 0), ("reinit", 2), ("random-ticket", 2), ("ticket-init", 2)):
        assert "survival" not in store(*other)


def test_a_diverged_unit_has_no_test_items(tmp_path, example):
    class Fails(Moons):
        def train(self, until):
            if until > 20:
                raise Diverged(20, "the loss")
            super().train(until)

        def scored_items(self):
            return {"metric": "bleu", "split": "test", "signature": "s", "statistics": ["1 1 1 0 0 0"]}

    with example.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Fails)})
        record = Folders(tmp_path, Fails)("dense", 0)
    assert record["status"] == "diverged"
    assert "items" not in record


def test_provenance_tells_what_could_change_a_result(store):
    provenance = store("dense", 0)["provenance"]
    assert set(provenance) == {
        "commit",
        "versions",
        "device",
        "threads",
        "machine",
        "cpu",
        "capability",
        "start",
        "end",
    }
    assert provenance["versions"]["torch"] == torch.__version__
    assert provenance["versions"]["ticketbench"] == __version__
    assert {"python", "numpy"} <= set(provenance["versions"])
    assert (provenance["device"], provenance["threads"]) == ("cpu", torch.get_num_threads())
    begin, end = (datetime.fromisoformat(provenance[key]) for key in ("start", "end"))
    assert begin.tzinfo is not None
    assert begin <= end
    assert 0 < store("dense", 0)["wall_seconds"] < 60
    assert store("dense", 0)["peak_memory_bytes"] > 10_000_000
    commit = provenance["commit"]
    assert commit is None or len(commit.removesuffix("-dirty")) == 40


# The digest of a result.


def test_equal_runs_have_equal_digests_whatever_the_clock_and_the_machine_say(store, tmp_path, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "pdp-11")
    torch.manual_seed(99)
    again = Folders(tmp_path)
    for name, level in (("dense", 0), ("ticket", 1), ("ticket", 2), ("shuffled", 1), ("set", 1)):
        one, two = store(name, level), again(name, level)
        assert one["digests"] == two["digests"]
        assert one["unit_id"] == two["unit_id"]
        assert (one["provenance"]["start"], one["wall_seconds"]) != (two["provenance"]["start"], two["wall_seconds"])


def test_another_seed_method_or_level_has_another_digest(store, tmp_path):
    other = Folders(tmp_path, seed=1)
    records = [store("ticket", 1), store("ticket", 2), store("reinit", 1), store("dense", 0), other("dense", 0)]
    for part in ("result", "curve", "weights"):
        assert len({record["digests"][part] for record in records}) == len(records)


@pytest.mark.parametrize("part", ["curve", "mask", "weights", "buffers"])
def test_a_change_in_any_part_of_the_result_changes_its_digest(store, tmp_path, monkeypatch, part):
    from bench.tickets.units import work as module

    real = module.run_unit

    def altered(*args, **options):
        result = real(*args, **options)
        trained = result.trained
        if part == "curve":
            trained.curve[0]["metrics"]["val"]["loss"] += 1e-9
        elif part == "mask":
            trained.mask["0.weight"] = ~trained.mask["0.weight"]
        elif part == "weights":
            trained.states["final"].weights["4.bias"][0] += 1e-3
        else:
            trained.states["final"].buffers["1.num_batches_tracked"] += 1
        return result

    monkeypatch.setattr(module, "run_unit", altered)
    changed = Folders(tmp_path)("random-ticket")
    assert changed["digests"]["result"] != store("random-ticket")["digests"]["result"]


# Units that end early, and units that cannot begin.


class Explodes(Moons):
    def train(self, until):
        super().train(min(until, 25))
        if until > 25:
            raise Diverged(self.step, "the loss")


class ExplodesWithNan(Explodes):
    def snapshot(self):
        state = super().snapshot()
        spoiled = math.nan if self.step == 25 else 1.0
        return replace(state, weights={name: each * spoiled for name, each in state.weights.items()})


@pytest.mark.parametrize("learner", [Explodes, ExplodesWithNan])
@pytest.mark.parametrize("name", ["dense", "random-ticket"])
def test_a_diverged_unit_is_a_whole_record_with_nulls_for_metrics(tmp_path, monkeypatch, learner, name):
    monkeypatch.setattr(registry, "domains", lambda: {"example": ExampleDomain(learner)})
    store = Folders(tmp_path, learner)
    record = store(name, int(name != "dense"))
    assert (record["status"], record["reason"]) == ("diverged", "the loss is not finite at step 25")
    assert {row["value"] for row in record["metrics"]} == {None}
    assert set(record) - {"survival", "interpolation"} == {*Record.__required_keys__, "curve"}
    assert json.loads(canonical_json(record)) == record
    assert record["steps"] == record["updates"] == record["search_cost"] == 25
    assert store.files(name, int(name != "dense")) >= (
        {"final.safetensors"} if name == "dense" else {"mask.safetensors"}
    )


def test_an_infinite_metric_ends_in_a_record(tmp_path, monkeypatch):
    class Overflows(Moons):
        def evaluate(self, split):
            return {**super().evaluate(split), "loss": math.inf}

    monkeypatch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Overflows)})
    assert Folders(tmp_path, Overflows)("dense", 0)["status"] == "diverged"


def test_evaluations_are_reported_while_training(tmp_path):
    seen = []
    unit = Unit(task=MOONS, method=METHODS["random-ticket"], level=1, seed=0)
    work(unit, parents={}, folder=tmp_path, report=lambda step, metrics: seen.append((step, set(metrics))))
    assert seen == [(0, set()), *((step, {"accuracy", "loss"}) for step in (10, 20, 30, 40))]


def test_a_task_of_a_domain_that_is_not_installed_is_refused_by_name(tmp_path):
    unit = Unit(task=variant(name="exmaple/moons"), method=METHODS["dense"], level=0, seed=0)
    with pytest.raises(UnknownName, match="did you mean 'example'"):
        work(unit, parents={}, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
