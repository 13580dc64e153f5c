import pytest
import torch
from torch import nn

from bench import registry
from bench.errors import SpecError, UnknownName
from bench.report.claims.definitions import load_claims
from domains.vision.networks.kinds import KIND, SIDES
from domains.vision.networks.models import MODELS
from domains.vision.networks.models import build as build_any
from domains.vision.pruning import PRUNING

WEIGHTS = {
    "lenet-300-100": 266_200,
    "conv-2": 4_300_992,
    "conv-4": 2_425_024,
    "conv-6": 2_261_184,
    "resnet-20": 270_896,
    "vgg-19": 20_024_000,
    "slim-vgg": 72_496,
}
"""All weights of at least two dimensions; the paper prints 1.7 million for Conv-6, which no padding reproduces."""

LEVELS = {
    "lenet-300-100": {3: 51.3, 7: 21.1, 9: 13.5, 15: 3.6, 16: 2.9},
    "conv-2": {11: 8.8, 14: 4.6},
    "conv-4": {11: 11.1, 12: 9.2, 15: 5.4},
    "resnet-20": {4: 41.7, 6: 27.1, 7: 21.9, 10: 11.8},
    "vgg-19": {12: 6.9, 15: 3.5, 19: 1.5},
}
"""Round -> per cent of weights remaining, as 1803.03635 prints them."""

IMAGE = {"lenet-300-100": (1, 28, 28)}
COLOUR = (3, 32, 32)


def build(name, *, width, generator, classes=10, image=None):
    image = image or IMAGE.get(name, COLOUR)
    return build_any(name, width=width, classes=classes, image=image, generator=generator)


def architecture(name, width, classes=10):
    with torch.device("meta"):
        return MODELS[name](width, classes, IMAGE.get(name, COLOUR))


def sizes(name, width=1.0):
    model = architecture(name, width)
    return {name: each.numel() for name, each in model.named_parameters() if each.ndim >= 2}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", MODELS)
def test_the_network_has_the_papers_number_of_weights(name):
    assert sum(sizes(name).values()) == WEIGHTS[name]


@pytest.mark.parametrize(("name", "level"), [(name, level) for name in LEVELS for level in LEVELS[name]])
def test_every_published_level_follows_from_architecture_and_pruning(name, level):
    weights, pruning = sizes(name), PRUNING[name]
    prunable = {each: size for each, size in weights.items() if not pruning.is_exempt(each)}
    exempt = sum(weights.values()) - sum(prunable.values())
    remaining = 100 * (sum(pruning.keep(prunable, level).values()) + exempt) / sum(weights.values())
    assert round(remaining, 1) == LEVELS[name][level]


@pytest.mark.parametrize(("name", "exempt"), [("resnet-20", 2_560 + 640), ("vgg-19", 5_120), ("lenet-300-100", 0)])
def test_the_papers_exempt_weights_are_exempt(name, exempt):
    assert sum(size for each, size in sizes(name).items() if PRUNING[name].is_exempt(each)) == exempt


@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2", "conv-4", "conv-6"])
def test_the_output_layer_is_pruned_at_its_own_rate(name):
    assert PRUNING[name].rate_of("output.weight") == 0.1
    assert PRUNING[name].rate_of("hidden.0.weight") == 0.2
    assert "output.weight" in sizes(name)
    assert "hidden.0.weight" in sizes(name)


def test_convolutions_are_pruned_at_the_papers_rates():
    assert [PRUNING[f"conv-{depth}"].rate_of("conv.1.weight") for depth in (2, 4, 6)] == [0.1, 0.1, 0.15]
    for depth in (2, 4, 6):
        assert sum(name.startswith("conv.") for name in sizes(f"conv-{depth}")) == depth


@pytest.mark.parametrize("name", [name for name in MODELS if name != "vgg-19"])
def test_images_become_ten_logits(name):
    model = build(name, width=0.25, generator=generator())
    assert model(torch.ones(2, *IMAGE.get(name, (3, 32, 32)))).shape == (2, 10)


def test_vgg_19_halves_the_image_between_its_five_groups():
    model = build("vgg-19", width=0.125, generator=generator()).eval()
    seen = []
    for conv in model.conv:
        conv.register_forward_hook(lambda _module, _inputs, output: seen.append(tuple(output.shape[1:])))
    assert model(torch.ones(2, 3, 32, 32)).shape == (2, 10)
    assert seen == [(8, 32, 32)] * 2 + [(16, 16, 16)] * 2 + [(32, 8, 8)] * 4 + [(64, 4, 4)] * 4 + [(64, 2, 2)] * 4


def test_resnet_20_halves_the_image_twice():
    model = build("resnet-20", width=0.25, generator=generator()).eval()
    seen = []
    for block in model.blocks:
        block.register_forward_hook(lambda _module, _inputs, output: seen.append(tuple(output.shape[1:])))
    model(torch.ones(1, 3, 32, 32))
    assert seen == [(4, 32, 32)] * 3 + [(8, 16, 16)] * 3 + [(16, 8, 8)] * 3


def lenet(state, x):
    x = x.reshape(len(x), 784)
    for layer in ("hidden.0", "hidden.1"):
        x = (x @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]).clamp(min=0)
    return x @ state["output.weight"].T + state["output.bias"]


def conv(state, x):
    depth = sum(name.startswith("conv.") and name.endswith("weight") for name in state)
    for index in range(depth):
        weight, bias = state[f"conv.{index}.weight"], state[f"conv.{index}.bias"]
        x = torch.conv2d(x, weight, bias, padding=1).clamp(min=0)
        if index % 2 == 1:
            x = torch.max_pool2d(x, 2)
    x = x.reshape(len(x), -1)
    for layer in ("hidden.0", "hidden.1"):
        x = (x @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]).clamp(min=0)
    return x @ state["output.weight"].T + state["output.bias"]


def normed(state, name, x):
    mean, var, weight, bias = (
        state[f"{name}.{what}"][:, None, None] for what in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def vgg(state, x, depths=(2, 2, 4, 4, 4)):
    index = 0
    for group, depth in enumerate(depths):
        x = torch.max_pool2d(x, 2) if group else x
        for index in range(index, index + depth):  # noqa: B020  goes on where the group before ended
            x = normed(state, f"norm.{index}", torch.conv2d(x, state[f"conv.{index}.weight"], padding=1)).clamp(min=0)
        index += 1
    return x.flatten(2).mean(2) @ state["output.weight"].T + state["output.bias"]


def resnet(state, x):
    x = normed(state, "norm", torch.conv2d(x, state["conv.weight"], padding=1)).clamp(min=0)
    for block in range(9):
        name, stride = f"blocks.{block}", 2 if block in {3, 6} else 1
        inner = normed(state, f"{name}.norm1", torch.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1))
        inner = normed(
            state, f"{name}.norm2", torch.conv2d(inner.clamp(min=0), state[f"{name}.conv2.weight"], padding=1)
        )
        if stride == 2:
            x = normed(state, f"{name}.shortcut.1", torch.conv2d(x, state[f"{name}.shortcut.0.weight"], stride=2))
        x = (inner + x).clamp(min=0)
    return x.flatten(2).mean(2) @ state["output.weight"].T + state["output.bias"]


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("lenet-300-100", lenet), ("conv-2", conv), ("conv-4", conv), ("conv-6", conv), ("vgg-19", vgg), ("resnet-20", resnet), ("slim-vgg", lambda state, x: vgg(state, x, (2, 2, 2))),
    ],
)  # fmt: skip
def test_the_forward_pass_is_that_of_figure_2(name, by_hand):
    """Written a second time, as sums and products of the weights; statistics, gains and biases are none that hide a term."""
    model = build(name, width=0.125, generator=generator()).eval()
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5, generator=generator(len(key)))
        images = torch.rand(3, *IMAGE.get(name, (3, 32, 32)), generator=generator(1))
        torch.testing.assert_close(model(images), by_hand(model.state_dict(), images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["conv-2", "conv-4", "conv-6"])
def test_where_conv_networks_pool_moves_no_bit(name):
    """The paper pools behind the ReLU; so does what is written by hand."""
    model = build(name, width=0.25, generator=generator()).to(memory_format=torch.channels_last)
    images = torch.randn(8, 3, 32, 32, generator=generator(1)).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(8)
    found = []
    for forward in (model, lambda x: conv(dict(model.named_parameters()), x)):
        loss = nn.functional.cross_entropy(forward(images), labels)
        found.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_the_layer_that_claims_read_sees_the_image():
    claims = [claim for claim in load_claims() if claim.layer and claim.scale]
    assert {claim.scale for claim in claims} == {"small", "paper"}
    for claim in claims:
        (name,) = claim.tasks
        config = registry.task(name, claim.scale).config
        model = build(config["model"], width=config.get("width", 1.0), generator=generator())
        weights = dict(model.named_parameters())
        assert claim.layer == next(iter(weights)), "the first"
        assert weights[claim.layer].shape[1:] == (config["channels"], 3, 3), "a convolution of the image"


@pytest.mark.parametrize("name", ["lenet-300-100", "resnet-20"])
def test_weights_are_gaussian_glorot_and_biases_zero(name):
    for module in build(name, width=1.0, generator=generator()).modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and module.weight.numel() > 20_000:
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(module.weight)
            std = (2 / (fan_in + fan_out)) ** 0.5
            assert module.weight.std().item() == pytest.approx(std, rel=0.03)
            # A Gaussian, not the uniform distribution of the same variance: that ends at 1.73 deviations.
            assert (module.weight.abs() > 2 * std).float().mean().item() == pytest.approx(0.0455, abs=0.006)
        if isinstance(module, nn.Linear):
            assert not module.bias.any()
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()
            assert (module.running_var == 1).all()
            assert not module.running_mean.any()
            assert module.num_batches_tracked == 0


def test_the_generator_alone_decides_the_weights():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build("resnet-20", width=1.0, generator=generator(3)).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    again = build("resnet-20", width=1.0, generator=generator(3)).state_dict()
    other = build("resnet-20", width=1.0, generator=generator(4)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


@pytest.mark.parametrize("name", MODELS)
def test_width_scales_what_is_hidden_and_never_the_output(name):
    whole, half, least = (dict(architecture(name, width).named_parameters()) for width in (1.0, 0.5, 1e-6))
    for each, parameter in whole.items():
        if each == "output.bias":
            assert parameter.shape == half[each].shape == least[each].shape == (10,)
        elif each == "output.weight":
            assert parameter.shape[1] == 2 * half[each].shape[1]
            assert least[each].shape == (10, 1)
        else:
            assert parameter.shape[0] == 2 * half[each].shape[0]
            assert least[each].shape[0] == 1


def test_widths_are_rounded():
    assert sizes("lenet-300-100", 0.019)["hidden.1.weight"] == 6 * 2


def test_an_unknown_model_is_named():
    with pytest.raises(UnknownName, match="did you mean 'lenet-300-100'"):
        build("lenet-300", width=1.0, generator=generator())


@pytest.mark.parametrize("name", MODELS)
def test_the_output_comes_last_and_the_rest_of_a_seed_is_the_same_for_any_number_of_classes(name):
    two, many = (
        dict(build(name, width=0.125, classes=classes, generator=generator(5)).named_parameters())
        for classes in (2, 100)
    )
    assert list(two)[-2:] == ["output.weight", "output.bias"]
    assert two["output.weight"].shape[0] == 2
    assert many["output.weight"].shape[0] == 100
    assert all(torch.equal(two[each], many[each]) for each in list(two)[:-2])


@pytest.mark.parametrize("name", [name for name in MODELS if name != "lenet-300-100"])
@pytest.mark.parametrize("image", [(3, 16, 16), (1, 24, 40)])
def test_images_of_other_sizes_become_logits(name, image):
    model = build(name, width=0.125, image=image, generator=generator())
    assert model(torch.ones(2, *image)).shape == (2, 10)


@pytest.mark.parametrize("name", [name for name in SIDES if not name.startswith(KIND)])
def test_the_smallest_images_that_a_model_can_see(name):
    side, most = SIDES[name]
    assert most is None
    build(name, width=0.125, image=(3, side, side), generator=generator())(torch.ones(2, 3, side, side))
    with pytest.raises(SpecError, match=f"{name} needs images of {side} or more pixels a side, not {side}x{side - 1}"):
        build(name, width=0.125, image=(3, side - 1, side), generator=generator())
