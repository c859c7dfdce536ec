"""The paper's convolutional networks: exact to the parameter, equal to a naive forward pass."""

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import conv2d, linear

from corruptlab.models import by_name, initialize, small_alexnet, small_inception
from corruptlab.models._batch_norm import UnscaledBatchNorm2d
from corruptlab.models._local_response_norm import LocalResponseNorm
from corruptlab.models._same_padding import SameConv2d, SameMaxPool2d

NETS: dict[str, Callable[..., nn.Sequential]] = {
    "inception": small_inception,
    "inception without batch norm": lambda **options: small_inception(batch_norm=False, **options),
    "alexnet": small_alexnet,
}


def images(n: int = 2, c: int = 3, h: int = 28, w: int = 28) -> Tensor:
    return torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(0))


# ------------------------------------------------------------------------------- naive versions


def naive_pad(x: Tensor, kernel: int, stride: int, fill: float) -> Tensor:
    """Pad as TensorFlow's documentation says, one axis after the other."""
    for axis in (2, 3):
        total = max(kernel - (x.shape[axis] % stride or stride), 0)
        before, after = list(x.shape), list(x.shape)
        before[axis], after[axis] = total // 2, total - total // 2
        x = torch.cat([torch.full(before, fill), x, torch.full(after, fill)], dim=axis)
    return x


def naive_conv(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    return conv2d(naive_pad(x, weight.shape[-1], stride, 0.0), weight, bias, stride)


def naive_pool(x: Tensor) -> Tensor:
    padded = naive_pad(x, 3, 2, -math.inf)
    height, width = (-(-size // 2) for size in x.shape[-2:])
    out = torch.empty(*x.shape[:2], height, width)
    for i in range(height):
        for j in range(width):
            out[:, :, i, j] = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].amax((2, 3))
    return out


def naive_lrn(x: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - 4) : c + 5]
        out[:, c] = x[:, c] / (1 + 0.001 / 9 * (near**2).sum(axis=1)) ** 0.75
    return out


def naive_inception(state: dict[str, Tensor], x: Tensor, *, batch_norm: bool) -> Tensor:
    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        bias = None if batch_norm else state[f"{name}.conv.bias"]
        x = naive_conv(x, state[f"{name}.conv.weight"], bias, stride)
        if batch_norm:  # in training mode: by the statistics of the batch
            mean = x.mean((0, 2, 3), keepdim=True)
            variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
            x = (x - mean) / (variance + 0.001).sqrt()
            x = x + state[f"{name}.norm.bias"][None, :, None, None]
        return x.clamp(min=0)

    x = conv(x, "0")
    for k in range(1, 11):
        if k in (3, 8):
            x = torch.cat([conv(x, f"{k}.conv3x3", stride=2), naive_pool(x)], dim=1)
        else:
            x = torch.cat([conv(x, f"{k}.conv1x1"), conv(x, f"{k}.conv3x3")], dim=1)
    return linear(x.mean((2, 3)), state["13.weight"], state["13.bias"])


def naive_alexnet(state: dict[str, Tensor], x: Tensor) -> Tensor:
    for name in ("0", "4"):
        x = naive_conv(x, state[f"{name}.weight"], state[f"{name}.bias"]).clamp(min=0)
        x = torch.from_numpy(naive_lrn(naive_pool(x).double().numpy())).float()
    x = x.flatten(1)
    for name in ("9", "11"):
        x = linear(x, state[f"{name}.weight"], state[f"{name}.bias"]).clamp(min=0)
    return linear(x, state["13.weight"], state["13.bias"])


def moved(net: nn.Sequential) -> nn.Sequential:
    """Give biases and shifts values that are not 0, so that leaving them out would show."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return net


SIZES = [(28, 28), (7, 9), (33, 12)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_small_inception_equals_a_naive_one(batch_norm: bool, size: tuple[int, int]) -> None:
    net = moved(small_inception(batch_norm=batch_norm, input_shape=(3, *size)))
    x = images(4, 3, *size)
    with torch.no_grad():
        expected = naive_inception(net.state_dict(), x, batch_norm=batch_norm)
        torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_small_alexnet_equals_a_naive_one(size: tuple[int, int]) -> None:
    net = moved(small_alexnet(input_shape=(3, *size)))
    x = images(4, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(net(x), naive_alexnet(net.state_dict(), x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [4, 5, 7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 3), (2, 2)])
def test_same_convolution_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    layer = SameConv2d(2, 3, kernel, stride)
    x = images(2, 2, size, size + 1)
    expected = naive_conv(x, layer.weight, layer.bias, stride)
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).shape[-2:] == (-(-size // stride), -(-(size + 1) // stride))


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 28])
def test_same_pooling_is_tensorflows(size: int) -> None:
    x = images(2, 2, size, size + 1) - 5  # all negative: a zero of the padding would win
    torch.testing.assert_close(SameMaxPool2d(3, stride=2)(x), naive_pool(x))


def test_local_response_norm_is_tensorflows() -> None:
    x = 30 * images(2, 12, 3, 3).double()
    torch.testing.assert_close(LocalResponseNorm()(x), torch.from_numpy(naive_lrn(x.numpy())))
    theirs = nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)
    torch.testing.assert_close(LocalResponseNorm()(x), theirs(x))


def test_batch_norm_is_pytorchs_with_a_scale_of_one_that_is_no_parameter() -> None:
    ours, theirs = UnscaledBatchNorm2d(5), nn.BatchNorm2d(5, eps=0.001, momentum=0.1)
    assert [name for name, _ in ours.named_parameters()] == ["bias"]
    with torch.no_grad():
        ours.bias.copy_(torch.arange(5.0))
        theirs.bias.copy_(torch.arange(5.0))
    x = 3 * images(4, 5, 2, 2) + 1
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    assert ours.num_batches_tracked == theirs.num_batches_tracked == 3
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


# ------------------------------------------------------------------------------------------ laws


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("inception", 1_649_402),
        ("inception without batch norm", 1_649_402),
        ("alexnet", 1_387_786),
    ],
)
def test_parameters_are_as_many_as_in_the_paper(name: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in NETS[name]().parameters()) == count


def test_stages_of_small_inception_have_the_shapes_of_figure_3() -> None:
    shapes = []
    x = images(1)
    for stage in small_inception():
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    wide, middle, small = (28, 28), (14, 14), (7, 7)
    assert shapes == [
        *[(channels, *wide) for channels in (96, 64, 80)],
        *[(channels, *middle) for channels in (160, 160, 160, 160, 144)],
        *[(channels, *small) for channels in (240, 336, 336)],
        (336, 1, 1),
        (336,),
        (10,),
    ]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 5, 11)])
def test_other_shapes_and_classes_work(name: str, shape: tuple[int, ...]) -> None:
    net = NETS[name](input_shape=shape, num_classes=7)
    assert net(torch.zeros(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("name", NETS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    net = NETS[name]()
    net(images(4)).square().sum().backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NETS)
def test_seeds_decide_the_weights_and_the_global_generator_stays(name: str) -> None:
    before = torch.get_rng_state()
    one, same, other = (NETS[name](seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for key, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])
    assert not torch.equal(one[0](images()), other[0](images()))


@pytest.mark.parametrize("name", NETS)
def test_networks_pickle_and_load(name: str) -> None:
    net = moved(NETS[name]()).eval()
    again = pickle.loads(pickle.dumps(net))
    fresh = NETS[name](seed=3).eval()
    fresh.load_state_dict(net.state_dict())
    for other in (again, fresh):
        assert torch.equal(other(images()), net(images()))


@pytest.mark.parametrize("name", NETS)
def test_channels_last_computes_the_same(name: str) -> None:
    net = NETS[name]()
    expected = net(images(4))
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    got = net(images(4).contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_stacked_networks_with_batch_norm_equal_single_ones() -> None:
    nets = [moved(small_inception(seed=seed, input_shape=(1, 8, 8))) for seed in range(2)]
    parameters, buffers = stack_module_state(nets)
    shape = small_inception(input_shape=(1, 8, 8)).to("meta")

    def call(parameters: Any, buffers: Any, x: Tensor) -> Any:
        return functional_call(shape, (parameters, buffers), (x,))

    x = images(4, 1, 8, 8)
    together = vmap(call, in_dims=(0, 0, None))(parameters, buffers, x)
    for k, net in enumerate(nets):
        torch.testing.assert_close(together[k], net(x), rtol=1e-4, atol=1e-4)
        seen = net.state_dict()["0.norm.running_mean"]
        torch.testing.assert_close(buffers["0.norm.running_mean"][k], seen)


@pytest.mark.parametrize("init", ["glorot_uniform", "truncated_normal"])
def test_kernels_are_drawn_by_the_fans_of_tensorflow(init: Any) -> None:
    layer = nn.Conv2d(64, 128, 5, bias=False)
    initialize(layer, init, seed=0)
    fan_in, fan_out = 64 * 25, 128 * 25
    sigma = math.sqrt(2 / (fan_in + fan_out))
    if init == "truncated_normal":
        sigma = 0.8796256610342398 / math.sqrt(fan_in)  # of a normal cut off at two deviations
    n = layer.weight.numel()
    assert layer.weight.std().item() == pytest.approx(sigma, rel=5 / math.sqrt(2 * n))
    assert abs(layer.weight.mean().item()) < 5 * sigma / math.sqrt(n)
    most = math.sqrt(3) * sigma if init == "glorot_uniform" else 2 / math.sqrt(fan_in)
    assert 0.99 * most < layer.weight.abs().max().item() <= most * (1 + 1e-6)


def test_groups_count_for_what_a_filter_sees() -> None:
    layer = nn.Conv2d(8, 8, 3, groups=4)
    initialize(layer, seed=0)
    assert layer.weight.abs().max().item() <= math.sqrt(6 / (2 * 9 + 8 * 9))


def test_names_build_the_networks() -> None:
    built = by_name("small-inception-no-bn", input_shape=(1, 12, 12), num_classes=3, seed=5)
    same = small_inception(batch_norm=False, input_shape=(1, 12, 12), num_classes=3, seed=5)
    other = by_name("small-inception", input_shape=(1, 12, 12), num_classes=3, seed=5)
    assert str(built) == str(same) != str(other)
    x = images(2, 1, 12, 12)
    assert torch.equal(built(x), same(x))
    alexnet = by_name("small-alexnet", seed=2)
    assert torch.equal(alexnet(images()), small_alexnet(seed=2)(images()))


@pytest.mark.slow
@pytest.mark.usefixtures("torchvision_datasets")  # which makes torchvision importable
def test_inception_v3_is_torchvisions_with_weights_of_ours() -> None:
    before = torch.get_rng_state()
    one, same = (by_name("inception-v3", input_shape=(3, 299, 299), num_classes=1000) for _ in "ab")
    assert torch.equal(torch.get_rng_state(), before)
    assert sum(parameter.numel() for parameter in one.parameters()) == 23_834_568
    for key, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])
        assert value.isfinite().all()
    with torch.no_grad():
        assert one.eval()(torch.zeros(1, 3, 299, 299)).shape == (1, 1000)


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda: small_inception(input_shape=(3, 3, 28)),
            ValueError,
            r"^`input_shape` must have a height and a width of at least 4, got \(3, 3, 28\)\.$",
        ),
        (
            lambda: small_alexnet(input_shape=(784,)),
            ValueError,
            r"^`input_shape` must be \(channels, height, width\), got \(784,\)\.$",
        ),
        (
            lambda: small_alexnet(num_classes=0),
            ValueError,
            r"^`num_classes` must be at least 1, got 0\.$",
        ),
        (
            lambda: small_inception(num_classes=1.5),  # type: ignore[arg-type]
            TypeError,
            r"^`num_classes` must be an integer, got 1\.5\.$",
        ),
        (
            lambda: small_inception(init="zeros"),  # type: ignore[arg-type]
            ValueError,
            r"^`init` must be one of glorot_uniform, truncated_normal, got 'zeros'\.$",
        ),
        (
            lambda: by_name("inception-v3"),
            ValueError,
            r"^`input_shape` must be \(3, 299, 299\) for inception-v3, got \(3, 28, 28\)\.$",
        ),
        (
            lambda: by_name("resnet"),
            ValueError,
            r"^`name` must be one of mlp-1x512, .*inception-v3 \(or mlp-.*, got 'resnet'",
        ),
    ],
)
def test_bad_input_is_one_clear_error(act: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        act()
