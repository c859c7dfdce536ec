"""A contact sheet: the same images under different corruptions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab.plotting._style import INK, QUIET, blank, headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCH = 1.05  # a picture and its part of the gaps
_NAME = 1.5  # inches for the names of the rows


class _Row(NamedTuple):
    pictures: NDArray[np.float64]  # (n, height, width) or (n, height, width, 3), in [0, 1]
    given: NDArray[np.int64]  # (n,)


def examples(
    rows: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    clean: ArrayLike,
    classes: Sequence[str] = (),
    limits: tuple[float, float] | None = None,
    title: str = "",
) -> "Figure":
    """Plot the same images with several corruptions, one row per corruption.

    The label is below each image. A label that differs from the clean label is bold, with the clean
    label in brackets below it, so that the figure does not rely on color. Neither pyplot nor other
    global state of matplotlib is used.

    Args:
        rows: Images and labels by name of the row. Images have shape ``(n, height, width)``,
            ``(n, 1, height, width)``, or ``(n, 3, height, width)``, labels have shape ``(n,)``.
        clean: The clean labels, integers of shape ``(n,)``.
        classes: Name of each class, in the order of the labels; by default, the labels are shown as
            numbers.
        limits: Values shown as black and white, the same for all rows; values outside are clipped.
            By default, 0 and 255 if any images are ``uint8``, otherwise 0 and 1. Floats in a figure
            with ``uint8`` images, such as those of ``GaussianPixels(dtype=)``, must have the same
            scale.
        title: Title of the figure; none by default.

    Returns:
        A figure with a width of 1.05 inches per image, plus 1.5 inches for the names of the rows.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        ValueError: If there are no rows, shapes do not match, a label is out of range, or the
            limits are not increasing.

    Example:
        >>> import corruptlab as cl
        >>> from torch.utils.data import Subset
        >>> few = Subset(cl.datasets.fashion_mnist_mini("train"), range(8))
        >>> noisy = cl.corrupt(few, cl.RandomLabels(), cl.ShuffledPixels(), seed=0)
        >>> figure = cl.plotting.examples(
        ...     {"as they are": cl.materialize(few), "corrupted": cl.materialize(noisy)},
        ...     clean=noisy.clean_targets,
        ... )
        >>> len(figure.axes)
        16

    Source: Zhang et al. 2017, §2.1 (the corruptions).
    """
    truth = np.asarray(clean)
    checked = _checked(rows, truth, classes, limits)
    figure = blank(
        width=_NAME + _INCH * len(truth),
        height=(_INCH + 0.35) * len(checked) + 0.4 * bool(title),
    )
    grid = figure.subplots(len(checked), len(truth), squeeze=False)
    for line, (name, row) in zip(grid, checked.items(), strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=10, color=INK)
        for axes, picture, new, old in zip(line, *row, truth, strict=True):
            _show(axes, picture)
            _label(axes, *(_named(int(label), classes) for label in (new, old)))
    headline(figure.axes[0], title)
    return figure


def _show(axes: "Axes", picture: NDArray[np.float64]) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(QUIET)


def _label(axes: "Axes", new: str, old: str) -> None:
    changed = new != old
    axes.set_title(new, y=-0.06, va="top", fontsize=8, color=INK, pad=0)
    if changed:
        axes.title.set_fontweight("bold")
        axes.set_xlabel(f"({old})", fontsize=8, color=QUIET, labelpad=13)
    else:
        axes.set_xlabel(" ", fontsize=8, labelpad=13)


def _named(label: int, classes: Sequence[str]) -> str:
    return classes[label] if classes else str(label)


def _checked(
    rows: Mapping[str, tuple[ArrayLike, ArrayLike]],
    clean: NDArray[np.int64],
    classes: Sequence[str],
    limits: tuple[float, float] | None,
) -> dict[str, _Row]:
    """Return the rows as they are drawn, or say what does not fit."""
    if not rows:
        raise ValueError("`rows` must hold at least one row, got none.")
    if clean.ndim != 1 or len(clean) == 0:
        raise ValueError(f"`clean` must have shape (n,), n >= 1, got {clean.shape}.")
    arrays = {
        name: (np.asarray(images), np.asarray(given)) for name, (images, given) in rows.items()
    }
    if limits is None:
        limits = (0, 255) if any(x.dtype == np.uint8 for x, _ in arrays.values()) else (0, 1)
    low, high = limits
    if not low < high:
        raise ValueError(f"`limits` must be in order, got {limits}.")
    for name, (images, given) in arrays.items():
        for labels in (clean, given):
            _check_labels(name, labels, len(clean), len(classes))
        _check_images(name, images, len(clean))
    return {
        name: _Row(_pictures((images.astype(np.float64) - low) / (high - low)), given)
        for name, (images, given) in arrays.items()
    }


def _check_images(name: str, images: NDArray[np.generic], n: int) -> None:
    channels = images.shape[1] if images.ndim == 4 else 1
    if images.ndim not in (3, 4) or len(images) != n or channels not in (1, 3):
        raise ValueError(
            f"`rows` must hold images of shape ({n}, height, width) or ({n}, 1 or 3, height, "
            f"width), got {images.shape} for {name!r}."
        )


def _check_labels(name: str, labels: NDArray[np.generic], n: int, num_classes: int) -> None:
    if labels.shape != (n,):
        raise ValueError(
            f"`rows` must hold a label for each of {n} images, got shape {labels.shape} "
            f"for {name!r}."
        )
    for label in labels:
        if num_classes and not 0 <= int(label) < num_classes:
            raise ValueError(
                f"`classes` must name every label, got {num_classes} names and label {label}."
            )


def _pictures(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return images in ``[0, 1]`` with their channels last, as matplotlib takes them."""
    shown = images.clip(0, 1)
    if shown.ndim == 3:
        return shown
    return shown[:, 0] if shown.shape[1] == 1 else np.moveaxis(shown, 1, -1)
