"""The recipes by name."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from corruptlab.training._recipe import Recipe
from corruptlab.training._transforms import Augmentation

_CIFAR10_SIZE = 50_000
_MOST_EPOCHS = 2_000


def cifar10(
    model: str,
    *,
    weight_decay: bool = False,
    random_crop: bool = False,
    augmentation: bool = False,
) -> Recipe:
    """Return the paper's recipe for CIFAR-10: centre crop to 28x28, whitening, SGD, no regularizer.

    The paper gives rate, momentum, decay, crop, and whitening. It gives neither the number of
    epochs (100 here; a fit stops earlier when it interpolates) nor the batch size, which decides
    how far MLPs come before the rate has decayed: random labels were fitted to 98.2, 98.8, and
    99.4% by MLP 1x512 with batches of 128, 100, and 64 (80 epochs, seed 0, images that went
    through JPEG once), where the paper has 99.34%. So it is 64 here for MLPs, and for
    convolutional networks 128, as others take.

    Each regularizer can be switched on by itself, for the rows of Tables 1 and 4. Random labels
    with a random crop or the augmentation were trained longer, with a decay of 0.999 an epoch:
    ``dataclasses.replace(recipe, decay=0.999, epochs=...)``.

    Args:
        model: Name of the network, as for `corruptlab.models.by_name`.
        weight_decay: Whether there is weight decay. The paper does not say how much; others take
            5e-4 for convolutional networks and 1e-4 for MLPs.
        random_crop: Whether the 28x28 pixels are cut out at a random place in every epoch.
        augmentation: Whether there are flips, rotations to 25 degrees, and changes of brightness,
            saturation, and hue, as well. The paper does not say how large the last three are; they
            are 63/255, 0.5, and 0.1 here.

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
    changes = None
    if random_crop or augmentation:
        changes = replace(_AUGMENTED if augmentation else Augmentation(), random_crop=random_crop)
    return Recipe(
        learning_rate=_rate(model),
        epochs=100,
        batch_size=_batch_size(model),
        weight_decay=_weight_decay(model) if weight_decay else 0.0,
        decay=0.95,
        crop=28,
        whiten=True,
        augmentation=changes,
    )


def fashion_mnist_mini(model: str) -> Recipe:
    """Return a recipe with which all six settings of the embedded data are interpolated in seconds.

    4,000 images give 32 steps an epoch where CIFAR-10 gives 391. The paper's decay of 0.95 an
    epoch would bring the rate to nothing before random labels are learned, so the decay, and the
    rate of MLPs, were tuned, for all settings alike; the rest is the paper's.

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
    rate = _rate(model)
    return Recipe(
        learning_rate=3 * rate if _is_mlp(model) else rate, decay=0.99, epochs=200, whiten=True
    )


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
        batch_size=_batch_size(model),
        crop=28 if tuple(input_shape[-2:]) == (32, 32) else None,
        whiten=True,
    )


def table(model: str, *, n: int) -> Recipe:
    """Return a recipe for a table or for tokens: Adam with a constant rate, inputs as they are.

    There are as many steps as 100 epochs of 50,000 rows have, and at most 2,000 epochs; a fit
    stops earlier when it interpolates.

    Args:
        model: Name of the network, ``"mlp-DEPTHxWIDTH"`` or ``"text-transformer"``.
        n: Number of training rows, >= 1.

    Returns:
        The recipe.

    Raises:
        ValueError: If there is no recipe for such a network, or ``n < 1``.

    Example:
        >>> import corruptlab as cl
        >>> recipe = cl.recipes.table("mlp-1x512", n=5000)
        >>> recipe.optimizer, recipe.learning_rate, recipe.epochs, recipe.batch_size
        ('adam', 0.001, 1000, 64)
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1, got {n}.")
    if not (_is_mlp(model) or model == "text-transformer"):
        raise ValueError(
            "`model` must be mlp-DEPTHxWIDTH for a table, or text-transformer for tokens, "
            f"got {model!r}."
        )
    epochs = min(math.ceil(100 * _CIFAR10_SIZE / n), _MOST_EPOCHS)
    return Recipe(optimizer="adam", learning_rate=0.001, decay=1.0, epochs=epochs, batch_size=64)


def imagenet(
    model: str = "inception-v3", *, weight_decay: bool = False, dropout: bool = False
) -> Recipe:
    """Return a recipe for ImageNet, at the size of the images that the data set serves.

    The paper trained Inception V3 on 50 asynchronous workers with TensorFlow's own set-up, none of
    whose numbers it gives. These are of Szegedy et al. 2016: RMSProp, and 0.045 times 0.94 every
    two epochs (here the root of it every epoch), for 50 batches of 32 at a time, which are one
    batch of 1,600 here. They also smoothed labels, trained a second classifier, and clipped
    gradients. Images are whitened here one by one, where they scaled all alike. Crops and other
    augmentation are the transforms of the data set.

    Args:
        model: ``"inception-v3"``.
        weight_decay: Whether there is weight decay, of 4e-5.
        dropout: Whether the network's dropout is on, at 0.2; otherwise it is switched off.

    Returns:
        The recipe.

    Raises:
        ValueError: If there is no recipe for such a network.

    Example:
        >>> import corruptlab as cl
        >>> cl.recipes.imagenet(dropout=True).dropout
        0.2

    Source: Zhang et al. 2017, App. A and Table 2; Szegedy et al. 2016, §8.
    """
    if model != "inception-v3":
        raise ValueError(f"`model` must be 'inception-v3', got {model!r}.")
    return Recipe(
        optimizer="rmsprop",
        learning_rate=0.045,
        decay=0.94**0.5,
        epochs=100,
        batch_size=1600,
        weight_decay=4e-5 if weight_decay else 0.0,
        dropout=0.2 if dropout else 0.0,
        whiten=True,
    )


_AUGMENTED = Augmentation(flip=True, rotation=25.0, brightness=63 / 255, saturation=0.5, hue=0.1)


def _rate(model: str) -> float:
    if _is_mlp(model) or model == "small-alexnet":
        return 0.01
    if model in ("small-inception", "small-inception-no-bn"):
        return 0.1
    raise ValueError(
        "`model` must be one of mlp-1x512, mlp-3x512 (or mlp-DEPTHxWIDTH), small-inception, "
        f"small-inception-no-bn, small-alexnet, got {model!r}."
    )


def _is_mlp(model: str) -> bool:
    return re.fullmatch(r"mlp-\d+x\d+", model) is not None


def _batch_size(model: str) -> int:
    return 64 if _is_mlp(model) else 128


def _weight_decay(model: str) -> float:
    return 1e-4 if _is_mlp(model) else 5e-4
