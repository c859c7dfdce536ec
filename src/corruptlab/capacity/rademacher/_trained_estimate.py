"""The estimate that comes from training: what it holds beside that of a closed form."""

from dataclasses import dataclass

from corruptlab.capacity.rademacher._estimate import Estimate
from corruptlab.training import Recipe


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainedEstimate(Estimate):
    """The mean over draws of what networks reach when they are trained on random signs.

    Every draw is at most the supremum over all weights, so the mean estimates a *lower bound* on
    the complexity: the one that this recipe reaches. It has no ``scale``, for nothing
    limits how far one sign moves the result of a training, and so no interval but Student's and
    no `Estimate.upper_limit`; no theorem that wants an upper bound takes it.

    Attributes:
        num_classes: Number K of classes; 2 for signs.
        recipe: The hyper-parameters.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import rademacher
        >>> recipe = cl.Recipe(learning_rate=1.0, epochs=50, whiten=False)
        >>> found = rademacher.network(torch.nn.Linear(3, 2), torch.eye(3), recipe=recipe, draws=5)
        >>> found.num_classes, found.scale, found.value
        (2, None, 1.0)
    """

    num_classes: int
    recipe: Recipe
