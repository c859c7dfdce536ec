"""Many trainings of one network and recipe, and what is measured of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corruptlab import training
from corruptlab._checks import instance, natural
from corruptlab._environment import Environment
from corruptlab._modules import (
    ModelSource,
    copied,
    count_parameters,
    network_of,
    resolve_device,
    scores_of,
)
from corruptlab.training import Recipe, ReplicasReport

# Replicas that are trained together: enough for one program, and their weights, gradients, and
# momentum stay below a gigabyte.
_MOST_REPLICAS = 256
_PARAMETERS_AT_ONCE = 1 << 26

# Outputs held at once when replicas are measured.
_OUTPUTS_AT_ONCE = 1 << 24

# Outputs that differ by less, relative to themselves, may differ by rounding only.
_ROUNDING = 2.0**-20


@dataclass(frozen=True)
class Replicas:
    """Some replicas, trained."""

    report: ReplicasReport
    num_classes: int

    @property
    def train_accuracy(self) -> Tensor:
        """Share of its training examples that each gets right, ``float64``, shape ``(r,)``."""
        return torch.from_numpy(self.report.train_accuracy)

    def predictions(self, inputs: Tensor) -> Tensor:
        """Return the class that each replica gives each stored input, shape ``(r, n)``."""
        found = [logits.argmax(dim=2).cpu() for logits, _ in self._outputs(inputs)]
        return torch.cat(found, dim=1)

    def decides(self, inputs: Tensor) -> Tensor:
        """Return whether each tells classes apart at all inputs, not just by rounding, ``(r,)``."""
        found = []
        for logits, _ in self._outputs(inputs):
            first, second = logits.topk(2, dim=2).values.unbind(dim=2)
            least = _ROUNDING * logits.abs().amax(dim=2)
            found.append((first - second > least).all(dim=1).cpu())
        return torch.stack(found).all(dim=0)

    def cross_entropies(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of each replica at each example, ``float64``, shape ``(r, n)``."""
        found = []
        for logits, some in self._outputs(inputs):
            wanted = labels[some].expand(len(self.report), -1)
            # The classes come second where `cross_entropy` looks for them.
            found.append(cross_entropy(logits.cpu().double().mT, wanted, reduction="none"))
        return torch.cat(found, dim=1)

    def _outputs(self, inputs: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """Yield outputs ``(r, b, num_classes)`` for the next inputs, and which they are."""
        size = max(1, _OUTPUTS_AT_ONCE // (len(self.report) * self.num_classes))
        for start in range(0, len(inputs), size):
            some = slice(start, start + size)
            yield self.report.logits(inputs[some]), some


@dataclass(frozen=True)
class Procedure:
    """A network, or one per replica, and a recipe: what all trainings have in common."""

    model: nn.Module | Sequence[nn.Module]
    num_classes: int
    recipe: Recipe
    seed: int
    device: torch.device
    progress: bool

    @classmethod
    def of(
        cls,
        model: ModelSource | Sequence[nn.Module],
        inputs: Tensor,
        *,
        recipe: object,
        seed: int,
        device: torch.device | str | None,
        progress: bool,
        replicas: int | None = None,
    ) -> "Procedure":
        """Check what a user gave; with ``replicas`` there may be a network for each of them."""
        checked, seed = instance("recipe", recipe, Recipe), natural("seed", seed)
        networks = _networks(model, replicas, seed)
        first = networks if isinstance(networks, nn.Module) else networks[0]
        device = resolve_device(first, device)
        outputs = _count_outputs(first, inputs[:2], recipe=checked, device=device)
        if outputs < 2:
            raise ValueError(f"`model` must have at least 2 outputs, one a class, got {outputs}.")
        return cls(networks, outputs, checked, seed, device, progress)

    @property
    def environment(self) -> Environment:
        """Versions, machine, and device."""
        return Environment.here(self.device)

    @property
    def parameters(self) -> int:
        """Number of parameters of one network."""
        return count_parameters(self.first_model)

    @property
    def first_model(self) -> nn.Module:
        """The network that the first replica starts from."""
        return self.model if isinstance(self.model, nn.Module) else self.model[0]

    def measure(
        self,
        quantity: Callable[[Replicas], Tensor],
        inputs: Tensor,
        labels: Tensor,
        *,
        subsets: Tensor | None = None,
        least: int,
    ) -> Tensor:
        """Train replicas on labels and subsets, a row for each, and return their quantities."""
        # Ctrl-C keeps the finished groups, if they have at least `least` replicas. Of an unfinished
        # group nothing is kept: the replicas that end first fit best.
        size = max(1, min(_MOST_REPLICAS, _PARAMETERS_AT_ONCE // max(1, self.parameters)))
        rows: list[Tensor] = []
        for start in range(0, len(labels), size):
            some = slice(start, start + size)
            try:
                report = training.fit_replicas(
                    self.model if isinstance(self.model, nn.Module) else self.model[some],
                    inputs,
                    labels[some],
                    recipe=self.recipe,
                    seed=self.seed,
                    subsets=None if subsets is None else subsets[some],
                    device=self.device,
                    progress=self.progress,
                )
                if "interrupted" in report.stopped_by:
                    raise KeyboardInterrupt
                rows.append(quantity(Replicas(report, self.num_classes)))
            except KeyboardInterrupt:
                if start < least:
                    raise
                break
        return torch.cat(rows)


def _count_outputs(
    model: nn.Module, inputs: Tensor, *, recipe: Recipe, device: torch.device
) -> int:
    """Try a copy of a network on some stored inputs."""
    recipe.check_inputs(inputs)
    prepared = recipe.with_statistics_of(inputs).prepare(inputs.to(device))
    return scores_of(copied(model).to(device), prepared.clone()).shape[1]


def _networks(model: object, replicas: int | None, seed: int) -> nn.Module | Sequence[nn.Module]:
    """Return the network of all replicas, or one for each of them."""
    if not isinstance(model, Sequence) or isinstance(model, str) or replicas is None:
        return network_of(model, seed=seed)
    if not model or not all(isinstance(each, nn.Module) for each in model):
        raise TypeError(
            "`model` must be a torch.nn.Module, a function that makes one, or a sequence of "
            f"modules, one for each replica, got {model!r}."
        )
    if len(model) != replicas:
        raise ValueError(
            f"`model` must be one network or one for each of the {replicas} replicas, "
            f"got {len(model)}."
        )
    return model
