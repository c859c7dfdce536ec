"""The paper's convolutional networks: exact to the parameter, equal to a naive forward pass."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from corruptlab.models import small_alexnet, small_inception
from tests.models import naive
from tests.models.naive import images, moved

NETS: dict[str, Callable[..., nn.Sequential]] = {
    "inception": small_inception,
    "inception without batch norm": lambda **options: small_inception(batch_norm=False, **options),
    "alexnet": small_alexnet,
}

FIGURE_3 = {  # filters of the 1x1 and the 3x3 convolutions of each stage, channels it sees
    "0": (0, 96, 3),
    "1": (32, 32, 96),
    "2": (32, 48, 64),
    "3": (0, 80, 80),
    "4": (112, 48, 160),
    "5": (96, 64, 160),
    "6": (80, 80, 160),
    "7": (48, 96, 160),
    "8": (0, 96, 144),
    "9": (176, 160, 240),
    "10": (176, 160, 336),
}


def sizes(net: nn.Module) -> dict[str, int]:
    """Parameters of each stage that has any."""
    counts = {name: sum(p.numel() for p in child.parameters()) for name, child in _children(net)}
    return {name: count for name, count in counts.items() if count}


def _children(net: nn.Module) -> list[tuple[str, nn.Module]]:
    return list(net.named_children())


# --------------------------------------------------------------------------------- architecture


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


@pytest.mark.parametrize("batch_norm", [True, False])
def test_each_stage_of_small_inception_has_its_kernels_and_one_more_for_each_filter(
    batch_norm: bool,
) -> None:
    expected = {
        stage: (ones + 9 * threes) * channels + ones + threes
        for stage, (ones, threes, channels) in FIGURE_3.items()
    }
    assert sizes(small_inception(batch_norm=batch_norm)) == {**expected, "13": 336 * 10 + 10}


def test_each_layer_of_small_alexnet_has_its_weights_and_biases() -> None:
    assert sizes(small_alexnet()) == {
        "0": (3 * 25 + 1) * 64,
        "4": (64 * 25 + 1) * 64,
        "9": (7 * 7 * 64 + 1) * 384,
        "11": (384 + 1) * 192,
        "13": (192 + 1) * 10,
    }


@pytest.mark.parametrize("batch_norm", [True, False])
def test_stages_of_small_inception_have_the_shapes_of_figure_3(batch_norm: bool) -> None:
    shapes = []
    x = images(1)
    for stage in small_inception(batch_norm=batch_norm).eval():
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


SIZES = [(28, 28), (7, 9), (33, 12)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_small_inception_equals_a_naive_one(batch_norm: bool, size: tuple[int, int]) -> None:
    net = moved(small_inception(batch_norm=batch_norm, input_shape=(3, *size)))
    x = images(4, 3, *size)
    with torch.no_grad():
        expected = naive.inception(net.state_dict(), x, batch_norm=batch_norm)
        torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_small_alexnet_equals_a_naive_one(size: tuple[int, int]) -> None:
    net = moved(small_alexnet(input_shape=(3, *size)))
    x = images(4, 3, *size)
    with torch.no_grad():
        expected = naive.alexnet(net.state_dict(), x)
        torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 5, 11), (1, 4, 4)])
def test_other_shapes_and_classes_work(name: str, shape: tuple[int, ...]) -> None:
    net = NETS[name](input_shape=shape, num_classes=7)
    assert net(torch.zeros(2, *shape)).shape == (2, 7)


def test_small_inception_takes_images_of_any_size_once_it_is_built() -> None:
    net = small_inception(input_shape=(3, 28, 28)).eval()
    assert net(images(2, 3, 37, 16)).shape == (2, 10)


# --------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("name", NETS)
def test_seeds_decide_the_weights_and_the_global_generator_stays(name: str) -> None:
    before = torch.get_rng_state()
    one, same, other = (NETS[name](seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for key, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])
    for key, parameter in one.named_parameters():
        assert parameter.ndim == 1 or not (parameter == other.get_parameter(key)).any()


@pytest.mark.parametrize("make", [small_inception, small_alexnet])
def test_the_law_of_the_weights_is_read(make: Any) -> None:
    weight = make(init="truncated_normal").get_parameter("13.weight")
    fan_in = weight.shape[1]
    bound = (6 / (10 + fan_in)) ** 0.5
    assert make(init="glorot_uniform").get_parameter("13.weight").abs().max() <= bound
    assert weight.abs().max() <= 2 / fan_in**0.5
    assert weight.std().item() == pytest.approx(0.88 / fan_in**0.5, rel=0.05)


@pytest.mark.parametrize("name", NETS)
def test_networks_start_in_float32_on_the_cpu_in_training_mode(name: str) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        net = NETS[name]()
    finally:
        torch.set_default_dtype(torch.float32)
    assert net.training
    for value in (*net.parameters(), *net.buffers()):
        assert value.device.type == "cpu"
        assert value.dtype is torch.float32 or value.dtype is torch.int64


# -------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("name", NETS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    net = NETS[name]()
    net(images(4)).square().sum().backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NETS)
def test_networks_leave_their_input_alone(name: str) -> None:
    x = images(2)
    NETS[name]()(x)
    assert torch.equal(x, images(2))


@pytest.mark.parametrize("name", NETS)
def test_networks_pickle_and_load(name: str) -> None:
    net = moved(NETS[name]())
    net(images())  # so that running averages differ from their start
    net.eval()
    again = pickle.loads(pickle.dumps(net))
    fresh = NETS[name](seed=3).eval()
    fresh.load_state_dict(net.state_dict())
    for other in (again, fresh):
        assert torch.equal(other(images()), net(images()))


@pytest.mark.parametrize("name", NETS)
def test_channels_last_computes_the_same_and_lasts(name: str) -> None:
    net = moved(NETS[name]())
    expected = net(images(4))
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # unknown to the stubs
    x = images(4).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-4)
    for stage in net:
        x = stage(x)
        if x.ndim == 4:
            assert x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", NETS)
def test_bfloat16_products_come_close_and_reach_every_parameter(name: str) -> None:
    net = moved(NETS[name](input_shape=(1, 12, 12)))
    x = images(8, 1, 12, 12)
    expected = net(x)
    with torch.autocast("cpu", torch.bfloat16):
        got = net(x)
    assert got.dtype is torch.bfloat16
    assert (got - expected).norm() < 0.05 * expected.norm()
    got.float().square().sum().backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.dtype is torch.float32
        assert parameter.grad.isfinite().all()


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("name", NETS)
def test_stacked_networks_train_like_single_ones(name: str) -> None:
    nets = [moved(NETS[name](seed=k, input_shape=(1, 8, 8)), seed=k) for k in range(2)]
    parameters, buffers = stack_module_state(nets)
    shape = NETS[name](input_shape=(1, 8, 8)).to("meta")

    def loss(parameters: Any, buffers: Any, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(functional_call(shape, (parameters, buffers), (x,)), y)

    for step in range(2):
        x = torch.stack([images(4, 1, 8, 8, seed=10 * step + k) for k in range(2)])
        y = torch.tensor([[0, 1, 2, 3], [9, 9, 8, 8]])
        together = vmap(grad(loss))(parameters, buffers, x, y)
        for k, net in enumerate(nets):
            net.zero_grad()
            cross_entropy(net(x[k]), y[k]).backward()  # type: ignore[no-untyped-call]  # PyTorch's
            for key, parameter in net.named_parameters():
                torch.testing.assert_close(together[key][k], parameter.grad, rtol=1e-3, atol=1e-4)
            for key, seen in net.named_buffers():
                torch.testing.assert_close(buffers[key][k], seen, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("make", [small_inception, small_alexnet])
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"input_shape": (3, 3, 28)},
            ValueError,
            r"^`input_shape` must have a height and a width of at least 4, got \(3, 3, 28\)\.$",
        ),
        (
            {"input_shape": (3, 28, 3)},
            ValueError,
            r"^`input_shape` must have a height and a width of at least 4, got \(3, 28, 3\)\.$",
        ),
        (
            {"input_shape": (784,)},
            ValueError,
            r"^`input_shape` must be \(channels, height, width\), got \(784,\)\.$",
        ),
        (
            {"input_shape": (0, 28, 28)},
            ValueError,
            r"^`input_shape` must be at least 1, got \(0, 28, 28\)\.$",
        ),
        (
            {"input_shape": (3, 28.0, 28)},
            TypeError,
            r"^`input_shape` must be an integer, got 28\.0\.$",
        ),
        ({"num_classes": 0}, ValueError, r"^`num_classes` must be at least 1, got 0\.$"),
        ({"num_classes": 1.5}, TypeError, r"^`num_classes` must be an integer, got 1\.5\.$"),
        ({"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (
            {"init": "zeros"},
            ValueError,
            r"^`init` must be one of glorot_uniform, truncated_normal, got 'zeros'\.$",
        ),
    ],
)
def test_bad_input_is_one_clear_error(
    make: Any, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make(**options)
