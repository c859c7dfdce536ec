"""Gaussian noise in place of images."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT, to_numpy
from corruptlab._checks import one_of, reals
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids
from corruptlab.corruptions._masked_noise import MaskedNoise
from corruptlab.corruptions._noise import checked_ids, put
from corruptlab.corruptions._pixel_noise import (
    Moment,
    Per,
    PixelNoise,
    Planes,
    check_together,
    moments_of,
)

# Small enough for words, table, and values to stay in the cache, which doubles the speed.
_VALUES_AT_ONCE = 1 << 17


@dataclass(frozen=True, kw_only=True, repr=False)
class GaussianPixels(MaskedNoise, PixelNoise):
    """Replace every value of every image by a Gaussian sample with the moments of the data.

    The samples depend on the seed and the example id, and are the same in every epoch. By default,
    integer images keep their dtype: samples are rounded and clipped to its range. This changes the
    moments of data with many values at the ends of the range (MNIST, with its black background:
    mean and standard deviation from 33.3 and 78.6 to 50.7 and 56.5). With ``dtype="float32"``,
    samples are neither rounded nor clipped. For a test set, pass the moments of the training set
    (in ``.corruptions`` of ``corrupt(train, ...)``) and different example ids
    (``corrupt(test, ..., ids=...)``); otherwise test example ``i`` equals training example ``i``.

    Args:
        mean: Mean of the samples, on the scale of the stored values; for ``per="channel"`` or
            ``"pixel"`` a tuple with one number per channel or value. None estimates it from the
            wrapped data set, in one pass.
        std: Standard deviation (not variance), in the same form.
        per: ``"overall"`` (default) uses one mean and standard deviation for the whole data set,
            ``"channel"`` one for each channel, and ``"pixel"`` one for each pixel and channel. The
            paper does not state which it used.
        channel_axis: Axis of one input that holds the channels. By default none for inputs of
            one or two dimensions, and for three the smaller of the first and last axis.
        where: Positions whose values are replaced, and from which the moments are estimated; the
            others keep their value. A mask of the shape of one input (array, tensor, or nested
            list of booleans), or the name or position of the field of the items that holds the
            mask of each input. None means all positions.
        keep: Values that are neither replaced nor counted in the moments, such as a code for
            missing data. A channel or pixel without any other value in the data has mean and
            standard deviation 0.
        dtype: Dtype of the samples, ``"float32"`` or ``"float64"``, without rounding and clipping.
            For byte inputs the samples are divided by 255, as recipes divide bytes, so that they
            have the scale of the other inputs. PIL images become channels-last arrays. By default
            the dtype of the input.

    Raises:
        TypeError: If ``where`` or ``keep`` has the wrong type.
        ValueError: If one of ``mean`` and ``std`` is given without the other, a number is not
            finite, ``std`` is negative, ``dtype`` or ``per`` is unknown or does not fit, or a mask
            holds other numbers than 0 and 1.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> noise = cl.GaussianPixels(mean=100.0, std=20.0)
        >>> noise.inputs(np.zeros((1, 2, 2), np.uint8), draws=cl.Draws(seed=0))
        array([[[118,  88],
                [ 81,  94]]], dtype=uint8)
        >>> bare = cl.GaussianPixels(mean=100.0, std=20.0, dtype="float32")
        >>> (bare.inputs(np.zeros((1, 2, 2), np.uint8), draws=cl.Draws(seed=0)) * 255).round(1)
        array([[[117.9,  87.9],
                [ 81.1,  93.9]]], dtype=float32)

    Source: Zhang et al. 2017, §2.1, "Gaussian".
    """

    mean: Moment | None = None
    std: Moment | None = None
    per: Per = "overall"
    channel_axis: int | None = None
    dtype: Literal["float32", "float64"] | None = None
    stream: ClassVar[str] = "gaussian_pixels"

    def __post_init__(self) -> None:
        MaskedNoise.__post_init__(self)
        PixelNoise.__post_init__(self)
        put(self, per=one_of("per", self.per, ("overall", "channel", "pixel")))
        if self.dtype is not None:
            put(self, dtype=one_of("dtype", self.dtype, ("float32", "float64")))
        check_together(self.mean, self.std)
        if self.mean is not None and self.std is not None:
            put(
                self,
                mean=_check_moment("mean", self.mean, self.per),
                std=_check_moment("std", self.std, self.per),
            )

    @property
    def is_estimated(self) -> bool:
        """Whether the moments are known."""
        return self.mean is not None

    def estimated(
        self, batches: Iterable[Array], *, where: Iterable[ArrayLike] | None = None
    ) -> "GaussianPixels":
        """Return the same corruption with the moments of the data.

        Args:
            batches: Batches of inputs, each of shape ``(n, ...)``, read once.
            where: Masks of each batch if the corruption names their field.

        Returns:
            A corruption with ``mean`` and ``std`` filled in, exact for integer images.

        Raises:
            ValueError: If there is no data, a value is not finite, or masks do not fit.
        """
        mean, std = moments_of(self._with_free(batches, where), self.per, self.channel_axis)
        return replace(self, mean=mean, std=std)

    def inputs(
        self,
        clean: ArrayT,
        *,
        draws: Draws,
        ids: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> ArrayT:
        """Return the corrupted inputs.

        Args:
            clean: Batch of inputs, shape ``(n, ...)``, array or tensor of any type.
            draws: Random numbers, which depend on a seed; see `Draws`.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.
            where: Masks of the shape of ``clean`` if the corruption names their field.

        Returns:
            Inputs of the same type and shape as ``clean``, and of its dtype unless ``dtype`` is
            given.

        Raises:
            ValueError: If the moments are unknown, the channel axis is ambiguous, or ``ids``,
                ``where``, or the moments do not fit.
        """
        numbers = checked_ids(ids, len(clean))
        free = self._free(to_numpy(clean), where)

        def noisy(planes: Planes) -> Array:
            drawn = self._drawn(planes.values, numbers, draws)
            if free is not None:
                _keep(planes.values, ~planes.like(free), drawn, self._scale(planes.values))
            return drawn

        return self._on_planes(clean, noisy)

    def _scale(self, planes: Array) -> int:
        """Return what values are divided by, where floats take the place of bytes."""
        return 255 if self.dtype is not None and planes.dtype == np.uint8 else 1

    def _drawn(self, planes: Array, ids: Ids, draws: Draws) -> Array:
        if self.mean is None or self.std is None:
            raise ValueError(
                "`mean` and `std` must be known before inputs are drawn, got None; "
                "give them, or estimate them with `estimated(batches)`."
            )
        _, channels, pixels = planes.shape
        size = channels * pixels
        std = _broadcast_moment("std", self.std, self.per, channels, pixels)
        mean = _broadcast_moment("mean", self.mean, self.per, channels, pixels)
        dtype = planes.dtype if self.dtype is None else np.dtype(self.dtype)
        scale = self._scale(planes)
        drawn = np.empty(planes.shape, dtype)
        rows = max(1, _VALUES_AT_ONCE // size)
        for start in range(0, len(ids), rows):
            some = slice(start, start + rows)
            z = draws.normals("gaussian_pixels/values", ids[some], size)
            z = z.reshape(-1, channels, pixels)
            z *= std
            z += mean
            if scale != 1:
                z /= scale
            drawn[some] = _as_type(z, dtype)
        return drawn


def _keep(clean: Array, kept: NDArray[np.bool_], drawn: Array, scale: int) -> None:
    """Put the values that stay in place of the drawn ones."""
    stays = np.broadcast_to(kept, drawn.shape)
    drawn[stays] = clean[stays] if scale == 1 else clean[stays].astype(drawn.dtype) / scale


def _check_moment(name: str, moment: Moment, per: Per) -> Moment:
    values = reals(name, moment)
    if values.ndim != (0 if per == "overall" else 1):
        kind = "one number" if per == "overall" else f"one number for each {per}"
        raise ValueError(f"`{name}` must be {kind} for per={per!r}, got {moment!r}.")
    if not np.isfinite(values).all() or (name == "std" and (values < 0).any()):
        kind = "finite and at least 0" if name == "std" else "finite"
        raise ValueError(f"`{name}` must be {kind}, got {moment!r}.")
    return float(values) if values.ndim == 0 else tuple(values.tolist())


def _broadcast_moment(name: str, moment: Moment, per: Per, channels: int, pixels: int) -> Array:
    """Return a moment in a shape that broadcasts over ``(n, channels, pixels)``."""
    values = np.asarray(moment, np.float32)
    if per == "overall":
        return values
    shape = (channels, 1) if per == "channel" else (channels, pixels)
    if values.size != shape[0] * shape[1]:
        raise ValueError(
            f"`{name}` must hold {shape[0] * shape[1]} numbers for per={per!r} "
            f"and these inputs, got {values.size}."
        )
    return values.reshape(shape)


def _as_type(values: Array, dtype: np.dtype) -> Array:
    if dtype.kind not in "iu":
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    np.rint(values, out=values)
    return np.clip(values, limits.min, limits.max, out=values).astype(dtype)
