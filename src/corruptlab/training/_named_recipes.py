"""Recipes by name: the paper's, and those of other data."""

import math
import re
from collections.abc import Sequence

from corruptlab.training._recipe import Recipe

_CIFAR10_SIZE = 50_000
_MOST_EPOCHS = 2_000


def cifar10(model: str) -> Recipe:
    """Return the paper's recipe for CIFAR-10: centre crop to 28x28, whitening, SGD, no regularizer.

    The paper gives rate, momentum, decay, crop, and whitening. It gives neither the number of
    epochs (100 here; a fit stops earlier when it interpolates) nor the batch size, which decides
    how far MLPs come before the rate has decayed: random labels were fitted to 98.2, 98.8, and
    99.4% by MLP 1x512 with batches of 128, 100, and 64 (80 epochs, seed 0, images that went
    through JPEG once), where the paper has 99.34%. So it is 64 here.

    Args:
        model: Name of the network, as for `corruptlab.models.by_name`.

    Returns:
        The recipe.

    Raises:
        ValueError: If there is no recipe for such a network.

    Example:
        >>> import corruptlab as cl
        >>> recipe = cl.recipes.cifar10("mlp-1x512")
        >>> recipe.learning_rate, recipe.decay, recipe.crop
        (0.01, 0.95, 28)

    Source: Zhang et al. 2017, App. A.
    """
    return Recipe(learning_rate=_rate(model), epochs=100, batch_size=64, crop=28)


def fashion_mnist_mini(model: str) -> Recipe:
    """Return a recipe with which all six settings of the embedded data are interpolated in seconds.

    4,000 images give 32 steps an epoch where CIFAR-10 gives 391. The paper's decay of 0.95 an
    epoch would bring the rate to nothing before random labels are learned, so rate and
    decay were tuned, for all settings alike; the rest is the paper's.

    Args:
        model: Name of the network, as for `corruptlab.models.by_name`.

    Returns:
        The recipe.

    Raises:
        ValueError: If there is no recipe for such a network.

    Example:
        >>> import corruptlab as cl
        >>> cl.recipes.fashion_mnist_mini("mlp-1x512").decay
        0.99

    Source: Zhang et al. 2017, App. A, but for rate and decay.
    """
    return Recipe(learning_rate=3 * _rate(model), decay=0.99, epochs=200)


def default(model: str, *, input_shape: Sequence[int], n: int) -> Recipe:
    """Return the paper's recipe, with its decay counted in images seen and not in epochs.

    The rate falls by 0.95 with every 50,000 images, and there are as many steps as 100 epochs of
    CIFAR-10 have, so the recipe does not depend on how the data is cut into epochs.

    Args:
        model: Name of the network, as for `corruptlab.models.by_name`.
        input_shape: Shape of one stored image, ``(channels, height, width)``; images of 32x32 are
            cropped to 28x28 as the paper's.
        n: Number of training images, >= 1.

    Returns:
        The recipe.

    Raises:
        ValueError: If there is no recipe for such a network, or ``n < 1``.

    Example:
        >>> import corruptlab as cl
        >>> cl.recipes.default("mlp-1x512", input_shape=(3, 32, 32), n=50_000) == (
        ...     cl.recipes.cifar10("mlp-1x512")
        ... )
        True

    Source: Zhang et al. 2017, App. A.
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1, got {n}.")
    share = n / _CIFAR10_SIZE
    return Recipe(
        learning_rate=_rate(model),
        decay=0.95**share,
        epochs=min(math.ceil(100 / share), _MOST_EPOCHS),
        batch_size=64,
        crop=28 if tuple(input_shape[-2:]) == (32, 32) else None,
    )


def _rate(model: str) -> float:
    if re.fullmatch(r"mlp-\d+x\d+", model):
        return 0.01
    raise ValueError(
        f"`model` must be one of mlp-1x512, mlp-3x512 (or mlp-DEPTHxWIDTH), got {model!r}."
    )
