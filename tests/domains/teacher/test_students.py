"""Students begin as the papers' code lets them."""

import numpy as np
import pytest
import torch

from bench.errors import UnknownName
from domains.teacher.students import activations, initial, layers_of, network


def start(kind, sizes=(30, 200, 40), teacher=(), **numbers):
    return initial(sizes, teacher, {"kind": kind, **numbers}, np.random.default_rng(0))


def test_a_network_is_linear_layers_with_relu_between():
    module = network((3, 5, 4, 2), torch.float64)
    assert [type(each).__name__ for each in module] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert {name: tuple(each.shape) for name, each in module.named_parameters()} == {
        "hidden1.weight": (5, 3), "hidden1.bias": (5,), "hidden2.weight": (4, 5), "hidden2.bias": (4,),
        "output.weight": (2, 4), "output.bias": (2,),
    }  # fmt: skip
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float64}


def test_activations_are_what_the_network_computes_layer_by_layer():
    torch.manual_seed(0)
    module = network((3, 5, 4, 2), torch.float64)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    inputs = torch.randn(7, 3, dtype=torch.float64)
    kept = inputs.clone()
    with torch.no_grad():
        found = activations(layers_of(dict(module.named_parameters())), inputs)
        assert [tuple(each.shape) for each in found] == [(7, 5), (7, 4), (7, 2)]
        assert torch.equal(found[0], module[:2](inputs))
        assert torch.equal(found[1], module[:4](inputs))
        assert torch.equal(found[2], module(inputs))
    assert (found[2] < 0).any()
    assert torch.equal(inputs, kept)


def test_normal_weights_have_the_standard_deviation_and_no_bias():
    for (weight, bias), shape in zip(start("normal", std=0.005), [(200, 30), (40, 200)], strict=True):
        assert weight.shape == shape
        assert weight.std() == pytest.approx(0.005, rel=0.03)
        assert abs(weight.mean()) < 2e-4
        assert not bias.any()


def test_uniform_weights_fill_what_the_inputs_allow():
    for (weight, bias), inputs in zip(start("uniform"), (30, 200), strict=True):
        for values in (weight, bias):
            assert np.abs(values).max() <= inputs**-0.5
            assert np.abs(values).max() > 0.9 * inputs**-0.5
            assert abs(values.mean()) < 0.2 * inputs**-0.5


def test_a_planted_start_is_the_teacher_and_noise_each_node_a_unit_vector():
    generator = np.random.default_rng(1)
    teacher = [(generator.normal(size=(20, 10)), np.zeros(20)), (generator.normal(size=(30, 20)), np.zeros(30))]
    teacher = [(weight / np.linalg.norm(weight, axis=1, keepdims=True), bias) for weight, bias in teacher]
    planted = start("planted", (10, 40, 30), teacher, std=0.1)
    for weight, bias in planted:
        assert np.linalg.norm(np.column_stack([weight, bias]), axis=1) == pytest.approx(np.ones(len(weight)))
    below, above = planted[0][0], planted[1][0]
    alike = (below[:20] * teacher[0][0]).sum(axis=1)
    assert alike.min() > 0.85
    assert np.abs((below[20:] * teacher[0][0]).sum(axis=1)).mean() < 0.5
    assert np.linalg.norm(above[:, 20:], axis=0).mean() < 0.5 * np.linalg.norm(above[:, :20], axis=0).mean()
    silent = start("planted", (10, 40, 30), teacher, std=1e-9)
    assert silent[0][0][:20] == pytest.approx(teacher[0][0], abs=1e-6)
    assert silent[1][0][:, :20] == pytest.approx(teacher[1][0], abs=1e-6)
    assert silent[1][0][:, 20:] == pytest.approx(np.zeros((30, 20)), abs=1e-6)


def test_a_planted_student_that_is_narrower_than_its_teacher_has_its_first_nodes():
    teacher = [(np.eye(4), np.zeros(4)), (np.ones((2, 4)) / 2, np.zeros(2))]
    (below, _), (above, _) = start("planted", (4, 3, 2), teacher, std=1e-9)
    assert below == pytest.approx(np.eye(4)[:3], abs=1e-6)
    assert above == pytest.approx(np.full((2, 3), 3**-0.5), abs=1e-6)


def test_an_unknown_start_is_told():
    with pytest.raises(UnknownName, match="unknown initialisation 'norml': did you mean 'normal'"):
        start("norml")
