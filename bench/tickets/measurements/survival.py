"""Which weights survive pruning: those that began large, or those that moved far (1803.03635, appendix F.2)?

Imports no torch: whoever checks a submission computes it again from the submitted states.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.record import LayerCount, Survival

Arrays = Mapping[str, NDArray[Any]]


class _Layer(NamedTuple):
    """What one layer says, and how many weights say it."""

    size: int
    initial: float
    movement: float


def survival(mask: Arrays, initial: Arrays, final: Arrays, layers: Mapping[str, LayerCount]) -> Survival | None:
    """How the kept weights differed from the pruned ones in the dense network, layer by layer, weighted by their sizes.

    Args:
        mask: parameter name -> bool array of its shape.
        initial: parameter name -> dense weights at step 0.
        final: the same, at the end of the dense training.
        layers: counts of every parameter; those with entries that may never be pruned are left out.

    Returns:
        None if no layer both keeps and prunes.
    """
    found = [
        layer
        for name, kept in sorted(mask.items())  # files order their tensors otherwise than networks do, and sums round
        if layers[name]["prunable"] == layers[name]["all"]
        for layer in _layer(kept.ravel(), initial[name].ravel(), final[name].ravel())
    ]
    if not found:
        return None
    sizes = [layer.size for layer in found]
    return {
        "initial": float(np.average([layer.initial for layer in found], weights=sizes)),
        "movement": float(np.average([layer.movement for layer in found], weights=sizes)),
    }


def _layer(kept: NDArray[np.bool_], initial: NDArray[Any], final: NDArray[Any]) -> Iterator[_Layer]:
    """Nothing where all or none is kept, or all begin equal."""
    began = initial.astype(np.float64)
    survivors, scale = int(kept.sum()), float(began.std())
    pruned = kept.size - survivors
    if not survivors or not pruned or not scale:
        return
    size = np.abs(began)
    ordered = np.sort(size[~kept])
    won = sum(float(np.searchsorted(ordered, size[kept], side).sum()) for side in ("left", "right"))
    moved = np.abs(final.astype(np.float64) - began)
    yield _Layer(
        size=kept.size,
        initial=won / (2 * survivors * pruned),  # pairs won, ties half: Mann & Whitney 1947
        movement=float(moved[kept].mean() - moved[~kept].mean()) / scale,
    )
