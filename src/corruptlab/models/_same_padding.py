"""Convolution and pooling with TensorFlow's "same" padding."""

from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad


def same_padding(size: int, *, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros TensorFlow's "same" padding puts before and after an axis.

    The output has ``ceil(size / stride)`` places. What they need in all is split in halves, and an
    odd one goes *after*: with a kernel of 3 and a stride of 2, an axis of 28 gets (0, 1), where
    PyTorch's ``padding=1`` would give (1, 1) and look at other pixels.

    Args:
        size: Length of the axis, >= 1.
        kernel: Length of the kernel, >= 1.
        stride: Distance of two places, >= 1.

    Returns:
        Zeros before and zeros after; they differ by 0 or 1.

    Example:
        >>> same_padding(28, kernel=3, stride=2), same_padding(7, kernel=3, stride=2)
        ((0, 1), (1, 1))

    Source: TensorFlow, ``tf.nn.convolution``, ``padding="SAME"``.
    """
    places = -(-size // stride)
    total = max((places - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A 2-D convolution whose output is ``ceil(size / stride)`` long, padded as TensorFlow does.

    Args:
        in_channels: Channels of the input.
        out_channels: Number of filters.
        kernel_size: Height and width of a filter.
        stride: Distance of two places.
        bias: Whether each filter has a bias.
    """

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
        """Convolve images.

        Args:
            input: Images, shape ``(n, in_channels, height, width)``.

        Returns:
            Shape ``(n, out_channels, ceil(height / stride), ceil(width / stride))``.
        """
        (top, bottom), (left, right) = _paddings(input, self.kernel_size, self.stride)
        if (bottom, right) != (top, left):  # the convolution itself can only pad both sides alike
            input = pad(input, (0, right - left, 0, bottom - top))
        return conv2d(input, self.weight, self.bias, self.stride, (top, left))


class SameMaxPool2d(nn.Module):
    """Max-pooling whose output is ``ceil(size / stride)`` long; padding never wins a maximum.

    Args:
        kernel_size: Height and width of a window, odd or even.
        stride: Distance of two windows, >= 2.
    """

    def __init__(self, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, input: Tensor) -> Tensor:
        """Pool images.

        Args:
            input: Images, shape ``(n, channels, height, width)``.

        Returns:
            Shape ``(n, channels, ceil(height / stride), ceil(width / stride))``.
        """
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
