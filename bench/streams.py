"""Independent random streams, one per purpose, that depend on (seed, purpose, level) and on nothing else.

`init`, `data`, `augment`, `env`, `score`, `eval` and `teacher` are shared by all arms and levels of one seed; `fresh` and `mask`
are drawn anew at every level, and are shared by all arms of that level. An arm that is trained in another order of the data draws
`data` and `augment` once more.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

PER_SEED = ("init", "data", "augment", "env", "score", "eval", "teacher")
PER_LEVEL = ("fresh", "mask")
ORDER = ("data", "augment")
"""What the noise of SGD is drawn from, the order of the examples and what chance does to them."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The random streams of one unit.

    Args:
        seed: the replicate.
        level: the number of pruning rounds; only `fresh` and `mask` depend on it.
        init: the stream behind the initial weights: `init`, or `fresh` for arms that start from fresh weights.
        order: which draw of the `ORDER` streams; all arms of a seed share the first, 0.
    """

    seed: int
    level: int = 0
    init: str = "init"
    order: int = 0

    def refreshed(self) -> Streams:
        """The same streams, but initial weights come from `fresh`."""
        return replace(self, init="fresh")

    def sequence(self, name: str, *index: int) -> np.random.SeedSequence:
        """The seed sequence of stream `name`; `index` (an epoch, a round) selects a substream.

        A single index 0 selects the stream itself: numpy fills entropy of less than four words up with zeros (a seed below
        2 ** 32 is one). Whoever takes both from one stream draws the same numbers twice, unless by generators of two kinds.

        Raises:
            ValueError: if there is no stream of that name.
        """
        if name == "init":
            name = self.init
        if name not in PER_SEED + PER_LEVEL:
            raise ValueError(f"no stream {name!r}: streams are {', '.join(PER_SEED + PER_LEVEL)}")
        draw = self.level if name in PER_LEVEL else self.order if name in ORDER else 0
        return np.random.SeedSequence([self.seed, zlib.crc32(name.encode()), draw, *index])

    def numpy(self, name: str, *index: int) -> np.random.Generator:
        """A new numpy generator at the start of the stream."""
        return np.random.default_rng(self.sequence(name, *index))

    def integer(self, name: str, *index: int) -> int:
        """A 63-bit integer seed from the stream, for libraries that take one."""
        return int(self.sequence(name, *index).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def torch(self, name: str, *index: int, device: str = "cpu") -> torch.Generator:
        """A new torch generator at the start of the stream."""
        import torch  # noqa: PLC0415  the planner makes streams without torch

        return torch.Generator(device).manual_seed(self.integer(name, *index))


@contextmanager
def drawing_from(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Let the global generators, which layers and initialisers draw from, begin at `seed`; outside they do not move.

    Args:
        seed: below 2 ** 63, of torch's, numpy's and Python's.
        device: whose generator, besides the CPU's.
    """
    import torch  # noqa: PLC0415  see `Streams.torch`

    held, held_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  what others draw from
    with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
        try:
            seed_torch(seed, device)
            random.seed(seed)
            np.random.seed([seed & 0xFFFFFFFF, seed >> 32])  # noqa: NPY002
            yield
        finally:
            random.setstate(held)
            np.random.set_state(held_numpy)  # noqa: NPY002


def seed_torch(seed: int, device: torch.device | str = "cpu") -> None:
    """Put torch's global generators of the CPU and of `device` at the start of `seed`.

    `torch.manual_seed` leaves a note of its callers for every kind of device that is not there: 0.3 ms and more (measured).
    """
    import torch  # noqa: PLC0415  see `Streams.torch`

    torch.default_generator.manual_seed(seed)
    if torch.device(device).type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
