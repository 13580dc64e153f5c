"""Whether survivors began larger or moved farther, against numbers worked out by hand."""

import numpy as np
import pytest

from bench.tickets.measurements.survival import survival


def layers(**sizes):
    return {name: {"all": size, "prunable": size, "kept": 0} for name, size in sizes.items()}


def one(kept, initial, final):
    arrays = np.array(kept, bool), np.array(initial, np.float32), np.array(final, np.float32)
    return survival(*({"a": each} for each in arrays), layers(a=len(kept)))


def test_the_chance_is_that_of_a_pair_and_signs_do_not_count():
    # Kept begin with 1 and 3, pruned ones with 2 and 0: of four pairs the kept one is larger in three.
    found = one([1, 1, 0, 0], [-1, 3, 2, 0], [-1, 3, 2, 0])
    assert found == {"initial": 0.75, "movement": 0.0}


def test_equal_beginnings_share_their_pairs():
    assert one([1, 0, 1, 0], [1, -1, 2, 0.5], [1, -1, 2, 0.5])["initial"] == pytest.approx((0.5 + 1 + 1 + 1) / 4)


def test_movement_is_in_standard_deviations_of_the_initial_weights():
    # Kept moved by 3 and 1, pruned ones by 1 and 0; the initial weights spread by 2.
    found = one([1, 1, 0, 0], [2, -2, 2, -2], [5, -3, 3, -2])
    assert found["movement"] == pytest.approx((2 - 0.5) / 2)


def test_layers_count_by_their_sizes_and_are_never_ranked_together():
    """The second layer's weights are all larger: pooled, its two survivors would win every pair of the first."""
    small, large = [1.0, 2.0], [10.0, 20.0, 30.0, 40.0]
    mask = {"a": np.array([True, False]), "b": np.array([True, True, False, False])}
    weights = {"a": np.array(small), "b": np.array(large)}
    assert survival(mask, weights, weights, layers(a=2, b=4))["initial"] == 0.0
    mask["b"] = ~mask["b"]
    ends = {"a": weights["a"], "b": weights["b"] * [1, 1, 2, 2]}
    found = survival(mask, weights, ends, layers(a=2, b=4))
    assert found["initial"] == pytest.approx(4 / 6)
    assert found["movement"] == pytest.approx(35 / np.std(large) * 4 / 6)


def test_layers_that_tell_nothing_are_left_out():
    mask = {
        "whole": np.ones(2, bool), "gone": np.zeros(2, bool), "equal": np.array([True, False]),
        "padded": np.array([True, False]), "told": np.array([True, False]),
    }  # fmt: skip
    weights = {name: np.array([1.0, 1.0] if name == "equal" else [1.0, 3.0]) for name in mask}
    counts = layers(**dict.fromkeys(mask, 2))
    counts["padded"]["prunable"] = 1
    assert survival(mask, weights, weights, counts) == {"initial": 0.0, "movement": 0.0}
    del mask["told"]
    assert survival(mask, weights, weights, counts) is None


def test_it_is_the_same_to_the_bit_whatever_the_order_of_the_layers():
    """A record is made from a network, and checked from a file that has another order."""
    rng = np.random.default_rng(0)
    names = [f"layer{number}" for number in range(9)]
    mask = {name: rng.random(7 + place) < 0.5 for place, name in enumerate(names)}
    weights, ends = ({name: rng.normal(size=mask[name].size) for name in names} for _ in range(2))
    sizes = layers(**{name: each.size for name, each in mask.items()})
    orders = [rng.permutation(names) for _ in range(30)]
    found = {str(survival({name: mask[name] for name in order}, weights, ends, sizes)) for order in orders}
    assert len(found) == 1


def test_it_is_the_same_to_the_bit_whatever_the_order_in_memory():
    """A network may hold its kernels with the channels last; a file holds them as they are indexed."""
    rng = np.random.default_rng(0)
    mask, began, ended = rng.random((40, 30)) < 0.5, rng.normal(size=(40, 30)), rng.normal(size=(40, 30))
    sizes = layers(a=mask.size)
    found = survival({"a": mask}, {"a": began}, {"a": ended}, sizes)
    for order in "CF":
        for which in range(3):
            arrays = [
                np.asarray(each, order=order if place == which else "C")
                for place, each in enumerate((mask, began, ended))
            ]
            assert survival(*({"a": each} for each in arrays), sizes) == found
