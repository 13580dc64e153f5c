"""Every classification model of torchvision by its name; the whole list takes minutes, and is marked so."""

import pytest
import torch
from torch import nn
from torchvision import models

from bench.errors import SpecError, UnknownName, Unsupported
from bench.tickets.saliency import undefined
from domains.vision.networks import zoo
from domains.vision.networks.kinds import obstacle, unsupported
from domains.vision.networks.models import build

SIDE = {"inception_v3": 96, "vit_h_14": 224, "maxvit_t": 224}
LARGE = ("vit_", "regnet_y_128gf", "regnet_y_32gf", "regnet_x_32gf", "maxvit_t")


def make(name, *, classes=3, seed=0, side=64):
    generator = torch.Generator().manual_seed(seed)
    return build(f"torchvision:{name}", width=1.0, classes=classes, image=(3, side, side), generator=generator)


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5", "densenet121"]
)
def test_a_model_is_torchvisions_with_an_output_layer_of_ours(name):
    model = make(name)
    names = [each for each, _ in model.named_parameters()]
    assert names[-2:] == ["output.weight", "output.bias"]
    assert all(each.startswith("body.") for each in names[:-2])
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 3)
    assert model.training
    theirs = models.get_model(name, weights=None, num_classes=3)
    assert sum(each.numel() for each in model.parameters()) == sum(each.numel() for each in theirs.parameters())


def test_the_body_is_torchvisions_to_the_bit():
    model = make("resnet18").eval()
    theirs = models.resnet18(num_classes=3).eval()
    state = {name.removeprefix("body."): each for name, each in model.state_dict().items()}
    state |= {"fc.weight": state.pop("output.weight"), "fc.bias": state.pop("output.bias")}
    theirs.load_state_dict(state)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(images), theirs(images))


def test_the_body_of_a_seed_is_the_same_for_any_number_of_classes():
    two, many = (dict(make("resnet18", classes=classes).named_parameters()) for classes in (2, 100))
    for name in two:
        if name.startswith("body."):
            assert torch.equal(two[name], many[name])
    assert two["output.weight"].shape == (2, 512)
    assert many["output.weight"].shape == (100, 512)


def test_the_generator_alone_decides_the_weights():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = make("resnet18", seed=3), make("resnet18", seed=3), make("resnet18", seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(first.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in pairs)
    assert not torch.equal(first.body.conv1.weight, other.body.conv1.weight)
    assert not torch.equal(first.output.weight, other.output.weight)


def test_initial_weights_are_torchvisions_and_the_outputs_glorot():
    model = make("resnet18", classes=500)
    weight = model.body.layer4[1].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)  # Kaiming, by what goes out
    assert model.output.weight.std().item() == pytest.approx((2 / (512 + 500)) ** 0.5, rel=0.02)
    assert not model.output.bias.any()
    assert isinstance(model.body.fc, nn.Identity)


def test_what_cannot_be_had_is_said():
    with pytest.raises(UnknownName, match="did you mean 'resnet18'"):
        make("resnet_18")
    with pytest.raises(UnknownName, match="unknown model of torchvision"):
        make("fasterrcnn_resnet50_fpn")
    with pytest.raises(SpecError, match="vit_b_16 needs images of 224 pixels a side, not 64x64"):
        make("vit_b_16")
    with pytest.raises(Unsupported, match="one width"):
        zoo.build("resnet18", width=0.5, classes=2, image=(3, 64, 64), generator=torch.Generator())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [name for name in models.list_models(module=models) if not name.startswith(LARGE)])
def test_every_model_is_built_and_sees_images(name):
    side = SIDE.get(name, 64)
    model = make(name, side=side)
    assert list(model.state_dict())[-2:] == ["output.weight", "output.bias"]
    assert model(torch.rand(2, 3, side, side)).shape == (2, 3)


def sees(model, height, width):
    """Whether a model without storage can; layers reckon with shapes alone."""
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, height, width, device="meta"))
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("alexnet", 63, None),
        ("convnext_tiny", 32, None),
        ("densenet121", 29, None),
        ("googlenet", 15, None),
        ("inception_v3", 75, None),
        ("maxvit_t", 221, 224),
        ("mobilenet_v3_small", 1, None),
        ("resnet18", 1, None),
        ("squeezenet1_0", 21, None),
        ("squeezenet1_1", 17, None),
        ("swin_t", 4, None),
        ("vgg11", 32, None),
        ("vit_b_16", 224, 224),
    ],
)
def test_what_images_a_model_can_see_is_known_without_it(name, least, most):
    with torch.device("meta"):
        model = models.get_model(
            name, num_classes=3, **({"init_weights": False} if name in ("googlenet", "inception_v3") else {})
        ).eval()
    sizes = {least: True, least + 200: most is None, least - 1: False}
    for side, can in sizes.items():
        assert sees(model, side, side) == can
        assert (obstacle(f"torchvision:{name}", (3, side, side)) is None) == can
    assert (obstacle(f"torchvision:{name}", (3, least, 300)) is None) == sees(model, least, 300)


@pytest.mark.parametrize(
    "name", ["alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "maxvit_t", "mnasnet0_5", "swin_t", "swin_v2_t",
    "resnet18", "shufflenet_v2_x0_5", "vgg11_bn", "vit_b_16"]
)  # fmt: skip
def test_through_which_models_no_flow_is_defined_is_known_without_them(name):
    """So SynFlow is refused when planning."""
    with torch.device("meta"):
        model = models.get_model(name, num_classes=3)
    assert ("synflow" in unsupported(f"torchvision:{name}")) == (undefined(model) is not None)
    assert "small-dense" in unsupported(f"torchvision:{name}")


def test_every_model_without_flow_is_of_a_known_family():
    assert {name for name in models.list_models(module=models) if "synflow" in unsupported(f"torchvision:{name}")} == {
        name
        for name in models.list_models(module=models)
        if name.partition("_")[0] in ("convnext", "maxvit", "swin", "vit")
    }
    assert unsupported("slim-vgg") == {}
