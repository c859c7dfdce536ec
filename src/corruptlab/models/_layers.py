"""Layers as TensorFlow has them, and checks of the sizes that a caller gives."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, max_pool2d, pad

from corruptlab._checks import at_least, whole
from corruptlab._memory import check_fits

EPSILON = 1e-3
"""What is added to a variance: TensorFlow's default, a hundred times PyTorch's."""

MOMENTUM = 0.1
"""Share of a running average that one batch replaces; TensorFlow's decay is 1 minus this.

PyTorch's default. The 0.001 of TensorFlow would need thousands of steps before the averages, which
start at 0 and 1, mean anything; accuracy in evaluation mode has to be right after a few hundred.
"""


def check_sizes(name: str, sizes: Sequence[int]) -> None:
    """Refuse sizes that are no integers or below 1, and one where several are asked for."""
    if not hasattr(type(sizes), "__iter__"):
        raise TypeError(f"`{name}` must be a tuple of integers, such as (8,), got {sizes!r}.")
    if any(whole(name, size) < 1 for size in sizes):
        raise ValueError(f"`{name}` must be at least 1, got {tuple(sizes)}.")


def check_num_classes(num_classes: int, fan_in: int) -> None:
    """Refuse a number of outputs that is no integer, below 1, or too large for the last layer."""
    check_fits("num_classes", num_classes, 4 * fan_in * at_least(1, "num_classes", num_classes))


def image_size(input_shape: Sequence[int], *, smallest: int) -> tuple[int, int, int]:
    """Return channels, height, and width of an image whose sides are at least ``smallest``."""
    check_sizes("input_shape", input_shape)
    if len(input_shape) != 3:
        raise ValueError(
            f"`input_shape` must be (channels, height, width), got {tuple(input_shape)}."
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise ValueError(
            f"`input_shape` must have a height and a width of at least {smallest}, "
            f"got {tuple(input_shape)}."
        )
    return channels, height, width


def same_padding(size: int, *, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros TensorFlow's "same" padding puts before and after an axis."""
    # The output has ceil(size / stride) places. The zeros are split in halves, and an odd one goes
    # after: with a kernel of 3 and a stride of 2, an axis of 28 gets (0, 1), where PyTorch's
    # `padding=1` gives (1, 1) and looks at other pixels.
    places = -(-size // stride)
    total = max((places - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A 2-D convolution whose output is ``ceil(size / stride)`` long, padded as TensorFlow does."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve images of shape ``(n, in_channels, height, width)``."""
        (top, bottom), (left, right) = _paddings(input, self.kernel_size, self.stride)
        if (bottom, right) != (top, left):  # the convolution itself can only pad both sides alike
            input = pad(input, (0, right - left, 0, bottom - top))
        return conv2d(input, self.weight, self.bias, self.stride, (top, left))


class SameMaxPool2d(nn.Module):
    """Max-pooling whose output is ``ceil(size / stride)`` long; padding never wins a maximum."""

    def __init__(self, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, input: Tensor) -> Tensor:
        """Pool images of shape ``(n, channels, height, width)``."""
        size, stride = (self.kernel_size, self.kernel_size), (self.stride, self.stride)
        (top, _), (left, _) = _paddings(input, size, stride)
        # In this mode windows may reach one row or column further at the end: the odd zero.
        return max_pool2d(input, size, stride, (top, left), ceil_mode=True)

    def extra_repr(self) -> str:
        """Return what stands between the brackets of `repr`."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}"


def _paddings(
    images: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = images.shape[-2:]
    return (
        same_padding(height, kernel=kernel[0], stride=stride[0]),
        same_padding(width, kernel=kernel[1], stride=stride[1]),
    )


class UnscaledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with a shift and no scale: ``(x - mean) / sqrt(var + eps) + bias``."""

    # A scale before a ReLU changes nothing that the weights of the next layer could not undo, and
    # TensorFlow's layer leaves it out by default: each channel has one parameter.

    ones: Tensor  # the scale of 1, because the fast kernels of GPUs ask for one

    def __init__(
        self, num_features: int, *, eps: float = EPSILON, momentum: float = MOMENTUM
    ) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)
        self.register_parameter("weight", None)
        self.register_buffer("ones", torch.ones(num_features), persistent=False)

    def reset_parameters(self) -> None:
        """Make the shift 0 and forget what was seen."""
        self.reset_running_stats()
        nn.init.zeros_(self.bias)
        if "ones" in self._buffers:  # the base class calls this before there is one
            nn.init.ones_(self.ones)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize images of shape ``(n, num_features, height, width)``."""
        share = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if share is None:  # the mean over all batches, as in `torch.optim.swa_utils.update_bn`
                share = 1 / float(self.num_batches_tracked)
        return batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.ones,
            self.bias,
            self.training,
            share or 0.0,
            self.eps,
        )


class LocalResponseNorm(nn.Module):
    """Divide each value by a power of the sum of squares over neighbouring channels."""

    # y_c = x_c / (bias + alpha * sum of x_k^2 over |k - c| <= radius) ** beta (Krizhevsky et al.
    # 2012, §3.3), with the numbers of TensorFlow's CIFAR-10 model. PyTorch's layer of this name
    # takes size = 2 * radius + 1 and an alpha that is `size` times this one.

    def __init__(
        self,
        radius: int = 4,
        *,
        bias: float = 1.0,
        alpha: float = 0.001 / 9,
        beta: float = 0.75,
    ) -> None:
        super().__init__()
        self.radius, self.bias, self.alpha, self.beta = radius, bias, alpha, beta

    def forward(self, input: Tensor) -> Tensor:
        """Normalize images of shape ``(n, channels, height, width)``."""
        # The sum over channels as a 1x1 convolution with a band of ones, a matrix product, which
        # is faster than the pooling over channels that PyTorch's layer does.
        channels = input.shape[1]
        band = input.new_ones(channels, channels).triu(-self.radius).tril(self.radius)
        sums = conv2d(input.square(), band[:, :, None, None])
        # The steps of bfloat16 near 1 are coarser than all that is added to the bias.
        sums = sums.to(torch.promote_types(input.dtype, torch.float32))
        return (input * (self.bias + self.alpha * sums).pow(-self.beta)).to(input.dtype)
