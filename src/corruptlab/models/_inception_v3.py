"""Inception V3, the paper's network for ImageNet: torchvision's, with weights of ours."""

from collections.abc import Sequence

from torch import nn

from corruptlab._checks import check_probability
from corruptlab._errors import require
from corruptlab.models._initialization import Initialization, build
from corruptlab.models._layers import check_num_classes, image_size

_SMALLEST = 75  # what is smaller is gone before the last module


def inception_v3(
    *,
    num_classes: int = 1000,
    dropout: float = 0.5,
    aux_logits: bool = False,
    input_shape: Sequence[int] = (3, 299, 299),
    seed: int = 0,
    init: Initialization = "glorot_uniform",
) -> nn.Module:
    """Build Inception V3 with random weights.

    The architecture is torchvision's (extra ``vision``); nothing is downloaded. Its batch norm
    has a scale in addition to the shift, unlike TensorFlow's. The weights are drawn by
    `initialize` instead of torchvision, which takes minutes in some versions. The network is in
    float32 on the CPU, in training mode.

    Args:
        num_classes: Number of outputs, >= 1.
        dropout: Probability of dropout before the last layer, in ``[0, 1]``.
        aux_logits: Whether the network has an auxiliary classifier; in training mode it then
            returns a named tuple ``(logits, aux_logits)``. `fit` requires networks that return
            logits only.
        input_shape: Shape of one image, ``(3, height, width)``, with sides of at least 75. It is
            only checked: the network accepts images of any size from 75 on.
        seed: Seed of the initial weights; any integer >= 0.
        init: Distribution of the initial weights, see `initialize`.

    Returns:
        The network. It maps ``float32`` inputs of shape ``(n, *input_shape)`` to logits of shape
        ``(n, num_classes)``.

    Raises:
        MissingExtraError: If torchvision is not installed.
        TypeError: If an argument has the wrong type.
        ValueError: If a value is out of range, or ``init`` is not a known name.

    Example:
        >>> from corruptlab.models import inception_v3
        >>> inception_v3(input_shape=(3, 28, 28))
        Traceback (most recent call last):
        ...
        ValueError: `input_shape` must have a height and a width of at least 75, got (3, 28, 28).

    Source: Zhang et al. 2017, §2.1 and Table 2; Szegedy et al. 2016, "Rethinking the Inception
    architecture for computer vision".
    """
    check_num_classes(num_classes, 2048)
    check_probability("dropout", dropout)
    channels, _, _ = image_size(input_shape, smallest=_SMALLEST)
    if channels != 3:
        raise ValueError(f"`input_shape` must have 3 channels, got {tuple(input_shape)}.")
    inception = require("torchvision.models.inception", extra="vision")

    def layers() -> nn.Module:
        network: nn.Module = inception.Inception3(
            num_classes=num_classes, aux_logits=aux_logits, dropout=dropout, init_weights=False
        )
        return network

    return build(layers, init, seed=seed)
