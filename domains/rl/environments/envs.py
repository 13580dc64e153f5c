"""Makes the environment that a task's `config` describes, for stable-baselines3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bench.code.pinned import is_code, load
from bench.errors import UnknownName
from domains.rl.environments.classic import CLASSIC, classic
from domains.rl.environments.episodes import Episodes, Simulations
from domains.rl.environments.padded import PADDED

SEED_LIMIT = 2**31
"""Environments take seeds below this: the emulator's are 32-bit integers with a sign."""


def _gymnasium(name: str, n: int, code: Mapping[str, str] = MappingProxyType({}), **options: Any) -> Simulations:
    from domains.rl.environments.gyms import Gyms  # noqa: PLC0415  each kind needs its own packages

    if is_code(name):
        load(name, code)  # gymnasium would import whatever is named
    return Gyms(name, n, **options)


def _padded(name: str, n: int) -> Simulations:
    if name not in PADDED:
        raise UnknownName("environment with noise beside its state", name, PADDED)
    physics, limit = PADDED[name]
    return physics(name, n, limit)


def _minatar(name: str, n: int, **options: Any) -> Simulations:
    from domains.rl.environments.minatar import MinAtars  # noqa: PLC0415  see above

    return MinAtars(name, n, **options)


def _atari(name: str, n: int, **options: Any) -> Simulations:
    from domains.rl.environments.atari import Ataris  # noqa: PLC0415  see above

    return Ataris(name, n, **options)


KINDS: dict[str, Callable[..., Simulations]] = {
    "gymnasium": _gymnasium,
    "padded": _padded,
    "minatar": _minatar,
    "atari": _atari,
}


def make(env: Mapping[str, Any], *, n: int, scale: float = 1.0) -> Episodes:
    """The environments of a task.

    Args:
        env: `kind` of `KINDS`, `id`, and the kind's own options; of gymnasium's `package:Env-v0` the sha256 of the package's
            `code` (see `bench.code.pinned`).
        n: number of copies.
        scale: multiplies rewards.

    Raises:
        UnknownName: if there is no such kind, or no such environment.
        SpecError: if the user's own package cannot be imported.
        DataError: if a package or a ROM is missing, or the user's own is not what the task was made with.
    """
    options = dict(env)
    kind, name = options.pop("kind"), options.pop("id")
    if kind not in KINDS:
        raise UnknownName("kind of environment", kind, KINDS)
    if kind == "gymnasium" and name in CLASSIC and not options:
        return Episodes(classic(name, n), scale=scale)
    return Episodes(KINDS[kind](name, n, **options), scale=scale)


def seeds(sequence: Any, n: int) -> Sequence[int]:
    """One seed per copy.

    Args:
        sequence: a numpy `SeedSequence`.
        n: number of copies.
    """
    return [int(word) % SEED_LIMIT for word in sequence.generate_state(n)]
