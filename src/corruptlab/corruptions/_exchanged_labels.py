"""Labels exchanged among the examples."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from corruptlab._draws import Draws
from corruptlab._types import Ids, Labels
from corruptlab.corruptions._noise import LabelNoise


@dataclass(frozen=True, repr=False)
class ExchangedLabels(LabelNoise):
    """Permute the labels among the examples: every class keeps its exact count.

    This is the null hypothesis of a permutation test: inputs and labels keep their distributions,
    and only their pairing is random. The permutation involves all examples, so permuting a
    ``Subset`` is not the same as taking a subset of permuted labels.

    Example:
        >>> import numpy as np
        >>> import corruptlab as cl
        >>> clean = np.array([0, 0, 1, 1, 2, 2])
        >>> cl.ExchangedLabels().labels(clean, num_classes=3, draws=cl.Draws(seed=0))
        array([0, 0, 1, 2, 2, 1])

    Source: Ojala and Garriga 2010, "Permutation tests for studying classifier performance", §3.1.
    """

    stream: ClassVar[str] = "exchanged_labels"

    def _noisy(self, clean: Labels, num_classes: int, ids: Ids, draws: Draws) -> Labels:
        words = draws.words("exchanged_labels/order", ids)[:, 0]
        return clean[np.argsort(words, kind="stable")]
