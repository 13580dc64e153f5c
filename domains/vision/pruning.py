"""How the paper prunes each of its networks (1803.03635, figure 2 and section 4)."""

from bench.spec import Pruning

_GLOBAL = Pruning(rate=0.2, scope="global", exempt=("*shortcut*", "output.*"))

PRUNING: dict[str, Pruning] = {
    "lenet-300-100": Pruning(rate=0.2, rates={"output.weight": 0.1}),
    "conv-2": Pruning(rate=0.2, rates={"conv.*": 0.1, "output.weight": 0.1}),
    "conv-4": Pruning(rate=0.2, rates={"conv.*": 0.1, "output.weight": 0.1}),
    "conv-6": Pruning(rate=0.2, rates={"conv.*": 0.15, "output.weight": 0.1}),
    "resnet-20": _GLOBAL,
    "vgg-19": _GLOBAL,
}
"""Model name -> its pruning: layer by layer with the output at half the rate, or all convolutions pooled."""
