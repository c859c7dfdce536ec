"""What a diagnosis needs to know of a fit."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.modules.dropout import _DropoutNd

from corruptlab._random_state import seeded_generators
from corruptlab._types import MapDataset
from corruptlab.corruptions import served_labels
from corruptlab.training._accuracy import FullPass
from corruptlab.training._diagnosis import diagnose
from corruptlab.training._diagnosis_cause import Cause
from corruptlab.training._diagnosis_facts import Facts
from corruptlab.training._resident import Resident
from corruptlab.training._source import spots
from corruptlab.training._training import Training


def causes(
    training: Training, dataset: MapDataset[Any], *, found: FullPass, stopped_by: str
) -> tuple[Cause, ...]:
    """Return the known reasons why a fit did not interpolate its training set.

    Args:
        training: The fit, at its end.
        dataset: The training set as the user gave it; a few labels are read from it again.
        found: What the last pass over the training examples found.
        stopped_by: Why the fit ended.

    Returns:
        The reasons; empty if every example is right, or the labels of a stream are not known.
    """
    plan, targets = training.plan, training.plan.train.targets
    if found.accuracy == 1 or targets is None:
        return ()
    recipe = plan.recipe
    resident = isinstance(plan.train, Resident)
    facts = Facts(
        losses=training.log.since(0),
        targets=targets.cpu(),
        train_accuracy=found.accuracy,
        stopped_by=stopped_by,
        steps_per_epoch=training.steps_per_epoch,
        batch_size=recipe.batch_size,
        num_parameters=sum(p.numel() for p in training.model.parameters() if p.requires_grad),
        learning_rate=recipe.learning_rate,
        decay=recipe.decay,
        inputs=_inputs(training),
        momentum=_momentum(training.optimizer),
        weight_decay=float(training.optimizer.param_groups[0].get("weight_decay", 0.0)),
        dropout=[m.p for m in training.model.modules() if isinstance(m, _DropoutNd)],
        augmentation=_augmentation(training),
        cross_entropy=plan.loss is cross_entropy,
        labels_again=_labels_again(dataset, training),
        streamed=not resident,
    )
    return diagnose(facts)


def _inputs(training: Training) -> Tensor | None:
    """Return all inputs as the network sees them, unless they are never together."""
    source = training.plan.train
    if not isinstance(source, Resident) or training.plan.recipe.augmentation is not None:
        return None
    return source.inputs.cpu()


def _momentum(optimizer: torch.optim.Optimizer) -> float | None:
    if isinstance(optimizer, torch.optim.SGD):
        return float(optimizer.param_groups[0]["momentum"])
    return 0.0 if isinstance(optimizer, torch.optim.AdamW) else None


def _augmentation(training: Training) -> str | None:
    wanted = training.plan.recipe.augmentation
    if wanted is None or wanted.is_identity:
        return None
    return ", ".join(name for name, value in wanted.to_dict().items() if value)


def _labels_again(dataset: MapDataset[Any], training: Training) -> dict[int, int]:
    at = sorted(set(spots(len(training.plan.train))))
    with seeded_generators(0):  # reading moves the generators that the data set draws from
        return dict(zip(at, served_labels(dataset, at), strict=True))
