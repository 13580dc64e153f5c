"""Tasks and methods as data, which nobody trains."""

from bench.spec import Method, Pruning, Task
from bench.tickets.methods import TEMPLATES

LENET = Task(
    name="vision/lenet", scale="quick", config={"model": "lenet", "rate": 1.2e-3}, data={"mnist": "ab" * 32},
    budget=1000, evaluate_every=250, pruning=Pruning(rate=0.2, rates={"fc3.*": 0.1}), metric="accuracy",
    directions={"accuracy": "max", "loss": "min"}, at=("final", "early-stop"), select="loss",
    evaluation={"test": 10_000}, tolerance=0.2, chance=10.0, constant_rate=True,
)  # fmt: skip
AGENT = Task(
    name="rl/cartpole", scale="small", version=2, config={"envs": 8}, budget=100_000, unit="env_steps",
    evaluate_every=5_000, rewind_step=1_000, schedule="restart", pruning=Pruning(scope="global", exempt=("log_std",)),
    metric="return", directions={"return": "max"}, split="eval", splits=("eval",), at=("last-100",), tolerance=10,
    chance=20, constant_rate=False,
)  # fmt: skip
OWN = Method(name="mine", mask="my.package:mask", weights="fresh", training="full", options={"share": 0.5}, version=3)
TRANSFER = TEMPLATES["transfer"].from_source("other")
