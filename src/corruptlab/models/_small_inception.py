"""The paper's small Inception."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from corruptlab.models import _layers as layers
from corruptlab.models._initialization import Initialization, build

_SMALLEST = 4  # two downsample modules leave one place of it


def small_inception(
    *,
    batch_norm: bool = True,
    input_shape: Sequence[int] = (3, 28, 28),
    num_classes: int = 10,
    seed: int = 0,
    init: Initialization = "glorot_uniform",
) -> nn.Sequential:
    """Build the paper's small Inception.

    The network consists of convolution modules (convolution, batch norm, ReLU), Inception modules
    (parallel 1x1 and 3x3 convolution modules), and downsample modules (a 3x3 convolution module
    with stride 2 parallel to max pooling), as in Fig. 3, with the padding of TensorFlow. Batch norm
    has a shift and no scale. Without batch norm, every convolution has a bias instead, so the
    number of parameters is the same. The network is in ``float32`` on the CPU, in training mode.

    Args:
        batch_norm: Whether convolutions are followed by batch norm.
        input_shape: Shape ``(channels, height, width)`` of one input *after* cropping, with a
            height and width of at least 4. The last pooling averages over all remaining positions,
            7x7 for 28x28 inputs.
        num_classes: Number of outputs, >= 1.
        seed: Seed of the initial weights; any integer >= 0.
        init: Distribution of the initial weights, see `initialize`.

    Returns:
        The network. It maps ``float32`` inputs of shape ``(n, *input_shape)`` to logits of shape
        ``(n, num_classes)``.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small, or ``init`` is not a known name.

    Example:
        >>> from corruptlab.models import small_inception
        >>> sum(parameter.numel() for parameter in small_inception().parameters())
        1649402
        >>> sum(parameter.numel() for parameter in small_inception(batch_norm=False).parameters())
        1649402

    Source: Zhang et al. 2017, App. A and Fig. 3.
    """
    channels, _, _ = layers.image_size(input_shape, smallest=_SMALLEST)
    layers.check_num_classes(num_classes, 336)
    return build(lambda: _layers(channels, num_classes, batch_norm), init, seed=seed)


def _layers(channels: int, num_classes: int, batch_norm: bool) -> nn.Sequential:
    conv = partial(ConvModule, batch_norm=batch_norm)
    inception = partial(InceptionModule, batch_norm=batch_norm)
    downsample = partial(DownsampleModule, batch_norm=batch_norm)
    return nn.Sequential(
        conv(channels, 96, 3),  # (n, 96, 28, 28)
        inception(96, 32, 32),  # (n, 64, 28, 28)
        inception(64, 32, 48),  # (n, 80, 28, 28)
        downsample(80, 80),  # (n, 160, 14, 14)
        inception(160, 112, 48),  # (n, 160, 14, 14)
        inception(160, 96, 64),  # (n, 160, 14, 14)
        inception(160, 80, 80),  # (n, 160, 14, 14)
        inception(160, 48, 96),  # (n, 144, 14, 14)
        downsample(144, 96),  # (n, 240, 7, 7)
        inception(240, 176, 160),  # (n, 336, 7, 7)
        inception(336, 176, 160),  # (n, 336, 7, 7)
        nn.AdaptiveAvgPool2d(1),  # (n, 336, 1, 1)
        nn.Flatten(),  # (n, 336)
        nn.Linear(336, num_classes),  # (n, num_classes)
    )


class ConvModule(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self, in_channels: int, channels: int, kernel: int, stride: int = 1, *, batch_norm: bool
    ) -> None:
        super().__init__()
        self.conv = layers.SameConv2d(in_channels, channels, kernel, stride, bias=not batch_norm)
        self.norm = layers.UnscaledBatchNorm2d(channels) if batch_norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(n, in_channels, ...)`` to ``(n, out_channels, ...)``."""
        output: Tensor = self.relu(self.norm(self.conv(input)))
        return output


class InceptionModule(nn.Module):
    """A 1x1 and a 3x3 convolution module side by side."""

    def __init__(
        self, in_channels: int, channels_1x1: int, channels_3x3: int, *, batch_norm: bool
    ) -> None:
        super().__init__()
        self.conv1x1 = ConvModule(in_channels, channels_1x1, 1, batch_norm=batch_norm)
        self.conv3x3 = ConvModule(in_channels, channels_3x3, 3, batch_norm=batch_norm)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(n, in_channels, ...)`` to ``(n, out_channels, ...)``."""
        return torch.cat([self.conv1x1(input), self.conv3x3(input)], dim=1)


class DownsampleModule(nn.Module):
    """A 3x3 convolution module with stride 2 and a 3x3 max-pooling with stride 2 side by side."""

    def __init__(self, in_channels: int, channels: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.conv3x3 = ConvModule(in_channels, channels, 3, stride=2, batch_norm=batch_norm)
        self.pool = layers.SameMaxPool2d(3, stride=2)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(n, in_channels, ...)`` to ``(n, out_channels, ...)``."""
        return torch.cat([self.conv3x3(input), self.pool(input)], dim=1)
