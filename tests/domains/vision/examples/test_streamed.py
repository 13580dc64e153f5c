"""Large sets, on a small folder: images of every size and kind, read when a batch needs them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from bench.errors import DataError
from bench.streams import Streams
from bench.tickets.conformance import check_learner
from domains.vision import domain
from domains.vision.datasets import large
from domains.vision.examples import examples
from domains.vision.examples.augmentation import Augmentation

CLASSES = ("n01", "n02", "n03")


@pytest.fixture
def folder(data_folder, monkeypatch):
    """A folder like ImageNet's, of three classes; 12 training and 6 validation images."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for name in CLASSES:
            place = data_folder / "imagenet" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                width, height = rng.integers(20, 60, 2)
                pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{name}_{number}.JPEG")
    known = replace(large.LARGE["imagenet"], classes=3, train=12, val=6)
    monkeypatch.setitem(large.LARGE, "imagenet", known)
    return data_folder / "imagenet"


@pytest.fixture
def task(folder):
    """The smoke task, small: a slim VGG on 16 pixels a side."""
    task = domain.tasks()["vision/vgg19-gap-imagenet@smoke"]
    config = {**task.config, "model": "slim-vgg", "width": 0.25, "classes": 3, "side": 16, "batch": 4}
    return replace(task, config=config, evaluation={}, budget=8)


def streamed(task, split="train"):
    examples._load.cache_clear()
    return examples.load(task, "cpu")[split]


ALL = torch.arange(12)


def test_the_learner_conforms(task):
    assert check_learner(domain, task) == []


def test_a_set_is_tested_on_its_validation_images(task):
    assert {split: len(each) for split, each in examples.load(task, "cpu").items()} == {"train": 12, "test": 6}
    _, labels = streamed(task, "test").at(torch.arange(6))
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_fit_is_measured_on_all_classes_though_they_are_listed_one_by_one(task, monkeypatch):
    monkeypatch.setattr("domains.vision.learner.FIT", 8)
    learner = domain.learner(task, streams=Streams(0), device="cpu")
    _, labels = streamed(task).at(learner._fitted())
    assert len(labels) == 8
    assert set(labels.tolist()) == {0, 1, 2}


def test_without_augmentation_the_middle_is_seen(task, folder):
    batches = streamed(task)
    images, labels = batches.at(ALL)
    assert images.shape == (12, 3, 16, 16)
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    with Image.open(folder / "train" / "n01" / "n01_2.JPEG") as image:
        seen = 224 / 256 * min(image.size)
        left, top = (image.width - seen) / 2, (image.height - seen) / 2
        cut = image.resize((16, 16), Image.Resampling.BILINEAR, box=(left, top, left + seen, top + seen))
    mean, std = (np.array(each) for each in task.config["normalisation"])
    expected = (np.asarray(cut) / 255 - mean) / std
    np.testing.assert_allclose(images[2].permute(1, 2, 0), expected, rtol=1e-4, atol=1e-5)


def draw(task, step, *, flip=True):
    return streamed(task).at(ALL, Augmentation(flip=flip), Streams(0).numpy("augment", step))[0]


def test_windows_and_flips_are_a_function_of_seed_and_step(task):
    assert torch.equal(draw(task, 3), draw(task, 3))
    assert not torch.equal(draw(task, 3), draw(task, 4))


def test_a_flip_mirrors_about_half_of_the_same_windows(task):
    plain, flipped = draw(task, 0, flip=False), draw(task, 0)
    same = [torch.equal(one, other) for one, other in zip(plain, flipped, strict=True)]
    mirrored = [torch.equal(one, other.flip(2)) for one, other in zip(plain, flipped, strict=True)]
    assert all(one != other for one, other in zip(same, mirrored, strict=True))
    assert 2 <= sum(mirrored) <= 10


def test_windows_lie_inside_the_image_and_take_8_to_100_per_cent(task, monkeypatch):
    boxes = []
    batches = streamed(task)
    kind = type(batches)
    cut = kind._cut
    monkeypatch.setattr(kind, "_cut", lambda self, image, box: boxes.append((image.size, box)) or cut(self, image, box))
    for step in range(30):
        batches.at(ALL, Augmentation(), Streams(0).numpy("augment", step))
    shares = []
    for (width, height), (left, top, right, bottom) in boxes:
        assert 0 <= left < right <= width + 1e-9
        assert 0 <= top < bottom <= height + 1e-9
        shares.append((right - left) * (bottom - top) / width / height)
    assert 0.03 < min(shares) < 0.2
    assert 0.8 < max(shares) <= 1 + 1e-9


def test_grey_and_other_kinds_become_colour(task, folder):
    path = folder / "train" / "n01" / "n01_0.JPEG"
    Image.new("L", (30, 30), 255).save(path)
    images, _ = streamed(task).at(torch.tensor([0]))
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in task.config["normalisation"])
    torch.testing.assert_close(images[0], ((1 - mean) / std).expand(3, 16, 16))
    Image.new("CMYK", (30, 30)).save(path)
    assert streamed(task).at(torch.tensor([0]))[0].shape == (1, 3, 16, 16)


def test_a_damaged_image_is_named_when_it_is_needed(task, folder):
    path = folder / "train" / "n02" / "n02_1.JPEG"
    path.write_bytes(path.read_bytes()[:100])
    batches = streamed(task)
    batches.at(torch.tensor([0]))
    with pytest.raises(DataError, match="n02_1.JPEG") as caught:
        batches.at(torch.tensor([5]))
    assert "\n" not in str(caught.value)


def test_another_number_of_images_is_refused(task, folder):
    (folder / "train" / "n03" / "n03_0.JPEG").unlink()
    with pytest.raises(DataError, match="has 3 classes, 11 training and 6 validation images, not 3, 12 and 6"):
        streamed(task)


@pytest.mark.parametrize("name", ["imagenet", "places365"])
def test_a_missing_set_is_named_with_every_way_to_provide_it(data_folder, name):
    task = domain.tasks()[f"vision/vgg19-gap-{name}@smoke"]
    with pytest.raises(DataError) as caught:
        domain.learner(task, streams=Streams(0), device="cpu")
    message = str(caught.value)
    for way in (f"{name} was not found", "TICKETBENCH_DATA", f"{name}/train/<class>/", *large.LARGE[name].archives):
        assert way in message
    assert "\n" not in message


def test_the_archives_are_torchvisions():
    from torchvision.datasets import Places365, imagenet

    for known, theirs in (
        ("imagenet", [imagenet.ARCHIVE_META[split] for split in ("train", "val")]),
        ("places365", [Places365._IMAGES_META[split, True] for split in ("train-standard", "val")]),
    ):
        assert large.LARGE[known].archives == dict(theirs)
