from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.errors import SpecError
from domains.vision import datasets, domain
from domains.vision.datasets.arrays import shaped
from domains.vision.examples import examples

NORMALISATION = [0.25, 0.5]


@pytest.fixture
def loaded(stand_in):
    """Loads what a config asks for of so many random images."""
    lenet = domain.tasks()["vision/lenet-mnist@smoke"]

    def load(train=40, test=20, *, kind=None, **config):
        arrays = stand_in(train, test, **(kind or {}))
        whole = {"normalisation": NORMALISATION, "validation": 0, "split_seed": 0, **config}
        return arrays, examples.load(replace(lenet, config=whole), "cpu")

    return load


def everything(batches):
    return batches.at(torch.arange(len(batches)))


def test_the_splits_hold_every_example_once(loaded):
    _, splits = loaded(5, 2, validation=2)
    assert {name: len(each) for name, each in splits.items()} == {"train": 3, "val": 2, "test": 2}
    rows = torch.cat([splits["train"].rows, splits["val"].rows])
    assert sorted(rows.tolist()) == [0, 1, 2, 3, 4]
    assert splits["train"].rows.tolist() == sorted(splits["train"].rows.tolist())


def test_images_keep_their_labels(loaded):
    arrays, splits = loaded(9, 4, validation=3)
    for split, source in (("train", "train"), ("val", "train"), ("test", "test")):
        images, labels = everything(splits[split])
        known = dict(zip(map(bytes, arrays[f"{source}-images"]), arrays[f"{source}-labels"], strict=True))
        for image, label in zip(images, labels, strict=True):
            pixels = ((image * 0.5 + 0.25) * 255).round().to(torch.uint8)
            assert known[pixels.numpy().tobytes()] == label


def test_a_batch_of_bytes_is_to_the_bit_what_normalising_everything_gave(loaded):
    """As until version 1 of the tasks: float32, in place, over the whole set."""
    for normalisation in ([0.1307, 0.3081], [0.2860, 0.3530]):
        arrays, splits = loaded(400, 20, normalisation=normalisation)
        arrays["train-images"].reshape(-1)[:256] = np.arange(256)
        mean, std = normalisation
        whole = torch.tensor(arrays["train-images"]).float().div_(255).sub_(mean).div_(std)
        rows = torch.tensor([0, 7, 399, 7])
        images, labels = splits["train"].at(rows)
        assert torch.equal(images, whole[rows])
        assert labels.tolist() == arrays["train-labels"][rows].tolist()


@pytest.mark.parametrize(("config", "left", "told"), [
    ({"validation": 40}, 0, r"^0 of 40 examples are left to train on \(validation is 40\): take more, hold out fewer"),
    ({"limit": 20, "validation": 21}, 0, r"^0 of 20 examples are left to train on \(limit is 20, validation is 21\)"),
    ({"limit": 20, "validation": 19}, 1, None),
])  # fmt: skip
def test_what_is_held_out_leaves_something(loaded, config, left, told):
    if told is None:
        assert len(loaded(**config)[1]["train"]) == left
        return
    with pytest.raises(SpecError, match=told):
        loaded(**config)


def test_images_stay_bytes_and_splits_share_them(loaded):
    _, splits = loaded(40, 20, validation=10)
    assert splits["train"].images.dtype == torch.uint8
    assert splits["train"].images.data_ptr() == splits["val"].images.data_ptr()


def test_the_split_is_fixed_by_its_seed(loaded):
    def held(seed):
        return loaded(40, 2, validation=5, split_seed=seed)[1]["val"].rows.tolist()

    assert held(0) == held(0)
    assert held(0) != held(1)


def test_the_validation_images_are_those_of_the_published_tasks(loaded):
    order = np.random.default_rng(0).permutation(40)
    _, splits = loaded(40, 2, validation=5)
    assert splits["val"].rows.tolist() == order[:5].tolist()
    assert splits["train"].rows.tolist() == sorted(order[5:].tolist())


def test_a_split_of_the_data_set_is_the_validation_split(monkeypatch, stand_in, loaded):
    arrays, _ = loaded(10, 4)
    arrays |= {"val-images": arrays["test-images"][:3], "val-labels": arrays["test-labels"][:3]}
    examples._load.cache_clear()
    lenet = domain.tasks()["vision/lenet-mnist@smoke"]
    splits = examples.load(replace(lenet, config={"normalisation": NORMALISATION}), "cpu")
    assert {name: len(each) for name, each in splits.items()} == {"train": 10, "val": 3, "test": 4}


def labels_of(arrays, split):
    return arrays["train-labels"][split.rows]


def test_halves_are_disjoint_balanced_and_fixed(loaded):
    arrays, first = loaded(400, 20, part=[0, 2])
    _, second = loaded(400, 20, part=[1, 2])
    rows = [set(each["train"].rows.tolist()) for each in (first, second)]
    assert not rows[0] & rows[1]
    assert rows[0] | rows[1] == set(range(400))
    for half in (first, second):
        assert np.bincount(labels_of(arrays, half["train"])).tolist() == [20] * 10
        assert half["train"].rows.tolist() == sorted(half["train"].rows.tolist())
        assert len(half["test"]) == 20
    assert loaded(400, 20, part=[0, 2])[1]["train"].rows.tolist() == first["train"].rows.tolist()
    assert loaded(400, 20, part=[0, 2], split_seed=1)[1]["train"].rows.tolist() != first["train"].rows.tolist()


def test_a_limit_takes_as_many_of_each_class_from_the_part(loaded):
    arrays, half = loaded(400, 20, part=[0, 2])
    _, fewer = loaded(400, 20, part=[0, 2], limit=53)
    assert set(fewer["train"].rows.tolist()) < set(half["train"].rows.tolist())
    assert sorted(np.bincount(labels_of(arrays, fewer["train"])).tolist()) == [5] * 7 + [6] * 3
    with pytest.raises(SpecError, match="limit is 300, but label 0 has 20 images: ask for fewer"):
        loaded(400, 20, part=[0, 2], limit=300)


def test_superclasses_are_the_same_images_under_fewer_labels(loaded):
    groups = [[0, 1, 8, 9], [2, 3, 4, 5, 6, 7]]
    arrays, coarse = loaded(400, 20, part=[0, 2], classes=2, superclasses=groups)
    _, fine = loaded(400, 20, part=[0, 2])
    assert coarse["train"].rows.tolist() == fine["train"].rows.tolist()
    _, labels = everything(coarse["train"])
    assert labels.tolist() == [int(label in groups[1]) for label in labels_of(arrays, coarse["train"])]


def test_labels_of_no_superclass_are_left_out(loaded):
    arrays, splits = loaded(400, 20, classes=2, superclasses=[[3], [5]])
    assert set(labels_of(arrays, splits["train"]).tolist()) == {3, 5}
    assert len(splits["train"]) == 80
    assert len(splits["test"]) == 4
    assert set(everything(splits["test"])[1].tolist()) == {0, 1}


def test_other_numbers_of_classes_are_refused(loaded):
    with pytest.raises(SpecError, match="classes is 5, but the data set has 10"):
        loaded(classes=5)
    with pytest.raises(SpecError, match="classes is 3, but there are 2 superclasses"):
        loaded(classes=3, superclasses=[[0], [1]])


def test_every_channel_has_its_own_mean_and_deviation(loaded):
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 1.0]
    arrays, splits = loaded(kind={"image": (3, 8, 8)}, normalisation=[mean, std])
    images, _ = everything(splits["train"])
    expected = (arrays["train-images"] / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("image", [(1, 8, 8), (2, 8, 8)])
def test_a_normalisation_of_other_channels_is_refused(loaded, image):
    told = rf"its normalisation is of 3 channels, and its images have {image[0]}: write as many, or one number for all"
    for normalisation in ([[0.1, 0.2, 0.3], 0.5], [0.1, [0.5, 0.5, 0.5]]):
        with pytest.raises(SpecError, match=told):
            loaded(kind={"image": image}, normalisation=normalisation)


def test_without_a_normalisation_the_training_pixels_give_it(loaded):
    _, splits = loaded(kind={"image": (3, 8, 8)}, normalisation=None, validation=0)
    images, _ = everything(splits["train"])
    assert images.mean((0, 2, 3)).abs().max() < 1e-5
    assert (images.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_a_channel_that_is_black_is_not_divided_by_zero(loaded):
    arrays, _ = loaded(kind={"image": (3, 4, 4)})
    arrays["train-images"][:, 1] = 0
    examples._load.cache_clear()
    lenet = domain.tasks()["vision/lenet-mnist@smoke"]
    splits = examples.load(replace(lenet, config={"normalisation": None}), "cpu")
    assert everything(splits["train"])[0].isfinite().all()


def test_grey_images_become_colour_ones_of_the_side_that_is_asked_for(loaded):
    _, splits = loaded(channels=3, side=16)
    assert splits["train"].shape == (3, 16, 16)


def test_data_are_read_once_per_process(monkeypatch, stand_in):
    arrays = stand_in(10, 5)
    reads = []
    monkeypatch.setattr(datasets, "read", lambda *asked, **shape: reads.append(asked) or shaped(arrays, **shape))
    lenet = domain.tasks()["vision/lenet-mnist@smoke"]
    lenet = replace(lenet, config={**lenet.config, "validation": 2})
    one = examples.load(lenet, "cpu")
    assert examples.load(replace(lenet, budget=7, config={**lenet.config, "batch": 3}), "cpu") is one
    assert examples.load(replace(lenet, config={**lenet.config, "validation": 3}), "cpu") is not one
    assert len(reads) == 2


def test_only_the_large_sets_are_streamed(loaded):
    with pytest.raises(SpecError, match="streamed are imagenet, places365"):
        loaded(stream=True)
