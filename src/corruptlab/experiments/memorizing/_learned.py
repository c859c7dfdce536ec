"""Learners as training functions that a memorization report can call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from corruptlab import _learners
from corruptlab._checks import instance, natural
from corruptlab._data import Provenance
from corruptlab._modules import copied, network_of
from corruptlab._random_state import preserve_rng_state, seeded_generators
from corruptlab._types import Labels
from corruptlab.corruptions import Corrupted, GivenLabels, corrupt
from corruptlab.experiments.memorizing._meter import MemorizationMeter
from corruptlab.training import Recipe, fit, stopping


@dataclass(frozen=True)
class TrainFunction:
    """What to call, with what name, and the data set that canaries are planted in."""

    function: Callable[[Corrupted, MemorizationMeter], Any]
    name: str
    data: Any
    num_classes: int | None
    keys: dict[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None


def train_function_of(
    learner: Any,
    train: Any,
    recipe: Recipe | None,
    num_classes: int | None,
    keys: dict[str, Any],
    *,
    seed: int,
) -> TrainFunction:
    """Return a network, an estimator, or a function of either kind as a training function."""
    if recipe is not None:
        if _learners.is_learner(learner):
            raise ValueError(
                "`recipe` must be left out unless `train_function` is a torch.nn.Module or makes "
                f"one, got {recipe!r}."
            )
        network = network_of(learner, seed=seed)
        function = _fitting(network, instance("recipe", recipe, Recipe), seed)
        return TrainFunction(function, type(network).__name__, train, num_classes, keys, recipe)
    if _learners.is_learner(learner) or isinstance(learner, nn.Module):
        own = _learners.trainable(learner)
        return _learning(own, train, num_classes, keys, natural("seed", seed))
    if not callable(learner):
        raise TypeError(
            "`train_function` must be a function of a data set and `epoch_end` that returns a "
            "predictor, an estimator, or a torch.nn.Module with a recipe, "
            f"got {type(learner).__name__}."
        )
    name = getattr(learner, "__name__", type(learner).__name__)
    return TrainFunction(learner, name, train, num_classes, keys)


def _fitting(
    model: nn.Module, recipe: Recipe, seed: int
) -> Callable[[Corrupted, MemorizationMeter], Any]:
    def fitted(dataset: Corrupted, epoch_end: MemorizationMeter) -> nn.Module:
        network = copied(model)
        rules = epoch_end.rule(network), stopping.interpolated()
        report = fit(network, dataset, recipe=recipe, stop=rules, measure="loss", seed=seed)
        if report.stopped_by == "interrupted":
            raise KeyboardInterrupt
        return network

    return fitted


def _learning(
    learner: _learners.Trainable,
    train: Any,
    num_classes: int | None,
    keys: dict[str, Any],
    seed: int,
) -> TrainFunction:
    """Plant canaries among the positions of the examples; the learner gets what stands there."""
    with seeded_generators(seed % 2**32):  # what random transforms draw
        rows, labels, known = _learners.read_examples(train, "train", **keys)
        rows = learner.rows(rows)
    targets = _learners.code(
        labels, "train", numbers=learner.numbers, num_classes=num_classes, known=known
    )
    if targets.are_numbers:
        raise TypeError(
            "`train_function` must learn classes, as canaries have random ones, "
            "got a learner of real-valued targets."
        )
    data = _positions(targets, known, seed)

    def learned(dataset: Corrupted, epoch_end: MemorizationMeter) -> Callable[[Any], Labels]:
        at = dataset.inputs_at(np.arange(len(dataset)))[:, 0]
        given = _learners.LabelledData(rows, at, dataset.targets, targets)
        with preserve_rng_state():
            answers = learner.trained(given, targets, seed=seed)

        def predict(positions: Any) -> Labels:
            found = _learners.predicted(answers, rows, positions[:, 0].numpy(), "classes")
            return found.numpy()

        return predict

    return TrainFunction(learned, learner.name, data, None)


def _positions(targets: _learners.Targets, known: Provenance | None, seed: int) -> Corrupted:
    """Return the positions of examples as inputs, with what is known of noise in their labels."""
    at, codes, k = np.arange(len(targets.codes))[:, None], targets.codes, len(targets.values)
    if known is None or (codes != known.targets).any():  # names beyond all outputs are renumbered
        return corrupt((at, codes), num_classes=k, seed=seed)
    clean = corrupt((at, known.clean_targets), num_classes=k, ids=known.ids, seed=seed)
    if (codes == known.clean_targets).all():
        return clean
    return corrupt(clean, GivenLabels(codes, ids=known.ids), seed=seed)
