"""Between which tasks of a domain tickets move, and whether they keep their output layer there."""

from dataclasses import replace

import pytest

from bench import registry


def task(key):
    return registry.tasks()[key]


@pytest.mark.parametrize(
    ("one", "other", "network", "outputs"),
    [
        ("vision/lenet-mnist@smoke", "vision/lenet-fashion@smoke", True, False),
        ("rl/cartpole-a2c@smoke", "rl/cartpole-a2c-steps@smoke", True, True),
        ("rl/cartpole-a2c@smoke", "rl/acrobot-a2c@smoke", False, False),
        ("rl/cartpole-ppo@smoke", "rl/cartpole-dqn@smoke", False, True),
        ("nlp/transformer-bible@smoke", "nlp/lstm-bible@smoke", False, False),
        ("nlp/transformer-bible@smoke", "nlp/transformer-reverse@smoke", False, False),
    ],
)
def test_tasks_that_share_a_network_and_outputs(one, other, network, outputs):
    domain = registry.domain(task(one).domain)
    assert (registry.network(domain, task(one)) == registry.network(domain, task(other))) == network
    assert (registry.outputs(domain, task(one)) == registry.outputs(domain, task(other))) == outputs


@pytest.mark.parametrize("exempt", [(), ("output.*",)])
def test_classes_are_part_of_a_network_whose_output_layer_is_pruned(exempt):
    domain, lenet = registry.domain("vision"), task("vision/lenet-mnist@smoke")
    one = replace(lenet, pruning=replace(lenet.pruning, rates={}, exempt=exempt))
    other = replace(one, config={**one.config, "classes": 2})
    assert (registry.network(domain, one) == registry.network(domain, other)) == bool(exempt)
    assert registry.outputs(domain, one) != registry.outputs(domain, other)


def test_other_images_are_seen_by_another_network_and_other_classes_mean_something_else():
    domain, lenet = registry.domain("vision"), task("vision/lenet-mnist@smoke")
    for key, value in {"model": "conv-2", "width": 0.5, "channels": 3, "side": 16}.items():
        changed = replace(lenet, config={**lenet.config, key: value})
        assert registry.network(domain, lenet) != registry.network(domain, changed)
        assert registry.outputs(domain, lenet) == registry.outputs(domain, changed)
    for key, value in {"optimizer": "sgd", "part": [0, 2], "limit": 100}.items():
        changed = replace(lenet, config={**lenet.config, key: value})
        assert registry.network(domain, lenet) == registry.network(domain, changed)
        assert registry.outputs(domain, lenet) == registry.outputs(domain, changed)
    grouped = replace(lenet, config={**lenet.config, "superclasses": [[0, 1], [2, 3]]})
    assert registry.outputs(domain, lenet) != registry.outputs(domain, grouped)
