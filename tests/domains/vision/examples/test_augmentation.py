import numpy as np
import pytest
import torch

from bench.streams import Streams
from domains.vision import domain
from domains.vision.examples.augmentation import Augmentation

IMAGES = torch.randint(1, 256, (64, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def draw(step=0, **what):
    return Augmentation(**what)(IMAGES, Streams(0).numpy("augment", step))


def test_nothing_asked_is_nothing_done():
    assert torch.equal(draw(), IMAGES)


def test_a_crop_is_a_window_of_the_image_within_a_black_border():
    padded = torch.nn.functional.pad(IMAGES, (2, 2, 2, 2))
    places = []
    for image, border in zip(draw(crop=2), padded, strict=True):
        fitting = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if torch.equal(image, border[:, down : down + 8, right : right + 8])
        ]
        assert len(fitting) == 1
        places += fitting
    assert {down for down, _ in places} == {right for _, right in places} == {0, 1, 2, 3, 4}
    assert len(set(places)) > 15


def test_a_flip_mirrors_left_and_right_of_about_half_the_images():
    changed = draw(flip=True)
    mirrored = [torch.equal(image, before.flip(2)) for image, before in zip(changed, IMAGES, strict=True)]
    kept = [torch.equal(image, before) for image, before in zip(changed, IMAGES, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert 16 <= sum(mirrored) <= 48


def test_it_is_a_function_of_seed_and_step():
    what = {"crop": 2, "flip": True}
    assert torch.equal(draw(3, **what), draw(3, **what))
    assert not torch.equal(draw(3, **what), draw(4, **what))
    other = Augmentation(**what)(IMAGES, Streams(1).numpy("augment", 3))
    assert not torch.equal(draw(3, **what), other)


def test_flips_do_not_move_the_crops():
    plain, flipped = draw(crop=2), draw(crop=2, flip=True)
    same = [
        torch.equal(one, other) or torch.equal(one, other.flip(2)) for one, other in zip(plain, flipped, strict=True)
    ]
    assert all(same)


@pytest.fixture
def task(stand_in):
    from dataclasses import replace

    stand_in(300, 20, image=(3, 16, 16))
    small = domain.tasks()["vision/resnet20-half-16px@smoke"]
    return replace(small, config={**small.config, "validation": 20, "batch": 20, "width": 0.25}, evaluation={})


def seen(learner, until):
    """Every batch that the network saw in training."""
    batches = []
    handle = learner.module.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].clone()))
    learner.train(until)
    handle.remove()
    return batches


def test_training_goes_on_with_the_same_crops_wherever_it_is_resumed(task):
    build = lambda: domain.learner(task, streams=Streams(0), device="cpu")  # noqa: E731
    whole = build()
    first = seen(whole, 12)
    part = build()
    part.train(7)
    state = part.snapshot()
    part.train(12)
    part.load(state)
    assert all(torch.equal(one, other) for one, other in zip(seen(part, 12), first[7:], strict=True))
    assert not torch.equal(first[0], first[1])


def test_evaluation_and_losses_see_whole_images(task):
    learner = domain.learner(task, streams=Streams(0), device="cpu")
    batches = []
    learner.module.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))
    learner.evaluate("test")
    next(learner.losses(1))
    whole, _ = learner._splits["test"].at(torch.arange(20))
    rows = torch.from_numpy(Streams(0).numpy("score").choice(280, 20, replace=False))
    assert torch.equal(batches[0], whole)
    assert torch.equal(batches[1], learner._splits["train"].at(rows)[0])


def test_training_images_are_the_augmented_ones_of_the_step(task):
    learner = domain.learner(task, streams=Streams(0), device="cpu")
    order = torch.from_numpy(Streams(0).numpy("data", 0).permutation(280))
    for step, batch in enumerate(seen(learner, 3)):
        rows = order[step * 20 : step * 20 + 20]
        augmentation = Augmentation(crop=2, flip=True)
        expected, _ = learner._splits["train"].at(
            rows, augmentation, np.random.default_rng(Streams(0).sequence("augment", step))
        )
        assert torch.equal(batch, expected)
