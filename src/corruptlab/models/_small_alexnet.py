"""The paper's small AlexNet."""

from collections.abc import Sequence

from torch import nn

from corruptlab.models import _layers as layers
from corruptlab.models._initialization import Initialization, build

_SMALLEST = 4  # two poolings with stride 2 leave one place of it


def small_alexnet(
    *,
    input_shape: Sequence[int] = (3, 28, 28),
    num_classes: int = 10,
    seed: int = 0,
    init: Initialization = "glorot_uniform",
) -> nn.Sequential:
    """Build the paper's small AlexNet.

    The network consists of two blocks of a 5x5 convolution with 64 filters, ReLU, 3x3 max pooling
    with stride 2, and local response normalization, followed by fully connected layers of 384 and
    192 units, as in TensorFlow's CIFAR-10 model of the time, with the padding of TensorFlow. The
    network is in ``float32`` on the CPU, in training mode.

    Args:
        input_shape: Shape ``(channels, height, width)`` of one input *after* cropping, with a
            height and width of at least 4.
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
        >>> from corruptlab.models import small_alexnet
        >>> sum(parameter.numel() for parameter in small_alexnet().parameters())
        1387786

    Source: Zhang et al. 2017, App. A.
    """
    channels, height, width = layers.image_size(input_shape, smallest=_SMALLEST)
    layers.check_num_classes(num_classes, 192)
    height, width = -(-height // 4), -(-width // 4)
    return build(
        lambda: nn.Sequential(
            layers.SameConv2d(channels, 64, 5),  # (n, 64, 28, 28)
            nn.ReLU(inplace=True),
            layers.SameMaxPool2d(3, stride=2),  # (n, 64, 14, 14)
            layers.LocalResponseNorm(),
            layers.SameConv2d(64, 64, 5),
            nn.ReLU(inplace=True),
            layers.SameMaxPool2d(3, stride=2),  # (n, 64, 7, 7)
            layers.LocalResponseNorm(),
            nn.Flatten(),  # (n, 3136)
            nn.Linear(64 * height * width, 384),
            nn.ReLU(inplace=True),
            nn.Linear(384, 192),
            nn.ReLU(inplace=True),
            nn.Linear(192, num_classes),
        ),
        init,
        seed=seed,
    )
