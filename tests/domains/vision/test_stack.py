"""Classifiers that train together are the classifiers that they are alone."""

from dataclasses import replace

import pytest
import torch
from company import alone, check_company, check_divergence, check_leaving, check_trouble, check_units, distance, trained
from torch import nn

from bench.errors import SpecError
from bench.stacks.alone import SeatedDomain
from bench.stacks.layers import stacked
from bench.streams import Streams
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.conformance.watch import watch
from bench.tickets.methods import METHODS
from domains.vision import domain
from domains.vision.networks import models

TASKS = domain.tasks()
CONVOLUTIONS = ("slim-cifar10a", "resnet20-half-16px", "conv2-16px")


@pytest.fixture
def convolutions(stand_in):
    """A convolutional task on 300 images of 16 x 16 pixels, with all that its recipe has, in batches of 12."""
    stand_in(340, 40, image=(3, 16, 16))

    def build(name):
        task = TASKS[f"vision/{name}@smoke"]
        few = {
            key: 20 if key == "validation" else None for key in ("validation", "limit", "part") if key in task.config
        }
        config = {**task.config, **few, "batch": 12}
        config = {key: value for key, value in config.items() if value is not None}
        return replace(task, config=config, evaluation={})

    return build


def test_a_lenet_does_not_depend_on_its_company(task):
    check_company(domain, task, 12)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolutional_net_does_not_depend_on_its_company(convolutions, name):
    """Convolutions, batch norm and its statistics, crops and flips, momentum, weight decay."""
    check_company(domain, convolutions(name), 3)


def test_who_leaves_changes_nothing_for_those_who_stay(task, convolutions):
    check_leaving(domain, task, 20)
    check_leaving(domain, convolutions("slim-cifar10a"), 8)


def test_units_come_out_as_one_by_one(task):
    check_units(domain, task, tolerance=1e-4)


def test_a_changing_rate_is_each_seats_own(task):
    drops = {"schedule": "step", "milestones": [0.5], "gamma": 0.1, "warmup": 4}
    dropping = replace(task, config={**task.config, **drops}, constant_rate=False, budget=20)
    assert distance(trained(domain, dropping, [0, 1], 20)[1], alone(domain, dropping, 1, 20)) < 1e-5
    assert distance(trained(domain, dropping, [0, 1], 20)[1], alone(domain, task, 1, 20)) > 1e-3
    rates = []
    for kind in (domain, SeatedDomain(domain)):
        restarted = kind.learner(dropping, streams=Streams(0), device="cpu")
        restarted.load(replace(restarted.snapshot(), step=12, origin=12))
        seen = watch(restarted)
        restarted.train(20)
        rates.append([rate for _, rate in seen.rates])
    assert rates[0] == rates[1]
    assert max(rates[1][:4]) > 5 * rates[1][-1], "it drops again, half way through what is left"


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolutional_net_is_the_one_that_it_is_alone(convolutions, name):
    """In double precision, where only rounding is left between a group of a convolution and a convolution."""
    task = convolutions(name)
    image = (task.config["channels"], task.config["side"], task.config["side"])
    generator = torch.Generator().manual_seed(0)
    nets = [
        models.build(task.config["model"], width=0.5, classes=10, image=image, generator=generator).double()
        for _ in range(3)
    ]
    whole = stacked(nets[0])
    parameters = {entry: [net.get_parameter(entry).detach() for net in nets] for entry, _ in nets[0].named_parameters()}
    buffers = {entry: [net.get_buffer(entry) for net in nets] for entry, _ in nets[0].named_buffers()}
    for entry, own in (parameters | buffers).items():
        path, _, leaf = entry.rpartition(".")
        tensor = torch.stack(own)
        setattr(whole.get_submodule(path), leaf, nn.Parameter(tensor) if entry in parameters else tensor)
    images = [torch.randn(8, *image, dtype=torch.float64, generator=generator) for _ in nets]
    for training in (True, False):
        whole.train(training)
        together = whole(torch.cat(images)).view(3, 8, -1)
        together.square().sum().backward()
        for row, (net, own) in enumerate(zip(nets, images, strict=True)):
            net.train(training)
            outputs = net(own)
            outputs.square().sum().backward()
            assert torch.allclose(together[row], outputs, rtol=1e-9)
            for entry, parameter in net.named_parameters():
                assert torch.allclose(whole.get_parameter(entry).grad[row], parameter.grad, rtol=1e-6, atol=1e-9)
            for entry, buffer in net.named_buffers():
                assert torch.allclose(whole.get_buffer(entry)[row], buffer)


def test_a_seat_that_diverges_is_alone_with_it(task):
    check_trouble(domain, replace(task, budget=60), 60)


def test_where_a_seat_diverges_does_not_depend_on_its_company(task):
    check_divergence(domain, task)


def test_seats_conform_as_learners(task, convolutions):
    assert check_learner(SeatedDomain(domain), task) == []
    assert check_learner(SeatedDomain(domain), convolutions("slim-cifar10a")) == []


@pytest.mark.parametrize("name", ["ticket", "random-ticket", "rigl", "ticket-reordered"])
def test_methods_conform_in_seats(task, name):
    assert check_method(METHODS[name], SeatedDomain(domain), task) == []


def test_a_layer_that_nobody_stacks_is_named():
    with pytest.raises(SpecError, match="a layer of LayerNorm cannot be stacked: "):
        stacked(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)))


def test_stacks_pay_where_one_net_leaves_the_device_idle():
    lenet, resnet50 = TASKS["vision/lenet-mnist@small"], TASKS["vision/resnet50-cifar10@paper"]
    assert domain.seats(lenet, "cuda:0") == 64
    assert domain.seats(lenet, "cpu") == 1
    assert "torchvision" in domain.seats(resnet50, "cuda")
