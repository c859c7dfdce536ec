"""Train a network on a data set until it interpolates."""

import math
from typing import Any

import torch
from torch import nn

from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._progress import Progress
from corruptlab._types import MapDataset
from corruptlab.training._accuracy import FullPass
from corruptlab.training._checks import check_outputs, resolve_device
from corruptlab.training._examples import Examples, load_examples
from corruptlab.training._modes import kept_modes, own_generators
from corruptlab.training._recipe import Recipe
from corruptlab.training._report import FitReport, StoppedBy
from corruptlab.training._training import Training


def fit(
    model: nn.Module,
    train: MapDataset[Any],
    test: MapDataset[Any] | None = None,
    *,
    recipe: Recipe,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = False,
    name: str = "",
) -> FitReport:
    """Train ``model``, in place, until every training example is right or the epochs are over.

    The data are read once, moved to the device once, and cropped and whitened there once. Each
    epoch visits the examples in the order `Draws` gives for ``(seed, epoch)``. Interpolation is
    judged at the end of an epoch by a pass over *all* training examples in evaluation mode, which
    gives up at the first error and so is nearly free until it succeeds.

    On the CPU the same seed gives the same bits, those of a plain loop with ``torch.optim.SGD``;
    on a GPU only as far as its kernels are deterministic. Ctrl-C ends the training and returns
    the report of the network as it stands (while the data are still being read there is
    nothing to report, and ``KeyboardInterrupt`` passes through).

    Args:
        model: Any network that gives one row of class scores for an input. It stays on ``device``;
            each layer is put back into the mode, training or evaluation, it was in.
        train: Map-style data set of (input, integer label) items of one shape, at least one.
        test: The same for the test accuracy, which is measured once, at the end.
        recipe: The hyper-parameters.
        seed: Decides the data order and what layers such as dropout draw; any integer >= 0. The
            initial weights are those ``model`` comes with.
        device: Where to train; None for where the network is.
        progress: Whether to show progress on standard error.
        name: What to call this fit in its report and progress line.

    Returns:
        What happened; see `FitReport`.

    Raises:
        TypeError: If an input, a label, or an argument is of a wrong kind.
        ValueError: If a data set is empty, an input is not finite, a label has no output, or
            the recipe's crop, the network, or the device does not suit.
        NonFiniteLossError: If the loss becomes infinite or not a number.

    Example:
        >>> import torch
        >>> from corruptlab import Recipe, fit
        >>> inputs = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> corners = torch.utils.data.TensorDataset(inputs, torch.tensor([0, 1]))
        >>> recipe = Recipe(learning_rate=1.0, epochs=50)
        >>> report = fit(torch.nn.Linear(2, 2), corners, recipe=recipe)
        >>> report.stopped_by, report.train_accuracy
        ('interpolated', 1.0)

    Source: Zhang et al. 2017, §2.1 and App. A.
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a Recipe, got {type(recipe).__name__}.")
    Draws(seed)  # an unfit seed shall not cost the time to read the data
    place = resolve_device(model, device)
    learned = load_examples(train, "train", recipe=recipe, device=place, progress=progress)
    unseen = None
    if test is not None:
        unseen = load_examples(test, "test", recipe=recipe, device=place, progress=progress)
    model.to(place)
    with own_generators(seed, place), kept_modes(model):
        check_outputs(model, learned, unseen)
        training = Training(model, learned, recipe=recipe, seed=seed)
        with Progress(training.steps_at_most, name or "fit", show=progress) as line:
            try:
                stopped_by: StoppedBy = training.run(line)
                on_train, on_test = _measure(training, unseen)
            except KeyboardInterrupt:  # a second one, during these passes, ends the fit for good
                stopped_by = "interrupted"
                on_train, on_test = _measure(training, unseen)
    steps, seconds = training.log.steps, training.seconds
    reached = training.interpolated is not None
    return FitReport(
        name=name,
        stopped_by=stopped_by,
        epochs=training.epochs,
        steps=steps,
        seconds=seconds,
        seconds_per_epoch=training.seconds_per_epoch,
        steps_to_interpolation=steps if reached else None,
        seconds_to_interpolation=seconds if reached else None,
        train_accuracy=on_train.accuracy,
        test_accuracy=None if on_test is None else on_test.accuracy,
        train_loss=on_train.loss,
        losses=tuple(training.log.since(0)),
        recipe=recipe,
        seed=seed,
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        environment=Environment.here(place),
    )


def _measure(training: Training, unseen: Examples | None) -> tuple[FullPass, FullPass | None]:
    training.log.check()  # an interrupted epoch may end in losses that nobody has looked at
    on_train = training.interpolated or training.measure(training.examples)
    if not math.isfinite(on_train.loss):
        raise training.log.error(training.log.steps + 1, on_train.loss)
    return on_train, None if unseen is None else training.measure(unseen)
