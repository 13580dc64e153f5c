"""What a task's config may say."""

import re

import pytest

from bench import registry
from bench.runs.planning.plan import plan
from bench.suitefile.read import load_suite
from domains.vision import domain
from domains.vision.config import misfit


@pytest.mark.parametrize("task", domain.tasks().values(), ids=lambda task: task.key)
def test_every_built_in_task_fits(task):
    assert misfit(task.config) is None


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"momentun": 0.9}, "unknown key of a config 'momentun': did you mean 'momentum'? "),
        ({"validation": -5}, "its config does not fit: Expected `int` >= 0 - at `$.validation`"),
        ({"validation": 0.1}, "its config does not fit: Expected `int`, got `float` - at `$.validation`"),
        ({"validation": "5"}, "its config does not fit: Expected `int`, got `str` - at `$.validation`"),
        ({"limit": 0}, "its config does not fit: Expected `int` >= 1 - at `$.limit`"),
        ({"side": 0}, "its config does not fit: Expected `int` >= 1 - at `$.side`"),
        ({"width": 0}, "its config does not fit: Expected `float` > 0.0 - at `$.width`"),
        ({"weight_decay": -1}, "its config does not fit: Expected `float` >= 0.0 - at `$.weight_decay`"),
        ({"momentum": 1.5, "optimizer": "sgd"}, "its config does not fit: Expected `float` <= 1.0 - at `$.momentum`"),
        ({"normalisation": [0.5]}, "its config does not fit: Expected `array` of length 2, got 1 - at `$.normalisation`"),
        ({"normalisation": [0.5, 0.0]}, "its config does not fit: Expected `float` > 0.0 - at `$.normalisation[1]`"),
        ({"normalisation": [0, [0.5, 0]]}, "its config does not fit: Expected `float` > 0.0 - at `$.normalisation[1][1]`"),
        ({"warmup": 1.0}, "its config does not fit: Expected `float` < 1.0 - at `$.warmup`"),
        ({"milestones": [0.5, 1]}, "its config does not fit: Expected `float` < 1.0 - at `$.milestones[1]`"),
        ({"augment": {"crap": 2}}, "its config does not fit: Object contains unknown field `crap` - at `$.augment`"),
        ({"augment": {"crop": -2}}, "its config does not fit: Expected `int` >= 0 - at `$.augment.crop`"),
        ({"momentum": 0.9, "optimizer": "adam"}, "its config has a momentum, which Adam does not read: take sgd, or leave it out"),
        ({"part": [2, 2]}, "part is [2, 2]: the first number counts from 0 and is below the second"),
        ({"part": [0]}, "its config does not fit: Expected `array` of length >= 2 - at `$.part`"),
        ({"superclasses": [[0, 1], [1]]}, "label 1 stands in superclasses more than once: each belongs to one at most"),
        ({"superclasses": [[2, 2], [1]]}, "label 2 stands in superclasses more than once: each belongs to one at most"),
        ({"superclasses": [[0], [-1]]}, "its config does not fit: Expected `int` >= 0 - at `$.superclasses[1][0]`"),
        ({"superclasses": [[0], []]}, "its config does not fit: Expected `array` of length >= 1 - at `$.superclasses[1]`"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_a_line_with_its_place(config, told):
    assert (misfit(config) or "").startswith(told)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"rate": 1, "momentum": 0.9, "optimizer": "sgd"},
        {"part": (1, 2), "normalisation": [0.5, [0.1, 0.2, 0.3]]},
        {"superclasses": ((0,), (1, 2)), "augment": {"crop": 4}},
    ],
)
def test_what_fits_is_left_alone(config):
    assert misfit(config) is None


def test_a_suite_that_misspells_a_key_is_refused_when_it_is_planned(tmp_path):
    base = registry.task("vision/lenet-mnist", "smoke")
    text = """
        [[task]]
        name = "vision/mine"
        base = "vision/lenet-mnist"
        scale = "smoke"
        config = {{ {} }}
        methods = ["dense"]
        levels = [0]
        seeds = "0"
    """
    for given, told in {"widht = 0.5": "did you mean 'width'", "batch = -1": "Expected `int` >= 1"}.items():
        (tmp_path / "s.toml").write_text(text.format(given))
        with pytest.raises(Exception, match=re.escape(told)):
            plan(load_suite(str(tmp_path / "s.toml")))
    assert misfit(base.config) is None
