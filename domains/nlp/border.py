"""fairseq, and every work-around that it needs: the rest of the domain imports it from here only.

fairseq (1904.01038) is no longer maintained; `fairseq-fixed` is the build that imports on Python 3.11. Importing it
configures the root logger, and prints warnings of its own and of its dependencies.
"""

from __future__ import annotations

import logging
import warnings
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple


@contextmanager
def quietly() -> Iterator[None]:
    """Warnings of fairseq's own code are not the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _unconfigured() -> Iterator[None]:
    """Nothing is logged, and the root logger stays as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        root.handlers[:] = handlers
        root.setLevel(level)


with quietly(), _unconfigured():
    from fairseq.criterions.label_smoothed_cross_entropy import LabelSmoothedCrossEntropyCriterion
    from fairseq.data import Dictionary
    from fairseq.models import ARCH_CONFIG_REGISTRY, ARCH_MODEL_REGISTRY
    from fairseq.sequence_generator import SequenceGenerator

logging.getLogger("fairseq").setLevel(logging.ERROR)

__all__ = [
    "Dictionary",
    "LabelSmoothedCrossEntropyCriterion",
    "SequenceGenerator",
    "Vocabularies",
    "architectures",
    "build",
    "complete",
    "quietly",
]


class Vocabularies(NamedTuple):
    """All that fairseq's models and criteria ask of a task."""

    source_dictionary: Any
    target_dictionary: Any

    @property
    def dictionary(self) -> Any:
        """A language model's only one."""
        return self.target_dictionary


def architectures() -> list[str]:
    """The names of fairseq's architectures."""
    return sorted(ARCH_CONFIG_REGISTRY)


def complete(architecture: str, options: Mapping[str, Any]) -> Namespace:
    """The options with what they leave open filled in by the architecture."""
    filled = Namespace(**options)
    ARCH_CONFIG_REGISTRY[architecture](filled)
    return filled


def build(architecture: str, options: Namespace, vocabularies: Vocabularies) -> Any:
    """A model of fairseq with complete `options`; torch's global generator is drawn from.

    Built from a plain namespace: fairseq's dataclass route shares one mutable configuration among all models.
    """
    with quietly():
        return ARCH_MODEL_REGISTRY[architecture].build_model(options, vocabularies)
