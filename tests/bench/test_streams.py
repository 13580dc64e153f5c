import random
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.streams import PER_LEVEL, PER_SEED, Streams, drawing_from, seed_torch


def draw(streams, name, *index):
    return streams.numpy(name, *index).integers(2**62)


def test_every_stream_is_its_own():
    seen = {draw(Streams(seed, level), name) for seed in (0, 1) for level in (0, 1) for name in PER_SEED + PER_LEVEL}
    assert len(seen) == 2 * (len(PER_SEED) + 2 * len(PER_LEVEL))


@pytest.mark.parametrize("name", PER_SEED)
def test_all_levels_of_a_seed_share_it(name):
    assert draw(Streams(3, 0), name) == draw(Streams(3, 9), name)


def test_fresh_weights_are_one_draw_per_seed_and_level():
    fresh = Streams(0, 2).refreshed()
    assert draw(fresh, "init") == draw(Streams(0, 2), "fresh")
    assert draw(fresh, "init") != draw(Streams(0, 3).refreshed(), "init")
    assert draw(fresh, "data") == draw(Streams(0, 2), "data")


def test_another_order_draws_the_noise_of_training_anew_and_nothing_else():
    ordered = replace(Streams(2, 3), order=1)
    drawn = {name for name in PER_SEED + PER_LEVEL if draw(ordered, name) != draw(Streams(2, 3), name)}
    assert drawn == {"data", "augment"}
    assert draw(ordered, "data") == draw(replace(ordered, level=9), "data") != draw(replace(ordered, order=2), "data")
    assert ordered.refreshed().order == 1


def test_asking_again_starts_again():
    streams = Streams(1)
    assert draw(streams, "data", 4) == draw(streams, "data", 4) != draw(streams, "data", 5)
    assert streams.integer("env") == streams.integer("env") < 2**63


def test_draws_are_pinned():
    """The same seed gives the same run in every version: numpy promises its seed sequences."""
    assert [Streams(0).integer(name) for name in ("init", "data")] == [7290039654019473914, 1605858607080498671]


NAMES = ("init", "data", "augment", "env", "score", "eval", "teacher", "fresh", "mask")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("index", [(), (4,), (4, 1)])
def test_a_stream_is_seeded_by_seed_name_level_and_index(name, index):
    level = 7 if name in ("fresh", "mask") else 0
    sequence = np.random.SeedSequence([3, zlib.crc32(name.encode()), level, *index])
    seed = int(sequence.generate_state(1, np.uint64)[0]) // 2
    streams = Streams(3, 7)
    assert streams.integer(name, *index) == seed
    assert streams.numpy(name, *index).bytes(8) == np.random.default_rng(sequence).bytes(8)
    generator = streams.torch(name, *index)
    assert (generator.device, generator.initial_seed()) == (torch.device("cpu"), seed)


@pytest.mark.parametrize("name", NAMES)
def test_index_zero_is_the_stream_itself_and_no_other_index_is(name):
    """Seeds, and so published runs, hang on it."""
    streams = Streams(3, 2)
    assert streams.integer(name) == streams.integer(name, 0)
    others = [(1,), (0, 0), (0, 1), (1, 0), (2,), (0, 0, 0)]
    assert len({streams.integer(name, *index) for index in [(), *others]}) == 1 + len(others)


def test_level_zero_is_meant_where_none_is_said():
    assert Streams(3) == Streams(3, 0, "init")


def test_an_unknown_stream_is_refused():
    with pytest.raises(ValueError, match=f"no stream 'noise': streams are {', '.join(NAMES)}$"):
        Streams(0).numpy("noise")


def test_global_draws_begin_at_the_seed_and_leave_no_trace():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(1)

    def outside():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before, drawn = outside(), []
    for seed in (5, 5, 6):
        with drawing_from(seed):
            assert torch.equal(torch.rand(3), expected) == (seed == 5)
            drawn.append((random.random(), np.random.rand()))  # noqa: NPY002
    with pytest.raises(RuntimeError, match="negative dimension"), drawing_from(5):
        torch.rand(-1)
    assert outside() == before
    assert drawn[0] == drawn[1]
    assert all(len({*each}) == 2 for each in zip(*drawn, strict=True))


def test_seeding_begins_where_torch_begins():
    torch.manual_seed(5)
    expected = torch.get_rng_state()
    torch.rand(3)
    seed_torch(5)
    assert torch.equal(torch.get_rng_state(), expected)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_its_generator_is_seeded_and_put_back_too():
    torch.manual_seed(5)
    expected = torch.rand(3, device="cuda")
    torch.manual_seed(1)
    outside = torch.cuda.get_rng_state()
    with drawing_from(5, "cuda"):
        assert torch.equal(torch.rand(3, device="cuda"), expected)
    assert torch.equal(torch.cuda.get_rng_state(), outside)
