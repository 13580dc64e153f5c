"""What is found in a store without training: nothing in an honest one, and each cheat by the check that is there for it.

The cheater knows everything: ids, counts, densities, overlaps, metrics and every digest are made to fit again.
"""

import json
import shutil

import numpy as np
import older
import pytest
import toy

from bench.digests import json_digest
from bench.exchange.verify import findings_of
from bench.store.integrity import verify as contradictions
from bench.store.store import Store
from bench.tickets.methods import METHODS

TICKET, CONTROL, RANDOM, DENSE = ("ticket", 3, 0), ("reinit", 3, 0), ("random-ticket", 3, 0), ("dense", 0, 0)
DISHONEST = (
    "shuffled", "shuffled-values", "fine-tune", "one-shot", "one-shot-reinit", "one-shot-untrained", "small-dense",
)  # fmt: skip
"""Methods that the toy does not imitate: it shuffles and narrows nothing, fine-tunes from step 0, and shoots at random."""


def said(root):
    return findings_of(root).findings


# Honest stores.


def test_an_honest_store_of_every_method_has_no_findings(moons):
    found = findings_of(moons)
    assert (found.findings, found.doubts, found.missing, found.notes) == ([], [], [], [])
    assert found.units == len(found.submission.entries) == 64
    assert {unit.unit.method.name for unit in found.submission.entries.values()} == set(METHODS)


def test_an_honest_store_of_the_toy_has_no_findings(template, tmp_path, toys):
    methods = tuple(name for name in METHODS if name not in DISHONEST)
    store, _ = template(toy.suite(methods, levels=(2,)), tmp_path / "runs")
    found = findings_of(store.root)
    assert (found.findings, found.doubts, found.missing, found.notes) == ([], [], [], [])


@pytest.mark.parametrize("holds", [(), ("store.json",), ("store.json", "failed/0123456789.host.1.aa/reason.txt")])
def test_where_nothing_is_verified_nothing_passes(command, tmp_path, holds):
    for name in holds:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('{"format": 1}')
    told = (
        f"ticketbench: {tmp_path} holds no unit, so nothing was verified: name a store, an archive or a ticket file\n"
    )
    assert command("verify", tmp_path) == (2, "", told)


def test_a_submission_that_is_not_there_is_no_matter_of_an_option(command, tmp_path):
    code, out, err = command("verify", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert err == f"ticketbench: no store {tmp_path / 'nowhere'}: name a store, an archive or a ticket file\n"


def test_a_store_with_a_linked_folder_is_not_verified(command, runs, tmp_path):
    """It would be found that nothing is wrong with the rest."""
    shutil.move(runs / "toy", tmp_path / "elsewhere")
    (runs / "toy").symlink_to(tmp_path / "elsewhere")
    code, out, err = command("verify", runs)
    assert (code, out) == (2, "")
    assert err.startswith(
        f"ticketbench: {runs}/toy is a link to {tmp_path}/elsewhere: a store is read whole or not at all"
    )
    assert err.count("\n") == 1


def test_a_forger_who_changes_nothing_is_not_found(moons, forge):
    """So that what is found below was found for its change."""
    forge(moons, lambda units: None)
    assert said(moons) == []


def test_units_that_diverged_are_no_finding(template, tmp_path, toys, trouble):
    trouble({"toy/chain@smoke reinit L3 s0": "diverge"})
    store, _ = template(toy.suite(levels=(1, 3, 4)), tmp_path / "runs")
    found = findings_of(store.root)
    assert [each for each in found.submission.entries.values() if each.diverged]
    assert (found.findings, found.doubts, found.missing, found.notes) == ([], [], [], [])


def test_cleaned_weights_are_no_finding(moons):
    for path in [*moons.rglob("initial.*"), *moons.rglob("rewind.*"), *moons.rglob("final.*")]:
        path.unlink()
    assert said(moons) == []


# One cheat for each check; {what it is: (change, what is said, and nothing else)}.


def edit_spec(part, name, value):
    def change(units):
        for key, unit in units.items():
            if part == "task" or key[0] == "reinit":
                unit.spec[part][name] = value

    return change


def other_parent(units):
    """The control of seed 0 is that of seed 1's ticket: a better one, perhaps."""
    theirs = units["ticket", 3, 1]
    units[CONTROL].spec["parents"]["ticket"] = theirs.record["unit_id"]
    units[CONTROL].mask = {name: each.copy() for name, each in theirs.mask.items()}


def no_parents(units):
    unit = units[CONTROL]
    unit.spec["parents"], unit.record["parents"], unit.record["overlap"] = {}, {}, None


def other_level(units):
    units[CONTROL].spec["level"] = 0


def larger_layer(units):
    record = units[RANDOM].record
    record["counts"]["layers"]["a.bias"]["all"] += 1
    record["counts"]["all"] += 1
    record["counts"]["kept_all"] += 1
    record["density_total"] = record["counts"]["kept_all"] / record["counts"]["all"]


def fewer_weights(units):
    record = units[RANDOM].record
    record["counts"]["weights"] += 10
    record["counts"]["kept_weights"] += 10
    record["density_weights"] = record["counts"]["kept_weights"] / record["counts"]["weights"]


def pruned_bias(units):
    units[RANDOM].mask["a.bias"] = np.ones(8, bool)


def one_more(units):
    flat = units[RANDOM].mask["a.weight"].reshape(-1)
    flat[flat.argmin()] = True


def another_layer(units):
    """The right number of weights, but one more of the last layer and one less of the first."""
    ticket = units[TICKET]
    before = units["ticket", 2, 0].mask
    kept = ticket.mask["a.weight"].reshape(-1).nonzero()[0][0]
    free = (before["b.weight"] & ~ticket.mask["b.weight"]).reshape(-1).nonzero()[0][0]
    for unit in (ticket, units[CONTROL]):
        unit.mask["a.weight"].reshape(-1)[kept] = False
        unit.mask["b.weight"].reshape(-1)[free] = True
    ticket.final["weights/a.weight"].reshape(-1)[kept] = 0


def by_wish(units):
    """A weight that the last round should have cut is kept, in place of a larger one."""
    ticket, before = units[TICKET], units["ticket", 2, 0]
    sizes = np.abs(before.final["weights/a.weight"]).reshape(-1)
    mask = ticket.mask["a.weight"].reshape(-1)
    cut = (before.mask["a.weight"].reshape(-1) & ~mask).nonzero()[0]
    lost, found = max(mask.nonzero()[0], key=lambda place: sizes[place]), cut[0]
    for unit in (ticket, units[CONTROL]):
        unit.mask["a.weight"].reshape(-1)[[lost, found]] = False, True
    ticket.final["weights/a.weight"].reshape(-1)[[lost, found]] = 0, 0.5


def revived(units):
    """The last round keeps a weight that an earlier one cut; a cheater hides the weights that would show it too."""
    ticket = units[TICKET]
    mask, first = ticket.mask["a.weight"].reshape(-1), units["ticket", 1, 0].mask["a.weight"].reshape(-1)
    lost, found = mask.nonzero()[0][0], (~first).nonzero()[0][0]
    for unit in (ticket, units[CONTROL]):
        unit.mask["a.weight"].reshape(-1)[[lost, found]] = False, True
    ticket.final["weights/a.weight"].reshape(-1)[[lost, found]] = 0, 0.5
    del units["ticket", 2, 0].states["final.safetensors"]


def leaked(units):
    ticket = units[TICKET]
    ticket.final["weights/a.weight"][~ticket.mask["a.weight"]] = 1e-30


def thinner(units):
    """Fewer weights than the mask keeps, by the paper's count."""
    record = units[TICKET].record
    record["counts"]["kept_weights"] -= 5
    record["density_weights"] = record["counts"]["kept_weights"] / record["counts"]["weights"]


def sparser(units):
    """Fewer weights than the mask keeps, layer by layer."""
    record = units[RANDOM].record
    record["counts"]["layers"]["a.weight"]["kept"] -= 5
    record["counts"]["kept"] -= 5
    record["density"] = record["counts"]["kept"] / record["counts"]["prunable"]


def own_mask(units):
    units[CONTROL].swap("a.weight")


def the_tickets(units):
    units[RANDOM].mask = {name: each.copy() for name, each in units[TICKET].mask.items()}


def the_same_twice(units):
    units["random-ticket", 3, 1].mask = {name: each.copy() for name, each in units[RANDOM].mask.items()}


def another_end(units):
    units[RANDOM].curve[-1]["step"] += 1


def shorter(units):
    unit = units[RANDOM]
    del unit.curve[-1]
    unit.record.update(steps=20, updates=20, search_cost=20)


def longer(units):
    """Trained twice as long, and told in updates only."""
    for point in units[RANDOM].curve:
        point["updates"] *= 2
    units[RANDOM].record.update(updates=60, search_cost=60)


def peeked(units):
    unit = units[RANDOM]
    unit.curve.insert(2, {**unit.curve[1], "step": 25, "updates": 25})


def looked_away(units):
    del units[RANDOM].curve[0]


def free(units):
    units[TICKET].record["search_cost"] = 20


def better(units):
    record = units[TICKET].record
    next(each for each in record["metrics"] if each["at"] == "final")["value"] += 5


def no_score(units):
    for point in units[RANDOM].curve:
        point["metrics"]["test"] = {}


def perfect(units):
    units[TICKET].edit_scores(lambda _: 100.5)


def other_metric(units):
    for point in units[RANDOM].curve:
        point["metrics"]["test"]["bleu"] = 99.0


def other_split(units):
    for point in units[RANDOM].curve:
        point["metrics"]["train"] = point["metrics"]["test"]


def excused(units):
    record = units[RANDOM].record
    record["reason"] = "it was a bad day"


def overshot(units):
    record = units[RANDOM].record
    record.update(status="diverged", reason="loss is not finite", steps=31, updates=31, search_cost=31)
    record["metrics"] = [{**each, "value": None, "step": 31} for each in record["metrics"]]


def set_record(key, value, unit=RANDOM):
    return lambda units: units[unit].record.update({key: value})


def infinite(units):
    units[TICKET].final["weights/a.bias"][0] = np.inf


def undefined(units):
    units[DENSE].states["rewind.safetensors"]["weights/a.bias"][0] = np.nan


def reshaped(units):
    state = units[DENSE].states["initial.safetensors"]
    state["weights/a.weight"] = state["weights/a.weight"][:4]


def nameless(units):
    state = units[DENSE].states["initial.safetensors"]
    state["weights/c.weight"] = state.pop("weights/b.weight")


def same_end(units):
    units[RANDOM].record["digests"]["weights"] = units[TICKET].record["digests"]["weights"]


def same_ends(units):
    units["random-ticket", 3, 1].record["digests"]["weights"] = units[RANDOM].record["digests"]["weights"]


CHEATS = {
    "another configuration": (edit_spec("task", "config", {"seconds": 1.0}), ["has another config than the installed one"]),
    "0 is not 0.0": (edit_spec("task", "config", {"seconds": 0}), ["has another config than the installed one"]),
    "another method": (edit_spec("method", "options", {"kind": 1}), ["has another options than the installed one"]),
    "another seed's ticket": (other_parent, ["its parent (ticket) is 'toy/chain@smoke ticket L3 s1', not ticket L3 s0"]),
    "an orphan": (
        no_parents,
        ["it does not name the parents that its method needs", "its search cost is 30 updates, the record says 120"],
    ),
    "another level": (
        other_level,
        [
            "its parent (ticket) is", "only dense stands at level 0", "its mask keeps 28 weights, level 0 leaves 56",
            "its level asks for 56 weights, the record says 28",
        ],
    ),
    "a larger layer": (larger_layer, ["its layer 'a.bias' has another size than that of"]),
    "more weights in all": (fewer_weights, ["it counts 66 weights,"]),
    "a pruned bias": (pruned_bias, ["its mask prunes 'a.bias', which its task does not"]),
    "one weight more": (one_more, ["its mask keeps 29 weights, level 3 leaves 28"]),
    "another layer's weight": (another_layer, [", level 3 leaves", "from the largest that"]),
    "a weight kept by wish": (by_wish, ["its mask differs in 2 weights of 'a.weight' from the largest that 'toy/chain@smoke ticket L2 s0' ended with"]),
    "a weight revived": (revived, ["its mask keeps 1 weights of a.weight that the level before had pruned"]),
    "a leak": (leaked, ["pruned weights of a.weight are not zero"]),
    "fewer weights by the paper's count": (thinner, ["its kept_weights is 28 by its mask, the record says 23"]),
    "fewer weights by layer": (sparser, ["weights of a.weight, the record says"]),
    "a control with a mask of its own": (own_mask, ["its mask is not the ticket's"]),
    "a smaller overlap": (set_record("overlap", 0.5, CONTROL), ["it shares 28 of the ticket's 28 weights, the record says 0.5"]),
    "the ticket's mask for a random one": (the_tickets, ["is so like that of 'toy/chain@smoke ticket L3 s0' (p = "]),
    "one random mask for two seeds": (the_same_twice, ["is so like that of 'toy/chain@smoke random-ticket L3 s0' (p = "]),
    "a step more": (another_end, ["its training ends at step 31", "its curve goes from step 20 to 31"]),
    "less training": (shorter, ["its training ends at step 20, its budget at 30"]),
    "more updates than steps": (longer, ["it records 60 updates in 30 steps, which are updates"]),
    "a look more": (peeked, ["its curve goes from step 20 to 25, the next evaluation is at 30"]),
    "a look less": (looked_away, ["its curve goes from step 0 to 20, the next evaluation is at 10"]),
    "a free search": (free, ["its search cost is", "updates, the record says 20"]),
    "a better score": (better, ["its metrics are not those of its curve: accuracy on test (final) differs"]),
    "no score": (no_score, ["its curve has no accuracy on test at its end, which is its score"]),
    "more than everything": (perfect, ["its curve has accuracy 100.5 on test at step", "it is from 0.0 to 100.0"]),
    "another metric": (other_metric, ["its curve has 'bleu' on test at step", "which its task does not measure"]),
    "another split": (other_split, ["its curve does not hold the splits of its task at step 10"]),
    "an excuse": (excused, ["it says that it diverged without a reason, or the reverse"]),
    "a divergence after the end": (overshot, ["it diverged after 31 steps, its training has 30"]),
    "an effective density above the density": (set_record("effective_density", 0.9), ["its effective_density is 0.9, its density"]),
    "more work than dense": (
        lambda units: units[RANDOM].record.update(flops=200, flops_dense=100),
        ["its flops is 200, its flops_dense 100"],
    ),
    "time before its beginning": (
        set_record("wall_seconds", -1.0),
        ["record.json cannot be read: Expected `float` >= 0.0 - at `$.wall_seconds`"],
    ),
    "weights that are not finite": (infinite, ["final.safetensors: 'weights/a.bias' is not finite"]),
    "rewind weights that are no numbers": (undefined, ["rewind.safetensors: 'weights/a.bias' is not finite"]),
    "weights of another shape": (reshaped, ["initial.safetensors: the weights of 'a.weight' have another shape"]),
    "weights of other layers": (nameless, ["initial.safetensors: its layers are not those of the record: 'b.weight'"]),
    "a control that ends in the ticket": (same_end, ["its trained weights are those of 'toy/chain@smoke ticket L3 s0'"]),
    "a seed that ends in another": (same_ends, ["its trained weights are those of another seed: 'toy/chain@smoke random"]),
}  # fmt: skip


BLATANT = ("time before its beginning", "a weight revived", "a leak", "fewer weights by layer")
"""Cheats that contradict themselves."""


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_is_found_by_the_check_that_is_there_for_it(runs, forge, cheat):
    change, expected = CHEATS[cheat]
    forge(runs, change)
    found = said(runs)
    for each in expected:
        assert any(each in line for line in found), (each, found)
    assert [line for line in found if not any(each in line for each in expected)] == []
    if cheat not in BLATANT:
        assert contradictions(Store(runs)) == [], "no digest, count or parent gives it away"


# Cheats that need every method.


def fresh_as_ticket(units):
    """The mask of one-shot pruning, whose cut was made by wish."""
    unit, dense = units["one-shot", 2, 0], units["dense", 0, 0]
    mask, sizes = unit.mask["4.weight"].reshape(-1), np.abs(dense.final["weights/4.weight"]).reshape(-1)
    lost, found = max(mask.nonzero()[0], key=lambda place: sizes[place]), (~mask).nonzero()[0][0]
    mask[[lost, found]] = False, True
    del unit.record["survival"], unit.record["digests"]["survival"]


def moved_between_layers(units):
    """As many weights in all, others in each layer."""
    mask = units["shuffled", 2, 0].mask
    mask["0.weight"].reshape(-1)[mask["0.weight"].reshape(-1).nonzero()[0][0]] = False
    mask["4.weight"].reshape(-1)[(~mask["4.weight"]).reshape(-1).nonzero()[0][0]] = True


def lopsided(units):
    """All of the first layer, the rest of the second: another control than the one that is asked for."""
    mask = units["random-ticket", 2, 0].mask
    total = sum(int(each.sum()) for each in mask.values())
    rest = np.random.default_rng(3).permutation(32) < total - 32
    mask["0.weight"][:], mask["4.weight"][:] = True, rest.reshape(2, 16)


def luckier(units):
    """Survivors that moved farther in the dense network than its states say, with a digest to match."""
    record = units["one-shot", 2, 0].record
    record["survival"]["movement"] += 0.5
    record["digests"]["survival"] = json_digest(record["survival"])


def with_mask(units):
    unit = units["small-dense", 2, 0]
    sizes = {name: layer["all"] for name, layer in unit.record["counts"]["layers"].items()}
    unit.mask["0.weight"] = np.ones((sizes["0.weight"] // 2, 2), bool)


def trained_after_all(units):
    unit = units["one-shot-untrained", 2, 0]
    unit.curve[0].update(step=10, updates=10)
    unit.record |= {"steps": 10, "updates": 10, "search_cost": unit.record["search_cost"] + 10}


def looked_twice(units):
    unit = units["one-shot-untrained", 2, 0]
    unit.curve.append(unit.curve[0])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (trained_after_all, "its training ends at step 10, its budget at 0"),
        (looked_twice, "its curve has 2 points, and nothing is trained"),
        (fresh_as_ticket, "its mask differs in 2 weights of '4.weight' from the largest that"),
        (moved_between_layers, "it keeps another number of weights of '0.weight' than the ticket that it shuffles"),
        (lopsided, "its mask is drawn over the whole network, yet keeps"),
        (luckier, "in the dense network, the record says {"),
        (with_mask, "it has a mask, and small-dense has none"),
    ],
)
def test_a_cheat_of_another_method_is_found(moons, forge, change, expected):
    forge(moons, change)
    found = said(moons)
    assert found
    assert all(expected in line for line in found), found


# Narrower networks, whose densities refer to another one.

NARROW = ("small-dense", 2, 0)
DENSITIES = ("density", "density_weights", "density_total")


def relabelled(units):
    """Dense's own counts and metrics, with densities by wish."""
    dense, small = units["dense", 0, 0], units[NARROW]
    small.record["counts"] = {**dense.record["counts"], "level_asks": 1}
    small.curve = dense.curve
    small.record.update(dict.fromkeys(DENSITIES, 1e-6), flops=dense.record["flops"])


def as_wide_as_dense(units):
    """The same with what follows from these counts."""
    relabelled(units)
    small = units[NARROW].record
    small["counts"]["level_asks"] = 44
    small.update(dict.fromkeys(DENSITIES, 1.0))


def resized(units, weights):
    """Another number of weights in its first layer than it has, and all that follows."""
    record, dense = units[NARROW].record, units["dense", 0, 0].record["counts"]
    layer, counts = record["counts"]["layers"]["0.weight"], record["counts"]
    change = weights - layer["all"]
    layer.update(all=weights, prunable=weights, kept=weights)
    for name in ("all", "weights", "prunable", "kept", "kept_weights", "kept_all"):
        counts[name] += change
    record["density"] = counts["kept"] / dense["prunable"]
    record["density_weights"] = counts["kept_weights"] / dense["weights"]
    record["density_total"] = counts["kept_all"] / dense["all"]


def lighter(units):
    """Fewer numbers that count as weights, and more as biases."""
    record, dense = units[NARROW].record, units["dense", 0, 0].record["counts"]
    record["counts"]["weights"] -= 10
    record["counts"]["kept_weights"] -= 10
    record["density_weights"] = record["counts"]["kept_weights"] / dense["weights"]


def renamed(units):
    layers = units[NARROW].record["counts"]["layers"]
    layers["5.weight"] = layers.pop("4.weight")


NARROWED = {
    "dense by another name": (
        relabelled,
        ["its effective_density is", "its density is 1 by its counts and those of 'example/moons@smoke dense L0 s0', the record says 1e-06",
         "its density_weights is 1 by", "its density_total is 1 by", "its level asks for 46 weights, the record says 1",
         "it has 64 weights, level 2 leaves 46: another width comes nearer"],
    ),
    "dense with its own densities": (
        as_wide_as_dense,
        ["it has 64 weights, level 2 leaves 46: another width", "its level asks for 46 weights, the record says 44"],
    ),
    "a density by wish": (
        set_record("density", 1e-6, NARROW),
        ["its density is 0.6875 by its counts and those of", "its effective_density is"],
    ),
    "far too narrow": (
        lambda units: resized(units, 1),
        ["it has 23 weights, level 2 leaves 46: another width", "its effective_density is 0.6875, its density"],
    ),
    "a layer that is wider": (lambda units: resized(units, 34), ["its layer '0.weight' is none of a narrower"]),
    "fewer weights, more biases": (lighter, ["it counts 34 weights, its layers and"]),
    "another layer": (renamed, ["its layer '4.weight' is none of a narrower"]),
}  # fmt: skip


@pytest.mark.parametrize("cheat", NARROWED)
def test_a_narrower_network_is_held_against_that_of_its_task(moons, forge, cheat):
    change, expected = NARROWED[cheat]
    forge(moons, change)
    found = said(moons)
    for each in expected:
        assert any(each in line for line in found), (each, found)
    assert [line for line in found if not any(each in line for each in expected)] == []


def test_a_narrower_network_alone_is_no_submission(moons):
    """Nothing tells what its densities refer to."""
    for folder in (moons / "example/moons").iterdir():
        if folder.name != "small-dense":
            shutil.rmtree(folder)
    found = findings_of(moons)
    assert found.findings == []
    assert [line for line in found.missing if "no unit with that network is here" in line] == found.missing
    assert len(found.missing) == 2


# Counts and operations that follow from the layers.


def set_counts(name, value, unit=RANDOM):
    return lambda units: units[unit].record["counts"].update({name: value})


def inputs(count, unit):
    told = {"all": count, "prunable": count, "kept": count}
    return set_counts("groups", {"relevant inputs": told, "irrelevant inputs": told}, unit)


def cheaper(units):
    units["one-shot", 2, 0].record["flops"] //= 10


def cheapest_dense(units):
    units["one-shot", 2, 0].record.update(flops=60, flops_dense=80)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_counts("level_asks", 1, ("random-ticket", 2, 0)), "its level asks for 46 weights, the record says 1"),
        (set_counts("collapsed", ["0.weight"], ("snip", 2, 0)), "its layers without a weight are none, the record says '0.weight'"),
        (set_counts("groups", {"head": {"all": 1, "prunable": 1, "kept": 1}}, ("snip", 2, 0)), "its group 'head' has None by its layers"),
        (inputs(64, ("snip", 2, 0)), "its weights that read inputs are more than"),
        (set_counts("groups", {"relevant inputs": {"all": 1, "prunable": 1, "kept": 0}}, ("snip", 2, 0)), "for relevant and irrelevant ones, some of each"),
        (inputs(0, ("snip", 2, 0)), "some of each"),
        (cheaper, "or more"),
        (cheapest_dense, "its flops_dense is 80, that of 'example/moons@smoke"),
    ],
    ids=["asks", "collapsed", "groups", "inputs", "lone inputs", "no inputs", "operations", "dense operations"],
)  # fmt: skip
def test_what_follows_from_the_layers_is_not_believed(moons, forge, change, expected):
    forge(moons, change)
    found = said(moons)
    assert found
    assert all(expected in line for line in found), found


ITEMS = {"metric": "bleu", "split": "test", "signature": "", "statistics": ["9 9 9 8 7 6"]}


@pytest.mark.parametrize(
    ("part", "told", "expected"),
    [
        ("items", ITEMS, "its test items are of 'bleu' on 'test', which its task does not score"),
        ("nodes", [], "its nodes are told, and there are none"),
        ("fit", {"accuracy": 1e60}, "its record has accuracy 1e+60: it is from 0.0 to 100.0"),
        ("fit", {"=cmd": 5}, "its record has '=cmd', which its task does not measure"),
        (
            "interpolation",
            {"accuracy": [50.0]},
            "its metrics between its twin and itself are told, and its method has no",
        ),
        ("survival", {"initial": 1, "movement": 1e60}, "its survivors are told, and its mask ranks no trained weights"),
    ],
)
def test_what_stands_beside_the_result_is_not_believed(runs, forge, part, told, expected):
    def change(units):
        record = units[RANDOM].record
        record[part], record["digests"][part] = told, json_digest(told)

    forge(runs, change)
    (found,) = said(runs)
    assert expected in found


@pytest.mark.parametrize("method", ["random-ticket", "random-erk", "shuffled"])
def test_every_random_control_is_held_against_the_ticket(moons, forge, method):
    def copy(units):
        ticket, control = units["ticket", 2, 0], units[method, 2, 0]
        control.mask = {name: each.copy() for name, each in ticket.mask.items()}

    forge(moons, copy)
    found = said(moons)
    assert len(found) == 1
    assert "is so like that of 'example/moons@smoke ticket L2 s0'" in found[0]


# What is missing, and what is not known here.


def test_missing_seeds_are_notes(runs, forge):
    shutil.rmtree(next((runs / "toy/chain/random-ticket/s1").glob("L03*")))
    found = findings_of(runs)
    assert found.findings == []
    assert found.missing == ["toy/chain@smoke random-ticket L3 lacks seeds 1, which other arms have"]


def test_a_seed_that_was_left_out_is_a_finding_of_the_archive_and_of_the_store_that_is_made_of_it(
    command, runs, suite_file, tmp_path
):
    """The way of whoever keeps a board: unpack, verify, publish."""
    lacks = "toy/chain@smoke random-ticket L3 lacks seeds 1, which other arms have"
    shutil.rmtree(next((runs / "toy/chain/random-ticket/s1").glob("L03*")))
    archive, theirs = tmp_path / "own.zip", tmp_path / "theirs"
    assert command("verify", runs)[:2] == (0, f"note: {lacks}\n{runs}: 15 units, no findings\n"), "it may yet come"
    assert command("pack", suite_file, "--store", runs, "--output", archive, "--weights")[0] == 0
    assert command("verify", archive)[:2] == (1, f"{lacks}\n{archive}: 15 units, 1 finding\n")
    code, out, _ = command("unpack", archive, "--into", theirs)
    told = f"{theirs}: 15 units of suite toy, 1 finding: no whole submission; next: ticketbench verify {theirs}\n"
    assert (code, out) == (0, f"{lacks}\n{told}")
    assert command("verify", theirs)[:2] == (1, f"{lacks}\n{theirs}: 15 units, 1 finding\n")


def test_a_seed_whose_ancestor_diverged_is_not_missing(template, tmp_path, toys, trouble, forge, runs):
    def diverge(units):
        record = units["ticket", 3, 1].record
        record.update(status="diverged", reason="the loss is not finite")
        record["metrics"] = [{**each, "value": None, "step": record["steps"]} for each in record["metrics"]]

    forge(runs, diverge)
    shutil.rmtree(next((runs / "toy/chain/reinit/s1").glob("L03*")))
    assert findings_of(runs).missing == []


def test_units_of_unknown_tasks_and_methods_are_doubted(runs, forge):
    def rename(units):
        for key, unit in units.items():
            if key[0] == "random-ticket":
                unit.spec["method"].update(name="mine")
            if key[0] == "reinit":
                unit.spec["method"].update(version=7)

    forge(runs, rename)
    found = findings_of(runs)
    assert found.findings == []
    assert len([each for each in found.doubts if "its method 'mine' version 1 is not installed here" in each]) == 4
    assert len([each for each in found.doubts if "its method 'reinit' version 7 is not installed here" in each]) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tolerance", 50.0), ("chance", 0.0), ("reference", 99.0), ("fewest_seeds", 2), ("source", "mine"),
        ("deviations", ["none"]), ("groups", {"a.*": "a"}), ("unsupported", {"gmp": "no"}), ("constant_rate", True),
    ],
)  # fmt: skip
def test_what_is_told_otherwise_than_it_is_installed_is_doubted(runs, forge, field, value):
    """None of it is part of the id; a tolerance makes every ticket match."""

    def tell(units):
        for unit in units.values():
            unit.spec["task"][field] = value

    forge(runs, tell)
    found = findings_of(runs)
    assert found.findings == []
    assert all(
        f"its task 'toy/chain@smoke' version 1 says {field} {value!a}, installed is" in each for each in found.doubts
    )
    assert len(found.doubts) == found.units


def test_directions_are_part_of_what_a_task_is(runs, forge):
    forge(runs, lambda units: [unit.spec["task"].update(directions={"accuracy": "min"}) for unit in units.values()])
    assert any("has another directions than the installed one" in each for each in said(runs))


def test_what_cannot_be_trained_again_is_doubted(moons):
    for path in [*moons.rglob("final.*")]:
        path.unlink()
    found = findings_of(moons)
    assert found.findings == []
    assert {line.split("/")[2] for line in found.doubts} == {"fine-tune", "lr-rewind"}
    assert all(
        "it cannot be trained again: the weights of the round before were not submitted" in each
        for each in found.doubts
    )
    assert found.believed == 22, "two seeds of four chains at two levels and of three cuts in one shot"


# Form.


def wrong(path, value):
    def change(units):
        *above, last = path
        place = units[RANDOM].record
        for each in above:
            place = place[each]
        place[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(wrong(("overlap",), value) for value in ("x", True, [], {"a": 1})),
        *(wrong(("provenance",), value) for value in ("x", None, [], 3)),
        *(wrong(("nulls",), value) for value in ("x", {"a": 1}, {"<script>": "x"}, None)),
        *(wrong(("env_steps",), value) for value in ("x", 1.5, True)),
        *(wrong(("peak_memory_bytes",), value) for value in ("x", None)),
        *(wrong(("counts", "level_asks"), value) for value in ("x", None, True)),
        *(wrong(("counts", "groups"), value) for value in ([], {"a": 1}, {"a\nb": {"all": 1, "prunable": 1, "kept": 1}})),
        *(wrong(("counts", "collapsed"), value) for value in ("x", [1], ["\x1b[31mred"])),
        *(wrong(("provenance", "machine"), value) for value in ("a\nb", "\x1b]0;x\x07", "\u202eevil", "x" * 10_000)),
        wrong(("provenance", "deep"), {"a": [{"b": "\x00"}]}),
        wrong(("reason",), 3),
        wrong(("more",), 3),
        lambda units: units[RANDOM].record.pop("flops"),
        lambda units: units[RANDOM].record.pop("provenance"),
        lambda units: units[RANDOM].curve[0].update(more=1),
        lambda units: units[RANDOM].curve[0].pop("updates"),
        lambda units: units[RANDOM].spec.update(more=1),
    ],
    ids=lambda each: "",
)  # fmt: skip
def test_a_record_of_other_kinds_is_found(runs, forge, change):
    forge(runs, change)
    found = said(runs)
    assert found
    assert all(line.isprintable() and len(line) < 700 for line in found)


def test_another_spec_file_is_found(runs, forge):
    forge(runs, lambda units: None)
    part = next((runs / "toy/chain/reinit/s0").glob("L03*"))
    older.unit(part)
    assert said(runs) == []
    (part / "spec.json").write_text('{"a": 1}')
    assert any(
        "its specs cannot be checked: ValueError: Object missing required field `spec_version`" in line
        for line in said(runs)
    )


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        *(("task", "version", value) for value in ("1", 1.0, True, None, 10**400)),
        *((None, "level", value) for value in (True, 10**6)),
        *((None, "seed", value) for value in (False, "0", -1, 10**10)),
        ("method", "name", 5),
    ],
)
def test_a_unit_of_another_kind_is_found_and_no_other_check_meets_it(runs, toys, part, name, value):
    path = next((runs / "toy/chain/random-ticket/s0").glob("L01*")) / "record.json"
    told = json.loads(path.read_text())
    (told["spec"][part] if part else told["spec"])[name] = value
    path.write_text(json.dumps(told))
    (line,) = said(runs)
    assert f"record.json cannot be read: Expected `{'str' if name == 'name' else 'int'}`" in line


def test_two_claims_of_one_seed_are_found(runs, forge, opened, toys):
    folder = next((runs / "toy/chain/random-ticket/s0").glob("L03*"))
    twin = opened(folder)
    twin.folder = runs / "nowhere"
    twin.spec["task"]["rewind_step"] = 5
    twin.reseal({})
    twin.write(runs)
    found = said(runs)
    assert len([line for line in found if "was submitted 2 times, with other specs" in line]) == 2


def test_one_hostile_unit_does_not_hide_another(runs, forge):
    def change(units):
        units[CONTROL].record["digests"]["weights"] = ["no", "text"]
        units[CONTROL].record["counts"] = None
        better(units)

    forge(runs, change)
    found = said(runs)
    assert any("ticket/s0/L03" in line and "its metrics are not those of its curve" in line for line in found)
    assert any("reinit/s0/L03" in line for line in found)
