"""A network that `fit` trains for every permutation, where replicas cannot be trained together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corruptlab import _learners
from corruptlab._arrays import check_classes
from corruptlab._data import open_dataset
from corruptlab._json import KIND, Json, encode, identity_of, kind_of
from corruptlab._modules import copied, evaluating, scores_of
from corruptlab._random_state import preserve_rng_state
from corruptlab._structured import outputs_of
from corruptlab.experiments.memorizing import Prepared
from corruptlab.training import Execution, Recipe, fit, stopping


@dataclass(frozen=True, eq=False)
class NetworkLearner:
    """A network and a recipe as a learner of classes, or of real-valued targets."""

    network: nn.Module
    recipe: Recipe
    stop: tuple[stopping.StoppingRule, ...]
    device: torch.device | str | None
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer] | None
    loss: Callable[[Tensor, Tensor], Tensor] | None
    execution: Execution | None

    numbers: None = None  # whatever the labels are

    @property
    def needs_fit(self) -> bool:
        """Whether replicas cannot be trained as one program, because of an option."""
        others = self.optimizer, self.loss, self.execution
        plain = all(isinstance(rule, stopping.interpolated) for rule in self.stop)
        return not plain or any(each is not None for each in others)

    @property
    def name(self) -> str:
        return type(self.network).__name__

    def check(self, wanted: _learners.Wanted, purpose: str) -> None:
        """Accept anything: a network gives all there is."""

    def rows(self, rows: _learners.Rows) -> _learners.PairRows:
        """Return rows that are read once, so that all copies see the same random transforms."""
        if isinstance(rows, _learners.PairRows):
            pair = rows.whole, np.zeros(len(rows), np.int64)
            inputs, _ = open_dataset(pair, "train").tensors()
        else:
            inputs = rows.inputs(np.arange(len(rows)))
        if not isinstance(inputs, Tensor):
            raise TypeError(
                "`train` must have inputs of one field where `fit` trains a network for every "
                "permutation (an executor, a folder, an optimizer, a loss, an execution, other "
                f"stopping rules, or real-valued targets), got {type(inputs).__name__}."
            )
        return _learners.PairRows(inputs)

    def check_targets(self, rows: _learners.Rows, targets: _learners.Targets) -> None:
        """Compare the outputs for two inputs with the classes, or with one for real numbers."""
        inputs = torch.as_tensor(rows.inputs(np.arange(min(2, len(rows))))).to(self.device)
        self.recipe.check_inputs(inputs, name="train")
        network = copied(self.network).to(self.device)
        prepared = self.recipe.with_statistics_of(inputs).prepare(inputs)
        if not targets.are_numbers:
            outputs = scores_of(network, prepared).shape[1]
            codes = torch.from_numpy(targets.codes)
            check_classes(codes, "`train` labels", num_classes=outputs)
            return
        if self.loss is not None:
            raise ValueError(
                "`loss` must be left out with real-valued targets, whose loss is the squared "
                f"error, got {self.loss!r}."
            )
        with evaluating(network):
            shape = tuple(outputs_of(network, prepared).shape)
        if shape not in ((len(inputs),), (len(inputs), 1)):
            raise ValueError(
                "`model` must have one output for real-valued targets (integers are classes), got "
                f"outputs of shape {shape} for {len(inputs)} inputs."
            )

    def trained(
        self, data: _learners.LabelledData, targets: _learners.Targets, *, seed: int
    ) -> _learners.FunctionAnswers:
        """Train a copy."""
        network = copied(self.network)
        codes = targets.coded(data.labels, "train")
        options: dict[str, Any] = {"optimizer": self.optimizer, "stop": self.stop}
        fitted: nn.Module = network
        if targets.are_numbers:
            fitted = _TargetScores(network, targets)
            options["loss"] = _squared_error
        elif self.loss is not None:
            options["loss"] = self.loss
        if self.execution is not None:
            options["execution"] = self.execution
        report = fit(
            fitted,
            (data.inputs, codes),
            recipe=self.recipe,
            measure="loss",
            seed=seed,
            device=self.device,
            **options,
        )
        if report.stopped_by == "interrupted":
            raise KeyboardInterrupt
        if isinstance(fitted, _TargetScores):
            prepared = Prepared(fitted.network, report.recipe)
            return _learners.FunctionAnswers(_Rescaled(prepared, fitted), targets)
        return _learners.FunctionAnswers(Prepared(network, report.recipe), targets)

    def identity(self) -> Json:
        """Return what tells it from others."""
        return {
            "network": _module_identity(self.network),
            "recipe": encode(self.recipe, "recipe"),
            "stop": encode(self.stop, "stop"),
            "optimizer": None
            if self.optimizer is None
            else identity_of(self.optimizer, "optimizer"),
            "loss": None if self.loss is None else _loss_identity(self.loss),
            "execution": encode(self.execution, "execution"),
        }


class _TargetScores(nn.Module):
    """Scores of all targets: minus the squared distance of a network's output to each of them.

    `fit` trains classifiers. With these scores the class of an example is its target, the loss of
    `_squared_error` is the mean squared error, and an example is right if no other target is closer
    to the output. Targets are standardized: their mean and variance are those of all labels,
    which no permutation changes.
    """

    values: Tensor

    def __init__(self, network: nn.Module, targets: _learners.Targets) -> None:
        super().__init__()
        self.network = network
        self.mean = float(targets.labels.mean())
        self.scale = float(targets.labels.std()) or 1.0
        values = torch.from_numpy((targets.values - self.mean) / self.scale)
        self.register_buffer("values", values.float())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return scores, shape ``(b, K)``."""
        outputs: Tensor = outputs_of(self.network, inputs).reshape(-1, 1)
        return -((outputs - self.values) ** 2)


def _squared_error(scores: Tensor, codes: Tensor) -> Tensor:
    return -scores.gather(1, codes[:, None]).mean()


class _Rescaled(nn.Module):
    """A network that returns numbers on the scale of the targets."""

    def __init__(self, network: nn.Module, scores: _TargetScores) -> None:
        super().__init__()
        self.network, self.mean, self.scale = network, scores.mean, scores.scale

    def forward(self, inputs: Tensor) -> Tensor:
        """Return numbers, shape ``(b,)``."""
        outputs: Tensor = outputs_of(self.network, inputs).reshape(-1).double()
        return outputs * self.scale + self.mean


def has_numbers(dataset: Any, keys: dict[str, Any]) -> bool:
    """Return whether the first label is a number, and no class."""
    with preserve_rng_state():  # random transforms would move them
        label: NDArray[Any] = np.asarray(_learners.first_label(dataset, "train", **keys))
    return label.dtype.kind == "f" and label.size == 1


def _module_identity(module: nn.Module) -> Json:
    digest = _learners.digest_of(dict(module.state_dict()))
    return {KIND: kind_of(type(module)), "layers": repr(module), "sha256": digest}


def _loss_identity(loss: Any) -> Json:
    return _module_identity(loss) if isinstance(loss, nn.Module) else identity_of(loss, "loss")
