"""A claimed unit measured again: what is believed of it is its mask at most, and what differs comes out."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from example import MOONS, ExampleDomain, Moons, variant
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from toy import flip, seal

from bench import registry
from bench.digests import canonical_json
from bench.errors import DamagedUnit, LeakedMask, SubmissionError
from bench.record import SUBMITTED
from bench.spec import Unit
from bench.streams import Streams
from bench.tickets.methods import METHODS
from bench.tickets.units import artifacts
from bench.tickets.units.retrain import LARGEST_DRIFT, found_states, replay, retrain
from bench.tickets.units.work import work

TASK = variant(rewind_step=4)


@pytest.fixture(scope="module", autouse=True)
def example():
    """The registry knows the example domain and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain(task=TASK)})
        yield patch


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Units of one seed, trained: (method, level) -> unit, folder."""
    found = {}

    def make(name, level):
        if (name, level) not in found:
            family = {role: make(*METHODS[name].parent_of(role, level)) for role in METHODS[name].parents}
            parents = {role: unit.id for role, (unit, _) in family.items()}
            unit = Unit(task=TASK, method=METHODS[name], level=level, seed=0, parents=parents)
            folder = tmp_path_factory.mktemp(name)
            record = work(unit, parents={role: each for role, (_, each) in family.items()}, folder=folder)
            (folder / "record.json").write_text(canonical_json(record))
            seal(folder)
            found[name, level] = unit, folder
        return found[name, level]

    return make


@pytest.fixture
def case(made, tmp_path):
    """A copy of a unit and of its parents' folders, to be changed; gives unit and role -> folder, itself included."""

    def copy(name, level=1):
        unit, folder = made(name, level)
        shutil.copytree(folder, tmp_path / "claimed")
        folders = {SUBMITTED: tmp_path / "claimed"}
        for role in unit.parents:
            shutil.copytree(made(*unit.method.parent_of(role, level))[1], tmp_path / role)
            folders[role] = tmp_path / role
        (tmp_path / "out").mkdir()
        return unit, folders

    return copy


def retouch(path, change):
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    arrays = load_file(path)
    change(arrays)
    save_file(arrays, path, metadata=metadata)
    seal(path.parent)


def claimed(folders):
    record = json.loads((folders[SUBMITTED] / "record.json").read_text())
    del record["digests"]["files"]  # what is measured again has them once it is committed
    return record


def test_a_retraining_is_equal_in_everything_but_time(case, tmp_path):
    unit, folders = case("ticket")
    record, theirs = retrain(unit, parents=folders, folder=tmp_path / "out"), claimed(folders)
    assert theirs["survival"] == record["survival"]
    differing = {name for name in theirs if record[name] != theirs[name]}
    assert differing <= {"wall_seconds", "peak_memory_bytes", "provenance", "search_cost", "parents"}


def test_the_believed_is_the_mask_and_nothing_else(case, tmp_path):
    """Every other file of the submission may be gone: the result is the same."""
    unit, folders = case("ticket", 2)
    for role, folder in folders.items():
        for name in ("initial", "rewind", "final"):
            (folder / f"{name}.safetensors").unlink(missing_ok=True)
        if (mask := folder / "mask.safetensors").exists() and role != SUBMITTED:
            retouch(mask, dict.clear)
    record = retrain(unit, parents=folders, folder=tmp_path / "out")
    assert record["digests"]["result"] == claimed(folders)["digests"]["result"]


@pytest.mark.parametrize(
    ("name", "level", "role"), [("ticket", 2, "previous"), ("ticket", 1, "previous"), ("one-shot", 1, "dense")]
)
def test_a_mask_is_cut_again_where_the_weights_that_ranked_it_are_there(case, tmp_path, name, level, role):
    """Whatever stands in the submission; and from its parent's weights, not from those found here."""
    unit, folders = case(name, level)
    retouch(folders[SUBMITTED] / "mask.safetensors", lambda arrays: [each.fill(True) for each in arrays.values()])
    record = retrain(unit, parents=folders, folder=tmp_path / "out")
    assert record["digests"]["result"] == claimed(folders)["digests"]["result"]
    retouch(folders[role] / "final.safetensors", lambda arrays: arrays["weights/0.weight"].__imul__(-1).fill(0))
    (tmp_path / "other").mkdir()
    other = retrain(unit, parents=folders, folder=tmp_path / "other")
    assert other["digests"]["mask"] != record["digests"]["mask"]


def test_another_mask_gives_another_result(case, tmp_path):
    unit, folders = case("ticket")
    (folders["previous"] / "final.safetensors").unlink()

    def swap(arrays):
        flat = arrays["0.weight"].reshape(-1)
        kept, cut = flat.argmax(), flat.argmin()
        flat[[kept, cut]] = False, True

    retouch(folders[SUBMITTED] / "mask.safetensors", swap)
    record = retrain(unit, parents=folders, folder=tmp_path / "out")
    assert record["digests"]["mask"] != claimed(folders)["digests"]["mask"]
    assert record["digests"]["curve"] != claimed(folders)["digests"]["curve"]


@pytest.mark.parametrize("name", ["random-ticket", "random-erk", "shuffled", "snip", "magnitude-init", "synflow"])
def test_a_mask_that_the_seed_gives_is_chosen_here(case, tmp_path, name):
    """Whatever stands in the submission."""
    unit, folders = case(name)
    retouch(folders[SUBMITTED] / "mask.safetensors", lambda arrays: [each.fill(True) for each in arrays.values()])
    record = retrain(unit, parents=folders, folder=tmp_path / "out")
    assert record["digests"]["result"] == claimed(folders)["digests"]["result"]


def test_a_mask_of_another_count_fails(case, tmp_path):
    unit, folders = case("ticket")
    (folders["previous"] / "final.safetensors").unlink()
    retouch(folders[SUBMITTED] / "mask.safetensors", lambda arrays: arrays["0.weight"].fill(True))
    for measure in (replay, retrain):
        with pytest.raises(LeakedMask, match="the method's mask has the wrong count"):
            measure(unit, parents=folders, folder=tmp_path / "out")


def test_a_replay_evaluates_and_does_not_train(case, tmp_path):
    unit, folders = case("ticket")
    seen = []
    record = replay(unit, parents=folders, folder=tmp_path / "out", report=lambda *each: seen.append(each))
    last = claimed(folders)["curve"][-1]
    assert record["curve"] == [last]
    assert record["updates"] == record["steps"] == 0
    assert seen == [(40, last["metrics"]["test"])]


def test_a_replay_has_the_test_items_and_the_nodes_of_the_weights_too(case, tmp_path):
    """Else an honest unit would differ in them where everything must be equal."""

    class Keeps(Moons):
        def scored_items(self):
            return {"metric": "bleu", "split": "test", "signature": "s", "statistics": [str(self.step)]}

        def node_layers(self, mask):
            return [{"layer": "0", "kept": int(mask["0.weight"].sum())}]

    unit, folders = case("ticket")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "domains", lambda: {"example": ExampleDomain(Keeps, task=TASK)})
        record = replay(unit, parents=folders, folder=tmp_path / "out")
    kept = claimed(folders)["counts"]["layers"]["0.weight"]["kept"]
    assert (record["items"]["statistics"], record["nodes"]) == (["40"], [{"layer": "0", "kept": kept}])


def test_a_replay_is_of_the_weights_that_were_submitted(case, tmp_path):
    unit, folders = case("ticket")
    retouch(folders[SUBMITTED] / "final.safetensors", lambda arrays: arrays["weights/4.bias"].__imul__(-3))
    record = replay(unit, parents=folders, folder=tmp_path / "out")
    assert record["digests"]["weights"] != claimed(folders)["digests"]["weights"]
    assert record["metrics"] != claimed(folders)["metrics"]


@pytest.mark.parametrize(
    ("measure", "role", "name"),
    [
        (replay, SUBMITTED, "final"),
        (replay, SUBMITTED, "mask"),
        (retrain, SUBMITTED, "mask"),
        (retrain, "previous", "mask"),
        (retrain, "previous", "final"),
        (retrain, "dense", "rewind"),
    ],
)
def test_a_submitted_file_that_its_record_does_not_tell_is_not_measured(case, tmp_path, measure, role, name):
    unit, folders = case("ticket", 2)
    flip(folders[role] / f"{name}.safetensors")
    with pytest.raises(
        DamagedUnit, match=f"{role if role != SUBMITTED else 'claimed'}: {name}.safetensors was changed"
    ):
        measure(unit, parents=folders, folder=tmp_path / "out")


# The weights it starts from.


def test_dense_is_found_again_to_the_bit(made):
    unit, folder = made("dense", 0)
    state = found_states(unit.task, unit.seed, ExampleDomain(task=TASK), "cpu", None)
    for name in ("initial", "rewind"):
        theirs = artifacts.load_parent(folder).state(name)
        ours = state(name)
        assert (ours.step, ours.updates, ours.origin) == (theirs.step, theirs.updates, theirs.origin)
        assert all(torch.equal(ours.weights[each], theirs.weights[each]) for each in theirs.weights)
        assert all(torch.equal(ours.buffers[each], theirs.buffers[each]) for each in theirs.buffers)


def test_where_tickets_go_back_to_the_beginning_rewind_is_initial():
    unit = Unit(task=replace(MOONS, rewind_step=0), method=METHODS["dense"], level=0, seed=3)
    state = found_states(unit.task, unit.seed, ExampleDomain(), "cpu", None)
    first = ExampleDomain().learner(unit.task, streams=Streams(3), device="cpu").snapshot()
    for name in ("initial", "rewind"):
        assert all(torch.equal(state(name).weights[each], first.weights[each]) for each in first.weights)


def moved(by):
    """Rewind weights that lie `by` times as far from those found here as these lie from the initial ones."""

    def change(folder):
        first = load_file(folder / "initial.safetensors")
        mask = load_file(folder.parent / "claimed" / "mask.safetensors")

        def push(arrays):
            for name in list(arrays):
                if name.startswith("weights/"):
                    kept = mask.get(name.removeprefix("weights/"), True)
                    step = np.where(kept, arrays[name] - first[name], 0).astype("f4")
                    arrays[name] = (arrays[name] + by * step).astype("f4")

        retouch(folder / "rewind.safetensors", push)

    return change


@pytest.mark.parametrize("share", [0.0, 0.5, -0.9, 1.1, -1.1])
def test_how_far_rewind_weights_may_lie(case, tmp_path, share):
    unit, folders = case("ticket")
    moved(LARGEST_DRIFT[unit.task.unit] * share)(folders["dense"])
    if abs(share) < 1:
        record = retrain(unit, parents=folders, folder=tmp_path / "out")
        assert record["digests"]["result"] == claimed(folders)["digests"]["result"], "from the weights found here"
    else:
        with pytest.raises(SubmissionError, match="its rewind weights are .* away from those that its seed gives here"):
            retrain(unit, parents=folders, folder=tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("weights/0.weight"),
        lambda arrays: arrays["weights/0.weight"].fill(np.nan),
        lambda arrays: arrays["weights/0.bias"].fill(1e30),
        lambda arrays: arrays["weights/4.weight"].__imul__(-5),
    ],
    ids=["less", "nan", "huge", "turned"],
)
def test_rewind_weights_of_no_training_are_refused(case, tmp_path, change):
    unit, folders = case("ticket")
    retouch(folders["dense"] / "rewind.safetensors", change)
    with pytest.raises(SubmissionError, match="rewind weights are (nan|inf|[0-9.e+]+) away"):
        retrain(unit, parents=folders, folder=tmp_path / "out")


def test_weights_of_the_end_are_no_rewind_weights(case, tmp_path):
    unit, folders = case("ticket")
    rewind, final = (artifacts.load_parent(folders["dense"]).state(name) for name in ("rewind", "final"))
    artifacts.save_state(replace(rewind, weights=final.weights), "rewind", folders["dense"])
    seal(folders["dense"])
    with pytest.raises(SubmissionError, match="its rewind weights are .* away"):
        retrain(unit, parents=folders, folder=tmp_path / "out")


def test_trained_weights_that_say_they_are_the_first_are_refused(case, tmp_path):
    """At step 0 there is no way that training could have gone."""
    unit, folders = case("ticket")
    state = artifacts.load_parent(folders["dense"]).state("final")
    artifacts.save_state(replace(state, step=0, updates=0), "rewind", folders["dense"])
    seal(folders["dense"])
    with pytest.raises(SubmissionError, match="its initial weights are .* away"):
        retrain(unit, parents=folders, folder=tmp_path / "out")
