import numpy as np
import pytest

from bench.errors import SpecError
from domains.vision.datasets.arrays import shaped, splits


def arrays(images):
    images = np.asarray(images, np.uint8)
    labels = np.zeros(len(images), np.int64)
    return {"train-images": images, "train-labels": labels, "test-images": images[:1], "test-labels": labels[:1]}


RANDOM = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8))


def test_what_is_not_asked_for_stays_as_it_is():
    found = shaped(arrays(RANDOM), channels=None, side=None)
    np.testing.assert_array_equal(found["train-images"], RANDOM)
    assert splits(found) == ("train", "test")


def test_large_images_are_averaged_and_rounded():
    found = shaped(arrays(RANDOM), channels=3, side=4)["train-images"]
    mean = RANDOM.reshape(4, 3, 4, 2, 4, 2).mean((3, 5))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.floor(mean + 0.5))


def test_small_images_get_a_black_border():
    found = shaped(arrays(RANDOM), channels=3, side=12)["test-images"]
    assert found.shape == (1, 3, 12, 12)
    np.testing.assert_array_equal(found[:, :, 2:10, 2:10], RANDOM[:1])
    assert found.sum() == RANDOM[:1].sum()


def test_28_pixels_become_16_by_way_of_32():
    image = np.full((1, 1, 28, 28), 100)
    found = shaped(arrays(image), channels=3, side=16)["train-images"]
    assert found.shape == (1, 3, 16, 16)
    assert (found[0, :, 1:15, 1:15] == 100).all()
    assert not found[0, :, 0].any()
    assert not found[0, :, :, 15].any()


def test_grey_is_repeated_and_colour_never_thrown_away():
    grey = RANDOM[:, :1]
    found = shaped(arrays(grey), channels=3, side=None)["train-images"]
    assert all((found[:, channel] == grey[:, 0]).all() for channel in range(3))
    with pytest.raises(SpecError, match="channels is 1, but the images have 3"):
        shaped(arrays(RANDOM), channels=1, side=None)


def test_images_that_are_not_square_have_no_side():
    with pytest.raises(SpecError, match="side is 4, but the images are 8x6"):
        shaped(arrays(RANDOM[:, :, :, :6]), channels=None, side=4)
