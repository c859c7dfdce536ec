"""Inception V3, the paper's network for ImageNet: torchvision's, with weights of ours."""

from torch import nn

from corruptlab._errors import require
from corruptlab.models._build import build
from corruptlab.models._initialization import Initialization
from corruptlab.models._sizes import check_num_classes


def inception_v3(
    *,
    num_classes: int = 1000,
    dropout: float = 0.5,
    seed: int = 0,
    init: Initialization = "glorot_uniform",
) -> nn.Module:
    """Build Inception V3 for images of 299x299, without the auxiliary classifier.

    The architecture is torchvision's (extra ``vision``), and nothing is downloaded. The weights are
    drawn by `initialize`. In float32 on the CPU, in training mode.

    Args:
        num_classes: Number of outputs, >= 1.
        dropout: Probability of dropout before the last layer, in ``[0, 1]``; `Recipe.dropout` can
            change it for one fit.
        seed: Which initial weights; any integer >= 0.
        init: Name of the law of the initial weights, see `initialize`.

    Returns:
        The network: ``(n, 3, 299, 299)`` float32 in, ``(n, num_classes)`` logits out.

    Raises:
        MissingExtraError: If torchvision is not installed.
        TypeError: If ``num_classes`` is not an integer.
        ValueError: If it is below 1, or ``dropout`` is out of range.

    Example:
        >>> from corruptlab.models import inception_v3
        >>> network = inception_v3(num_classes=10)  # doctest: +SKIP

    Source: Zhang et al. 2017, App. A; Szegedy et al. 2016, "Rethinking the Inception architecture
    for computer vision".
    """
    check_num_classes(num_classes)
    models = require("torchvision.models", extra="vision")

    def layers() -> nn.Module:
        network: nn.Module = models.inception_v3(
            weights=None,
            num_classes=num_classes,
            dropout=dropout,
            aux_logits=False,
            init_weights=False,
        )
        return network

    return build(layers, init, seed=seed)
