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
    """Return the paper's recipe for CIFAR-10.

    Inputs are center-cropped to 28x28 and whitened; the optimizer is SGD without regularizers. The
    paper specifies the learning rate, momentum, decay, crop, and whitening. It specifies neither
    the number of epochs (100 here; a fit stops earlier when it interpolates) nor the batch size.
    The batch size determines how far MLPs get before the learning rate has decayed: MLP 1x512
    fitted 98.2, 98.8, and 99.4% of random labels with batch sizes of 128, 100, and 64 (80 epochs,
    seed 0, images that had been compressed as JPEG once), where the paper has 99.34%. The batch
    size is therefore 64 for MLPs, and 128, a common choice, for convolutional networks.

    Each regularizer can be enabled separately, for the rows of Tables 1 and 4. The paper trained
    random labels with a random crop or augmentation for longer, with a decay of 0.999 per epoch:
    ``dataclasses.replace(recipe, decay=0.999, epochs=...)``.

    Args:
        model: Name of the network, as for `corruptlab.models.by_name`.
        weight_decay: Whether to use weight decay. The paper does not specify its value; common
            values are used: 5e-4 for convolutional networks and 1e-4 for MLPs.
        random_crop: Whether to crop 28x28 pixels at a random position in every epoch.
        augmentation: Whether to use flips, rotations of up to 25 degrees, and changes of
            brightness, saturation, and hue as well. The paper does not specify the size of the last
            three; it is 63/255, 0.5, and 0.1 here.

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
    """Return a recipe that interpolates the included data in all six settings within seconds.

    An epoch of 4,000 images has 32 steps, that of CIFAR-10 has 391. With the paper's decay of 0.95
    per epoch, the learning rate would vanish before random labels are fitted. The decay, and the
    learning rate of MLPs, were therefore tuned, jointly for all settings. The rest is the paper's
    recipe.

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

    Source: Zhang et al. 2017, App. A, except for learning rate and decay.
    """
    rate = _rate(model)
    return Recipe(
        learning_rate=3 * rate if _is_mlp(model) else rate, decay=0.99, epochs=200, whiten=True
    )


def default(model: str, *, input_shape: Sequence[int], n: int) -> Recipe:
    """Return the paper's recipe with the learning rate decay per image instead of per epoch.

    The learning rate is multiplied by 0.95 for every 50,000 images, and the number of steps is that
    of 100 epochs of CIFAR-10. The recipe therefore does not depend on the size of the data set.

    Args:
        model: Name of the network, as for `corruptlab.models.by_name`.
        input_shape: Shape of one stored image, ``(channels, height, width)``; 32x32 images are
            cropped to 28x28, as in the paper.
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
    """Return a recipe for tables or tokens: Adam with a constant learning rate.

    Inputs are not whitened. The number of steps is that of 100 epochs of 50,000 rows, with at most
    2,000 epochs; a fit stops earlier when it interpolates.

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
    """Return a recipe for ImageNet, for images of the size that the data set returns.

    The paper trained Inception V3 on 50 asynchronous workers with TensorFlow's standard
    configuration and does not list its parameters. The parameters here are those of Szegedy et al.
    2016: RMSProp with a learning rate of 0.045, multiplied by 0.94 every two epochs (here by its
    square root every epoch), with 50 batches of 32 at a time (here one batch of 1,600). Szegedy et
    al. also used label smoothing, an auxiliary classifier, and gradient clipping. They scaled all
    images equally; here each image is whitened. Crops and other augmentation are transforms of the
    data set.

    Args:
        model: ``"inception-v3"``.
        weight_decay: Whether to use a weight decay of 4e-5.
        dropout: Whether to use dropout with probability 0.2; otherwise it is disabled.

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
