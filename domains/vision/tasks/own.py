"""The user's own images: a slim VGG on each set, and every model of torchvision that is asked for."""

from typing import Any

from bench.spec import Pruning, Task
from domains.vision.datasets import DIGESTS, own
from domains.vision.networks.kinds import KIND, TABLES, obstacle, unsupported

OURS = "slim-vgg"
"""The model of the task that every set has."""
EPOCHS = 30
SHORTEST, LONGEST = 200, 10_000
"""Updates of a training."""
BATCH = 128
FEWEST = 4
"""Images to train with: of one alone in a batch, normalisation over the batch leaves nothing."""


def tasks() -> list[Task]:
    """A task for each of the user's sets that there are now, and for each model asked for it that can see such images."""
    made = []
    for images in own.found(tuple(DIGESTS)).values():
        for name in (OURS, *images.models):
            model = name if name == OURS else f"{KIND}:{name}"
            if reason := _hopeless(images.facts) or obstacle(model, images.facts.shape):
                own.warn(f"vision/{name}-{images.name} is not listed: {reason}")
            else:
                made.append(_task(images, name, model))
    return made


def _hopeless(facts: own.Facts) -> str | None:
    """Why nothing can be learned of a set; None if something can."""
    if facts.classes < 2:
        return "all its images are of one class; two or more are needed"
    if (left := sum(facts.train) - _validation(facts)) < FEWEST:
        return f"{left} images are left to train with; {FEWEST} or more are needed"
    return None


def _validation(facts: own.Facts) -> int:
    """How many training images are held out."""
    return 0 if facts.has_val else max(1, sum(facts.train) // 10)


def _task(images: own.Set, name: str, model: str) -> Task:
    facts = images.facts
    validation = _validation(facts)
    train = sum(facts.train) - validation
    batch = min(BATCH, max(1, train // 2))
    budget = min(max(EPOCHS * (train // batch), SHORTEST), LONGEST)
    rewind = min(train // batch, budget // 10)
    config: dict[str, Any] = {
        "model": model,
        "channels": 3,
        "normalisation": None,
        "classes": facts.classes,
        "validation": validation,
        "split_seed": 0,
        "augment": {"crop": max(1, min(facts.shape[1:]) // 8), "flip": True},
        "batch": batch,
        "optimizer": "sgd",
        "rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "cosine",
        "warmup": 0.05,
    }
    return Task(
        name=f"vision/{name}-{images.name}",
        scale="small",
        config=config,
        data={images.name: facts.digest},
        budget=budget,
        evaluate_every=max(1, budget // 20),
        rewind_step=rewind,
        pruning=Pruning(rate=0.2, scope="global", exempt=("output.*", *TABLES)),
        metric="accuracy",
        directions={"accuracy": "max", "loss": "min"},
        at=("final", "early-stop"),
        select="loss",
        tolerance=1.0,
        chance=100 * max(facts.test) / sum(facts.test),
        constant_rate=False,
        unsupported=unsupported(model),
        source="this suite",
        deviations=("Images of your own: nothing is published to compare with.",),
    )
