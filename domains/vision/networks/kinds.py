"""What tasks must know of the models without building them. Imports no torch."""

from fnmatch import fnmatchcase

from bench.code.pinned import is_code

KIND = "torchvision"
"""What stands before the colon in the name of a model of torchvision's."""

TABLES = ("*class_token", "*pos_embedding", "*relative_position_bias_table", "*layer_scale")
"""Patterns of parameters that of torchvision's models that are no layers, whatever their dimensions: they are not pruned."""

ANY_SHAPE = ("lenet-300-100",)
"""Built-in models that flatten what they see."""

NORMALISED = ("convnext_*", "maxvit_t", "swin_*", "vit_*")
"""Patterns of torchvision's models through which no flow of ones is defined (`bench.tickets.saliency.undefined`)."""


def is_own(model: str) -> bool:
    """Whether a model is the user's own: `module:function`."""
    return is_code(model) and model.partition(":")[0] != KIND


def unsupported(model: str) -> dict[str, str]:
    """Method -> why tasks with such a model cannot run it, as far as is known here: of the user's own SynFlow is asked later."""
    if is_own(model):
        return {"small-dense": "a network of your own has one width"}
    kind, _, name = model.partition(":")
    if kind != KIND:
        return {}
    told = {"small-dense": "torchvision's models have one width"}
    if any(fnmatchcase(name, pattern) for pattern in NORMALISED):
        told["synflow"] = f"{name} normalises over features, and no flow of ones is defined through that"
    return told


SIDES: dict[str, tuple[int, int | None]] = {
    "conv-2": (2, None),
    "conv-4": (4, None),
    "conv-6": (8, None),
    "vgg-19": (16, None),
    "slim-vgg": (4, None),
    f"{KIND}:alexnet": (63, None),
    f"{KIND}:convnext_*": (32, None),
    f"{KIND}:densenet*": (29, None),
    f"{KIND}:googlenet": (15, None),
    f"{KIND}:inception_v3": (75, None),
    f"{KIND}:maxvit_t": (221, 224),
    f"{KIND}:squeezenet1_0": (21, None),
    f"{KIND}:squeezenet1_1": (17, None),
    f"{KIND}:swin_*": (4, None),
    f"{KIND}:vgg*": (32, None),
    f"{KIND}:vit_*": (224, 224),
}
"""Pattern of a model -> the fewest pixels that a side of its images has, and the most, if there is one; others see any."""


def obstacle(model: str, image: tuple[int, ...]) -> str | None:
    """Why a model cannot see such examples; None if it can, as far as is known here.

    Args:
        model: built in, torchvision's or the user's own.
        image: (channels, height, width), or another shape.
    """
    if is_own(model) or model in ANY_SHAPE:
        return None
    if len(image) != 3:
        return f"{model} sees images (channels, height, width), not {'x'.join(map(str, image))} numbers"
    height, width = image[1:]
    least, most = next((sides for pattern, sides in SIDES.items() if fnmatchcase(model, pattern)), (1, None))
    if least <= min(height, width) and (most is None or max(height, width) <= most):
        return None
    asked = f"{least} or more" if most is None else f"{least}" if most == least else f"{least} to {most}"
    return f"{model} needs images of {asked} pixels a side, not {width}x{height}"
