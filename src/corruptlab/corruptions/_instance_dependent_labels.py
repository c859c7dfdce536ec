"""Label noise that depends on the input."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import ArrayT, like, to_numpy
from corruptlab._checks import probability, reals
from corruptlab._draws import Draws
from corruptlab._types import Array, Ids, Labels
from corruptlab.corruptions import _noise, _pixel_noise

_SPREAD = 0.1  # of the flip rates around their mean, as in the paper
_LARGEST = 1 << 30  # bytes that the projections may take
_PROJECTIONS = 128  # that are kept, one a class


@dataclass(frozen=True, kw_only=True, repr=False)
class InstanceDependentLabels:
    """Flip labels with probabilities that depend on the input: part-dependent noise.

    Example ``i`` flips with probability ``q_i``, drawn from N(rate, 0.1^2) truncated to [0, 1],
    and moves to class ``j`` with probability ``q_i softmax(a)_j``, where ``a = x_i^T W[y_i]``
    without the entry of its own class, and ``W`` contains standard normal numbers, shape
    ``(K, d, K)``. The mean of ``q`` exceeds a small rate (0.1 gives 0.129). No model is required.

    The input ``x`` is flattened and *normalized per channel*, ``(value - mean) / std``, with the
    moments of the wrapped data set or given ones; published label files differ in their
    normalization. Products are summed in float64, so that rounding, which may differ between
    machines, hardly ever changes a label.

    Args:
        rate: Mean of the flip rates before truncation, in ``[0, 1]``.
        mean: Mean of the inputs for each channel, on the scale of the stored values; None:
            estimated from the data set that is wrapped.
        std: Standard deviation, positive, in the same form.
        channel_axis: Axis of one input that holds the channels. By default none for inputs of
            one or two dimensions, and for three the smaller of the first and last axis.

    Raises:
        ValueError: If ``rate`` is out of range, or one of ``mean`` and ``std`` is missing or wrong.

    Example:
        >>> import corruptlab as cl
        >>> train = cl.datasets.fashion_mnist_mini("train")
        >>> cl.corrupt(train, cl.InstanceDependentLabels(rate=0.4), seed=0).realized_rate
        0.3945

    Source: Xia et al. 2020, "Part-dependent label noise", Algorithm 2.
    """

    rate: float
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_axis: int | None = None
    stream: ClassVar[str] = "instance_dependent_labels"

    def __repr__(self) -> str:
        return _noise.short_repr(self)

    def __post_init__(self) -> None:
        _noise.put(
            self,
            rate=probability("rate", self.rate),
            channel_axis=_pixel_noise.checked_axis(self.channel_axis),
        )
        _pixel_noise.check_together(self.mean, self.std)
        if self.mean is not None and self.std is not None:
            _noise.put(
                self, mean=_check_moment("mean", self.mean), std=_check_moment("std", self.std)
            )

    @property
    def is_estimated(self) -> bool:
        """Whether the moments are known."""
        return self.mean is not None

    def estimated(self, batches: Iterable[Array]) -> "InstanceDependentLabels":
        """Return the same corruption with the moments of the data, one pair for each channel.

        Args:
            batches: Batches of inputs, each of shape ``(n, ...)``, read once.

        Returns:
            A corruption with ``mean`` and ``std`` filled in.
        """
        mean, std = _pixel_noise.moments_of(
            ((to_numpy(batch), None) for batch in batches), "channel", self.channel_axis
        )
        return replace(self, mean=_check_moment("mean", mean), std=_check_moment("std", std))

    def labels_for(
        self,
        inputs: Array,
        clean: ArrayT,
        *,
        num_classes: int,
        draws: Draws,
        ids: ArrayLike | None = None,
    ) -> ArrayT:
        """Return the noisy labels.

        Args:
            inputs: Inputs, shape ``(n, ...)``.
            clean: Labels in ``0 .. num_classes - 1``, shape ``(n,)``, array or tensor of integers.
            num_classes: Number of classes, at least 2.
            draws: Random numbers, which depend on a seed; see `Draws`.
            ids: Example numbers, shape ``(n,)``; ``0 .. n - 1`` if not given.

        Returns:
            Labels of the same type, dtype, and shape as ``clean``.

        Raises:
            ValueError: If lengths or channels do not fit, or the projections need over 1 GiB.
        """
        y = _noise.checked_labels(clean, num_classes)
        ids = _noise.checked_ids(ids, len(y))
        law = self.probabilities(inputs, y, num_classes=num_classes, draws=draws, ids=ids)
        u = draws.uniform("instance_dependent_labels/class", ids)
        steps = np.cumsum(law, axis=1)
        return like(clean, (u[:, None] * steps[:, -1:] >= steps).sum(axis=1))

    def probabilities(
        self, inputs: Array, clean: Labels, *, num_classes: int, draws: Draws, ids: Ids
    ) -> NDArray[np.float64]:
        """Return the law of each new label.

        Args:
            inputs: Inputs, shape ``(n, ...)``.
            clean: Labels, shape ``(n,)``.
            num_classes: Number of classes ``K``, at least 2.
            draws: Random numbers, which depend on a seed; see `Draws`.
            ids: Example numbers, shape ``(n,)``.

        Returns:
            ``float64`` of shape ``(n, K)``; rows sum to 1.

        Raises:
            ValueError: If lengths or channels do not fit, or the projections need over 1 GiB.
        """
        num_classes = _noise.check_num_classes(num_classes, least=2)
        x = self._normalized(inputs, len(clean))
        _check_room(x.shape[1], num_classes)
        scores = np.empty((len(x), num_classes))
        for c in np.unique(clean):
            members = clean == c
            scores[members] = x[members] @ _projection(draws, int(c), x.shape[1], num_classes)
            scores[members, c] = -np.inf
        q = self._flip_rates(draws, ids)
        law: NDArray[np.float64] = q[:, None] * scipy.special.softmax(scores, axis=1)
        law[np.arange(len(x)), clean] = 1 - q
        return law

    def _flip_rates(self, draws: Draws, ids: Ids) -> NDArray[np.float64]:
        """Draw from the truncated normal law by inversion of its distribution function."""
        low, high = scipy.special.ndtr([-self.rate / _SPREAD, (1 - self.rate) / _SPREAD])
        u = draws.uniform("instance_dependent_labels/rate", ids)
        q = self.rate + _SPREAD * scipy.special.ndtri(low + u * (high - low))
        return np.clip(np.asarray(q, np.float64), 0.0, 1.0)

    def _normalized(self, inputs: Array, n: int) -> NDArray[np.float64]:
        if self.mean is None or self.std is None:
            raise ValueError(
                "`mean` and `std` must be known before labels are drawn, got None; "
                "give them, or estimate them with `estimated(batches)`."
            )
        planes = _pixel_noise.Planes.of(to_numpy(inputs), self.channel_axis).values
        if len(planes) != n:
            raise ValueError(f"`inputs` must hold {n} examples, got {len(planes)}.")
        if planes.shape[1] != len(self.mean):
            raise ValueError(
                f"`mean` must hold {planes.shape[1]} numbers, one for each channel, "
                f"got {len(self.mean)}."
            )
        mean, std = np.array(self.mean)[:, None], np.array(self.std)[:, None]
        x: NDArray[np.float64] = (planes - mean) / std
        if not np.isfinite(x).all():
            raise ValueError("`inputs` must be finite, got NaN or infinity.")
        return x.reshape(n, -1)


def _check_room(d: int, num_classes: int) -> None:
    """Refuse what needs projections of more than 1 GiB."""
    if 8 * d * num_classes * min(num_classes, _PROJECTIONS) > _LARGEST:
        raise ValueError(
            f"`inputs` must be small enough for projections of 1 GiB, got {d} values an example "
            f"and {num_classes} classes; scale the images down first."
        )


@lru_cache(maxsize=_PROJECTIONS)
def _projection(draws: Draws, c: int, d: int, num_classes: int) -> NDArray[np.float64]:
    """Return ``W[c]``, shape ``(d, num_classes)``."""
    normals = draws.normals("instance_dependent_labels/projection", [c], d * num_classes)
    return normals.reshape(d, num_classes).astype(np.float64)


def _check_moment(name: str, moment: _pixel_noise.Moment) -> tuple[float, ...]:
    values = np.atleast_1d(reals(name, moment))
    good = np.isfinite(values).all() and (name == "mean" or bool((values > 0).all()))
    if values.ndim != 1 or not good:
        kind = "finite and above 0" if name == "std" else "finite"
        raise ValueError(f"`{name}` must be {kind} for each channel, got {moment!r}.")
    return tuple(values.tolist())
