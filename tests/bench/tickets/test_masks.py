"""Masks keep exactly what they are asked for, and chance is chance."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from example import MOONS, ExampleDomain, Moons
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.errors import Diverged, SpecError
from bench.spec import Pruning
from bench.streams import Streams
from bench.tickets import masks

SHAPES = {"conv": (4, 3, 3, 3), "hidden": (11, 7), "output": (2, 11)}


def entries_of(shapes):
    return {name: torch.ones(shape, dtype=torch.bool) for name, shape in shapes.items()}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_scores(entries, seed=0):
    generator = seeded(seed)
    return {name: torch.randn(each.shape, generator=generator) for name, each in entries.items()}


def with_padding(entries):
    """The same, but the first row of the hidden layer may not be pruned."""
    hidden = entries["hidden"].clone()
    hidden[0] = False
    return {**entries, "hidden": hidden}


def by_sorting(scores, allowed, keep):
    """What `largest` must give, with numpy's stable sort: highest first, then the first index."""
    competing = np.flatnonzero(allowed)
    order = np.argsort(-scores[competing].astype(np.float64), kind="stable")
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[competing[order[:keep]]] = True
    return chosen


def flat(mask):
    return torch.cat([each.flatten() for each in mask.values()]).numpy()


def sizes(mask):
    return {name: int(each.count_nonzero()) for name, each in mask.items()}


# Thresholds.


def test_every_count_from_none_to_all_is_exact():
    scores = torch.randn(41, generator=seeded())
    allowed = torch.ones(41, dtype=torch.bool)
    for keep in range(42):
        assert int(masks.largest(scores, allowed, keep).sum()) == keep


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_scores_are_ranked_as_a_stable_sort_ranks_them(data):
    values = st.one_of(st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, np.inf]), st.floats(width=32, allow_nan=False))
    scores = np.array(data.draw(st.lists(values, min_size=1, max_size=30)), dtype=np.float32)
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    keep = data.draw(st.integers(0, int(allowed.sum())))
    chosen = masks.largest(torch.from_numpy(scores), torch.from_numpy(allowed), keep)
    assert chosen.tolist() == by_sorting(scores, allowed, keep).tolist()


@pytest.mark.parametrize("value", [0.0, -3.0, -np.inf])
def test_equal_scores_go_by_index(value):
    chosen = masks.largest(torch.full((7,), value), torch.tensor([False, *[True] * 6]), 3)
    assert chosen.tolist() == [False, True, True, True, False, False, False]


@pytest.mark.parametrize("where", [0, 1])
def test_a_score_that_is_not_a_number_is_divergence_even_where_nothing_competes(where):
    scores = torch.tensor([1.0, 2.0, 3.0])
    scores[where] = torch.nan
    with pytest.raises(Diverged, match="^a pruning score is not finite$"):
        masks.largest(scores, torch.tensor([False, True, True]), 1)


def test_a_parameter_without_entries_has_nothing_to_rank():
    assert masks.largest(torch.zeros(0), torch.zeros(0, dtype=torch.bool), 0).tolist() == []


def test_more_weights_than_compete_are_never_invented():
    with pytest.raises(AssertionError, match="3 weights asked of 2"):
        masks.largest(torch.zeros(4), torch.tensor([True, True, False, False]), 3)


@pytest.mark.parametrize("density", [0.0, 0.03, 0.2, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("tied", [False, True])
def test_the_pooled_threshold_is_numpys_stable_argsort_over_the_whole_network(density, tied):
    entries = entries_of(SHAPES)
    scores = random_scores(entries)
    if tied:
        scores = {name: each.round() for name, each in scores.items()}
    keep = round(density * len(flat(entries)))
    mask = masks.highest(scores, entries, entries, {"": keep})
    assert flat(mask).tolist() == by_sorting(flat(scores), flat(entries), keep).tolist()
    assert {name: each.shape for name, each in mask.items()} == {name: each.shape for name, each in entries.items()}


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_only_survivors_compete_however_high_the_others_score(scope):
    entries = entries_of(SHAPES)
    pruning = Pruning(rate=0.3, scope=scope)
    survivors = masks.highest(random_scores(entries), entries, entries, pruning.keep(sizes(entries), 1))
    tempting = {name: torch.where(each, -1.0, 1.0) for name, each in survivors.items()}
    after = masks.highest(tempting, survivors, entries, pruning.keep(sizes(entries), 2))
    assert all(not bool((after[name] & ~survivors[name]).any()) for name in entries)
    assert sum(sizes(after).values()) == sum(pruning.keep(sizes(entries), 2).values())


@pytest.mark.parametrize("pruning", [
    Pruning(rate=0.2, rates={"output": 0.1}), Pruning(rate=0.2, scope="global"), Pruning(rate=0.55, scope="global"),
])  # fmt: skip
def test_level_k_has_the_count_of_k_rounds_and_lies_inside_the_round_before(pruning):
    entries = entries_of(SHAPES)
    chain = [masks.ones(entries)]
    for level in range(1, 26):
        scores = random_scores(entries, seed=level)
        chain.append(masks.highest(scores, chain[-1], entries, pruning.keep(sizes(entries), level)))
    for level, (before, after) in enumerate(pairwise(chain), start=1):
        assert all(not bool((after[name] & ~before[name]).any()) for name in entries)
        if pruning.scope == "global":
            assert len(flat(after)[flat(after)]) == round(len(flat(entries)) * (1 - pruning.rate) ** level)
        else:
            for name, each in entries.items():
                assert sizes(after)[name] == round(each.numel() * (1 - pruning.rate_of(name)) ** level)
    first = masks.highest(scores, entries, entries, pruning.keep(sizes(entries), 25))
    assert sum(sizes(first).values()) == sum(sizes(chain[-1]).values())


# What may be pruned.


def test_entries_that_may_not_be_pruned_are_always_kept_and_never_counted():
    entries = with_padding(entries_of(SHAPES))
    prunable = sum(sizes(entries).values())
    counts = {"conv": 5, "hidden": 0, "output": 22}
    made = {
        7: masks.highest({name: -each.float() for name, each in entries.items()}, entries, entries, {"": 7}),
        0: masks.uniform(entries, 0, seeded()),
        prunable: masks.uniform(entries, prunable, seeded()),
        27: masks.uniform_per_layer(entries, counts, seeded()),
    }
    made[27.0] = masks.shuffled(made[27], entries, seeded(1))
    for count, mask in made.items():
        assert bool(mask["hidden"][0].all())
        assert sum(masks.kept(mask, entries).values()) == count
        assert sum(sizes(mask).values()) == count + 7


def test_a_parameter_without_a_mask_counts_as_kept_whole():
    entries = entries_of(SHAPES)
    assert masks.kept({}, entries) == {"conv": 108, "hidden": 77, "output": 22}


def learner_with(learner_class=Moons):
    return learner_class(MOONS, Streams(0), 1.0)


def test_biases_and_norms_are_prunable_only_if_the_task_says_so():
    learner = learner_with()
    assert set(masks.prunable(learner, Pruning())) == {"0.weight", "4.weight"}
    assert set(masks.prunable(learner, Pruning(biases=True))) == {name for name, _ in learner.module.named_parameters()}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (Pruning(exempt=("4.weigth",)), "exempt names '4.weigth'"),
        (Pruning(rates={"3.weight": 0.5}), "rates names '3.weight'"),
        (Pruning(rates={"hidden.*": 0.5}), "rates names 'hidden.*'"),
    ],
)
def test_what_pruning_names_must_be_there(wrong, field):
    with pytest.raises(SpecError) as told:
        masks.prunable(learner_with(), wrong)
    assert (
        str(told.value)
        == f"pruning.{field}, of which the network has none: it has 0.weight, 0.bias, 1.weight, 1.bias, 4.weight, 4.bias"
    )
    assert masks.prunable(learner_with(), Pruning(exempt=("norm*",))), "several names may be absent"


def test_exempt_patterns_and_wholly_protected_parameters_are_not_prunable():
    class Protects(Moons):
        def prunable(self):
            return {**super().prunable(), "0.weight": torch.zeros(16, 2, dtype=torch.bool)}

    assert set(masks.prunable(learner_with(), Pruning(exempt=("4.*",)))) == {"0.weight"}
    assert set(masks.prunable(learner_with(Protects), Pruning())) == {"4.weight"}


@pytest.mark.parametrize("protected", [False, True])
def test_a_network_of_which_nothing_may_be_pruned_is_refused(protected):
    class Protects(Moons):
        def prunable(self):
            return {name: entries & False for name, entries in super().prunable().items()}

    learner, rule = (Protects, Pruning()) if protected else (Moons, Pruning(exempt=("*",)))
    with pytest.raises(SpecError, match="^the network has nothing to prune: pruning.exempt = .* leave no weight$"):
        masks.prunable(learner_with(learner), rule)


def test_a_parameter_of_which_only_some_entries_may_be_pruned_is_prunable():
    class Pads(Moons):
        def prunable(self):
            entries = super().prunable()
            entries["0.weight"][0] = False
            return entries

    entries = masks.prunable(learner_with(Pads), Pruning())
    assert sizes(entries) == {"0.weight": 30, "4.weight": 32}


# Chance.


@pytest.mark.parametrize("count", [0, 1, 50, 206, 207])
def test_a_uniform_mask_is_exact(count):
    assert sum(sizes(masks.uniform(entries_of(SHAPES), count, seeded())).values()) == count


def test_every_weight_is_equally_likely_in_a_uniform_mask_and_layers_get_their_share():
    entries, draws, count = entries_of({"small": (2, 3), "large": (6, 9)}), 3000, 18
    generator = seeded()
    each = np.array([flat(masks.uniform(entries, count, generator)) for _ in range(draws)])
    share = count / 60
    # A draw without replacement: its 60 indicators have 59 degrees of freedom and covariance share (1 - share) / 59.
    statistic = (59 / 60) * ((each.sum(0) - draws * share) ** 2 / (draws * share * (1 - share))).sum()
    assert 0.001 < stats.chi2.sf(statistic, 59) < 0.999
    chance = stats.hypergeom(60, 6, count)
    seen = np.bincount(each[:, :6].sum(1), minlength=7)
    expected = draws * chance.pmf(np.arange(7))
    assert stats.chisquare([*seen[:4], seen[4:].sum()], [*expected[:4], expected[4:].sum()]).pvalue > 0.001


@pytest.mark.parametrize("draw", [
    lambda generator: masks.uniform(entries_of(SHAPES), 90, generator),
    lambda generator: masks.uniform_per_layer(entries_of(SHAPES), {"conv": 50, "hidden": 30, "output": 9}, generator),
    lambda generator: masks.shuffled(masks.uniform(entries_of(SHAPES), 90, seeded()), entries_of(SHAPES), generator),
])  # fmt: skip
def test_a_random_mask_follows_its_generator_and_nothing_else(draw):
    torch.manual_seed(1)
    one = draw(seeded(5))
    torch.manual_seed(2)
    assert flat(one).tolist() == flat(draw(seeded(5))).tolist()
    assert flat(one).tolist() != flat(draw(seeded(6))).tolist()


def test_weights_are_drawn_by_the_rank_of_double_precision_numbers():
    """Single precision has ties in large networks, and the first index wins a tie."""
    entries, draws = entries_of(SHAPES), seeded(3)
    scores = {name: torch.rand(each.shape, generator=draws, dtype=torch.float64) for name, each in entries.items()}
    pooled = by_sorting(flat(scores), flat(entries), 90)
    assert flat(masks.uniform(entries, 90, seeded(3))).tolist() == pooled.tolist()
    counts = {"conv": 50, "hidden": 30, "output": 9}
    layers = [
        by_sorting(scores[name].flatten().numpy(), np.ones(each.numel()), counts[name])
        for name, each in entries.items()
    ]
    assert flat(masks.uniform_per_layer(entries, counts, seeded(3))).tolist() == np.concatenate(layers).tolist()


def test_shuffling_a_mask_leaves_a_parameter_whole_that_the_mask_does_not_name():
    entries = entries_of(SHAPES)
    mask = {"conv": masks.uniform(entries, 90, seeded())["conv"]}
    assert sizes(masks.shuffled(mask, entries, seeded(1))) == {**sizes(entries), **sizes(mask)}


def test_a_shuffled_mask_keeps_every_layers_count_and_differs_in_every_layer():
    entries = entries_of(SHAPES)
    mask = masks.highest(random_scores(entries), entries, entries, {"": 90})
    shuffled = masks.shuffled(mask, entries, seeded())
    assert sizes(shuffled) == sizes(mask)
    assert all(not torch.equal(shuffled[name], mask[name]) for name in entries)


def test_a_shuffled_mask_overlaps_with_its_origin_at_chance():
    entries = entries_of({"a": (30, 10), "b": (10, 20)})
    mask = {"a": torch.zeros(30, 10, dtype=torch.bool), "b": torch.ones(10, 20, dtype=torch.bool)}
    mask["a"][:6] = True
    mask["b"][:5] = False
    generator = seeded()
    common = [sizes({k: v & mask[k] for k, v in masks.shuffled(mask, entries, generator).items()}) for _ in range(400)]
    for name, total, kept in (("a", 300, 60), ("b", 200, 100)):
        chance = stats.hypergeom(total, kept, kept)
        mean = np.mean([each[name] for each in common])
        assert abs(mean - chance.mean()) < 4 * chance.std() / 20


def test_overlap_is_the_share_of_the_other_masks_weights():
    entries = with_padding(entries_of(SHAPES))
    half = masks.uniform(entries, 100, seeded())
    other = masks.uniform(entries, 40, seeded(1))
    common = sum(sizes({name: half[name] & other[name] & entries[name] for name in entries}).values())
    assert masks.overlap(half, other, entries) == common / 40
    assert masks.overlap(half, half, entries) == 1.0
    assert masks.overlap(half, masks.uniform(entries, 0, seeded()), entries) is None


def test_a_layer_that_a_mask_leaves_out_overlaps_as_a_whole_one():
    entries = with_padding(entries_of(SHAPES))
    mask, other = masks.uniform(entries, 100, seeded()), masks.uniform(entries, 40, seeded(1))
    name = next(iter(entries))
    whole, left_out = {**mask, name: entries[name]}, {each: mask[each] for each in mask if each != name}
    assert masks.overlap(left_out, other, entries) == masks.overlap(whole, other, entries)
    assert masks.overlap(other, left_out, entries) == masks.overlap(other, whole, entries)


# Erdos-Renyi-kernel densities.


def erk_densities(shapes, total):
    """Brute force: the scale at which densities in proportion to sum / product, cut off at one, keep `total`."""
    product = {name: np.prod(shape) for name, shape in shapes.items()}
    raw = {name: sum(shape) / product[name] for name, shape in shapes.items()}

    def kept(scale):
        return sum(min(1.0, scale * raw[name]) * product[name] for name in shapes)

    low, high = 0.0, 1 / min(raw.values())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) < total else (low, middle)
    return {name: min(1.0, high * raw[name]) for name in shapes}


def holds_erk(shapes, total):
    counts = masks.erk(entries_of(shapes), total)
    densities = erk_densities(shapes, total)
    assert sum(counts.values()) == total
    for name, shape in shapes.items():
        assert 0 <= counts[name] <= np.prod(shape)
        assert abs(counts[name] - densities[name] * np.prod(shape)) < 1 + 1e-6
    return counts


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=6), st.floats(0, 1))
def test_erk_equals_a_brute_force_search_on_any_shapes(shapes, density):
    shapes = {str(index): tuple(shape) for index, shape in enumerate(shapes)}
    holds_erk(shapes, round(density * sum(int(np.prod(shape)) for shape in shapes.values())))


@pytest.mark.parametrize("keep", [0, 1, 206, 207])
def test_erk_keeps_nothing_and_everything_exactly(keep):
    holds_erk(SHAPES, keep)


def test_erk_of_no_layers_keeps_nothing():
    assert masks.erk({}, 0) == {}


def test_erk_fills_small_layers_first_and_gives_large_layers_the_rest():
    counts = holds_erk({"first": (16, 3, 3, 3), "large": (64, 64, 3, 3), "head": (10, 64)}, 4000)
    assert counts["first"] == 16 * 27
    assert counts["head"] == 640
    assert counts["large"] == 4000 - 432 - 640


def test_erk_density_falls_with_a_kernels_size_as_in_the_paper():
    """1 - (n_in + n_out + w + h) / (n_in * n_out * w * h) is the sparsity up to one factor for all layers."""
    shapes = {"a": (64, 32, 3, 3), "b": (128, 64, 3, 3), "c": (256, 128)}
    counts = holds_erk(shapes, 3000)
    ratio = {name: counts[name] / sum(shape) for name, shape in shapes.items()}
    assert max(ratio.values()) / min(ratio.values()) < 1.02


def test_erk_counts_no_entry_that_may_not_be_pruned():
    entries = with_padding(entries_of(SHAPES))
    prunable = sizes(entries)
    for total in range(0, sum(prunable.values()) + 1, 10):
        counts = masks.erk(entries, total)
        assert sum(counts.values()) == total
        assert all(counts[name] <= prunable[name] for name in prunable)


def test_all_arms_of_the_example_draw_masks_of_the_levels_count():
    learner = ExampleDomain().learner(MOONS, streams=Streams(0), device="cpu")
    entries = masks.prunable(learner, MOONS.pruning)
    for level in range(12):
        count = sum(MOONS.pruning.keep(sizes(entries), level).values())
        drawn = masks.uniform_per_layer(entries, masks.erk(entries, count), seeded(level))
        assert sum(sizes(drawn).values()) == count
