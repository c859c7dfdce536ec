"""Polynomial margin diminishing noise: labels flip where classes are hard to tell apart."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corruptlab._arrays import to_numpy
from corruptlab._checks import one_of
from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._noise import FrozenArray, LabelNoise, put

_SUM_TOLERANCE = 1e-4  # probabilities often come from a float32 softmax


@dataclass(frozen=True, init=False, repr=False)
class PMDLabels(LabelNoise):
    """Move labels from the most likely class to the second most likely if both are close.

    With ``u`` and ``s`` the two most likely classes of an example and ``m = eta_u - eta_s``, a
    label equal to ``u`` becomes ``s`` with probability ``tau``; other labels stay.

    ==== ==============================
    kind tau
    ==== ==============================
    I    ``(1 - m^2) / 2``
    II   ``1 - m^3``
    III  ``1 - (m^3 + m^2 + m) / 3``
    ==== ==============================

    Args:
        eta: Class probabilities of the examples, shape ``(N, K)``, rows sum to 1 (within 1e-4),
            from your own model; row ``i`` belongs to the example with id ``i``.
        kind: Name of the polynomial.

    Raises:
        ValueError: If ``eta`` has another shape or does not contain probabilities, or ``kind`` is
            unknown.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> eta = np.array([[0.5, 0.5], [1.0, 0.0]])
        >>> noise = cl.PMDLabels(eta, kind="II")
        >>> noise.labels(np.array([0, 0]), num_classes=2, draws=cl.Draws(seed=0))
        array([1, 0])

    Source: Zhang et al. 2021, "Learning with feature-dependent label noise: a progressive
    approach", §4.1.
    """

    eta: FrozenArray
    kind: Literal["I", "II", "III"]
    stream: ClassVar[str] = "pmd_labels"

    def __init__(self, eta: ArrayLike, *, kind: Literal["I", "II", "III"]) -> None:
        kind = one_of("kind", kind, ("I", "II", "III"))
        put(self, eta=FrozenArray(_checked_eta(eta)), kind=kind)

    def flip_rates(self, ids: Ids) -> tuple[Labels, Labels, NDArray[np.float64]]:
        """Return the most and the second most likely class, and ``tau``, of some examples.

        Args:
            ids: Example numbers, shape ``(n,)``.

        Returns:
            ``u``, ``s``, and ``tau``, each of shape ``(n,)``. Equal probabilities rank by class.

        Raises:
            ValueError: If there are no probabilities for an example.
        """
        eta = self.eta.array
        if len(ids) and int(ids.max()) >= len(eta):
            raise ValueError(
                f"`eta` must have a row for every example, got {len(eta)} rows "
                f"and example {ids.max()}."
            )
        rows = eta[ids]
        order = np.argsort(-rows, axis=1, kind="stable")
        u, s = order[:, 0], order[:, 1]
        at = np.arange(len(ids))
        m = rows[at, u] - rows[at, s]
        tau = {
            "I": lambda: 0.5 - 0.5 * m**2,
            "II": lambda: 1 - m**3,
            "III": lambda: 1 - (m**3 + m**2 + m) / 3,
        }[self.kind]()
        return u, s, tau

    def check_size(self, size: int) -> None:
        """Check that there are not more rows than examples.

        Args:
            size: Number of examples.

        Raises:
            ValueError: If there are more rows than examples.
        """
        if len(self.eta.array) > size:
            raise ValueError(
                f"`eta` must have a row for each example of `dataset`, got {len(self.eta.array)} "
                f"rows and {size} examples; for a part of a data set use a Subset of it."
            )

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        if self.eta.array.shape[1] != num_classes:
            raise ValueError(
                f"`eta` must have {num_classes} columns, one for each class, "
                f"got {self.eta.array.shape[1]}."
            )
        u, s, tau = self.flip_rates(ids)
        flipped = (clean == u) & (draws.uniform("pmd_labels/flip", ids) < tau)
        return np.where(flipped, s, clean)


def _checked_eta(eta: ArrayLike) -> NDArray[np.float64]:
    values = to_numpy(eta).astype(np.float64)  # type: ignore[arg-type]  # lists are welcome too
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 2:
        raise ValueError(
            "`eta` must hold a row of class probabilities for each example, "
            f"got shape {values.shape}."
        )
    bad = ~((values >= 0) & (values <= 1)).all(axis=1)
    bad |= ~(np.abs(values.sum(axis=1) - 1) <= _SUM_TOLERANCE)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"`eta` must have rows of probabilities that sum to 1, got {values[row]} in row {row}."
        )
    return values
