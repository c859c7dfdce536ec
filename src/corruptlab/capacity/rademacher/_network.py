"""Networks, by training them on random signs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from corruptlab._arrays import Rows, read_inputs
from corruptlab._checks import at_least
from corruptlab._draws import Draws
from corruptlab._modules import ModelSource
from corruptlab.capacity import _replicas
from corruptlab.capacity.rademacher._estimate import Estimate, MonteCarlo
from corruptlab.training import Recipe


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainedEstimate(Estimate, kind="trained_rademacher_estimate"):
    """Estimated lower bound on a Rademacher complexity, by training; returned by `network`.

    The value of each draw is at most the supremum over all weights. The mean therefore estimates a
    *lower bound* on the complexity, the one that the recipe attains. There is no ``scale``, because
    the effect of one sign on the result of training is not bounded. The t-interval is therefore the
    only interval, there is no `Estimate.upper_limit`, and functions that need an upper bound reject
    this estimate.

    Attributes:
        num_classes: Number K of classes; 2 for signs.
        recipe: Hyper-parameters.

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


def network(
    model: ModelSource | Sequence[nn.Module],
    inputs: Rows,
    *,
    recipe: Recipe,
    num_classes: int = 2,
    draws: int = 20,
    seed: int = 0,
    confidence: float = 0.95,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> TrainedEstimate:
    """Estimate a lower bound on the Rademacher complexity by training on random signs.

    Each draw of signs trains one replica. Its value is ``(1/n) sum_i sigma_i sign h(x_i)`` for the
    trained network, where ``sign h`` is +1 if the second output is the largest, over all n inputs
    in evaluation mode. This is at most the supremum over all weights, so the mean over draws
    estimates a *lower bound* on the complexity of the network's classifiers, the one that the
    recipe attains from these initial weights. A value near 1 makes bounds based on Rademacher
    complexity vacuous; a small value may be due to the optimizer.

    With K > 2 classes, labels are drawn uniformly, and the value of a draw is the mean of
    ``(K 1[h(x_i) = y_i] - 1) / (K - 1)``: 1 if all labels are fitted, and 0 in expectation for
    functions that do not depend on the labels. For K = 2 this is the correlation with signs. In
    both cases it equals ``(K accuracy - 1) / (K - 1)``.

    The signs are those of the other estimates with the same seed. For K > 2 classes, example i has
    the label ``Draws(seed).integers("rademacher/classes/{t}", [i], K)`` in draw t. All replicas
    process the examples in the same order.

    Args:
        model: A network with ``num_classes`` outputs, whose weights are the initial weights of
            every replica; a function without arguments that returns one; or a sequence of ``draws``
            networks. Networks are copied.
        inputs: Stored inputs, shape ``(n, ...)``; the recipe crops and whitens them.
        recipe: Hyper-parameters. Augmentation and weight decay make signs harder to fit.
        num_classes: Number K of classes, >= 2.
        draws: Number of random sign vectors, >= 2; each trains one network.
        seed: Seed of the labels and the data order; any integer >= 0.
        confidence: Level of the t-interval, in ``(0, 1)``.
        device: Device of the training; None for the device of the network.
        progress: Whether to show progress on standard error.

    Returns:
        The estimate. ``sups`` contains the value of each draw; there are no bounds and no scale.
        After Ctrl-C, the estimate of the finished groups of replicas (at most 256 each); before the
        first group is finished, KeyboardInterrupt is raised.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If there are no inputs, the network does not accept them or has another number
            of outputs, or an option is out of range.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number.

    Example:
        >>> import corruptlab as cl
        >>> from corruptlab.capacity import rademacher
        >>> images = cl.datasets.fashion_mnist_mini("train").images[:50]
        >>> model = cl.mlp(64, input_shape=(1, 28, 28), num_classes=2)
        >>> recipe = cl.Recipe(learning_rate=0.1, epochs=50)
        >>> rademacher.network(model, images, recipe=recipe, draws=3)
        Estimate(Rademacher complexity of Sequential with 50,370 parameters, lower bound reached by
        training: 1, 95% t-interval [1, 1], bounds [unknown, unknown]; n=50, draws=3, seed=0,
        convention='zhang')

    Source: Zhang et al. 2017, §2.2.
    """
    plan = MonteCarlo(
        draws=draws, seed=seed, convention="zhang", gaussian=False, confidence=confidence
    )
    classes = at_least(2, "num_classes", num_classes)
    examples = read_inputs(inputs)
    procedure = _replicas.Procedure.of(
        model,
        examples,
        recipe=recipe,
        seed=plan.seed,
        device=device,
        progress=progress,
        replicas=plan.draws,
    )
    if procedure.num_classes != classes:
        raise ValueError(
            f"`num_classes` must be {procedure.num_classes}, the outputs of `model`, got "
            f"{classes}; random signs need a network with 2 outputs."
        )
    labels = _labels(plan, len(examples), classes)
    accuracies = procedure.measure(
        lambda replicas: replicas.train_accuracy, examples, labels, least=2
    )
    reached: list[float] = ((classes * accuracies - 1) / (classes - 1)).tolist()
    return TrainedEstimate(
        name=(
            f"{type(procedure.first_model).__name__} with {procedure.parameters:,} parameters"
            f"{'' if classes == 2 else f' on {classes} classes'}, lower bound reached by training"
        ),
        sups=tuple(reached),
        scale=None,
        lower_bound=None,
        upper_bound=None,
        n=len(examples),
        convention="zhang",
        gaussian=False,
        symmetric=classes == 2,  # exchange the outputs; of classes there is no absolute value
        confidence=float(confidence),
        seed=plan.seed,
        environment=procedure.environment,
        num_classes=classes,
        recipe=procedure.recipe,
    )


def _labels(plan: MonteCarlo, n: int, classes: int) -> Tensor:
    """Return the labels of each draw, ``int64``, shape ``(draws, n)``; of two, 1 means +1."""
    if classes == 2:
        return (plan.weights.rows(0, n).T > 0).long()
    draws, ids = Draws(plan.seed), np.arange(n)
    rows = [draws.integers(f"rademacher/classes/{t}", ids, classes) for t in range(plan.draws)]
    return torch.from_numpy(np.stack(rows))
