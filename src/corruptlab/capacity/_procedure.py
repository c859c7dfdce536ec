"""A training procedure, network and recipe: what is measured here is what it can fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from corruptlab._checks import natural
from corruptlab._environment import Environment
from corruptlab._modules import resolve_device
from corruptlab.capacity._replicas import Replicas, outputs_of, train_replicas
from corruptlab.training import Recipe

Models: TypeAlias = nn.Module | Sequence[nn.Module]
"""One network, from whose weights every replica starts, or one for each replica."""

# Replicas that are trained together: enough for one program, and their weights, gradients, and
# momentum stay below a gigabyte.
_MOST_REPLICAS = 256
_NUMBERS_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class Procedure:
    """What all replicas of an experiment have in common.

    Args:
        model: The network or networks; they are copied, and never changed.
        num_classes: Outputs of each, >= 2.
        recipe: The hyper-parameters.
        seed: Decides the data order and what layers draw.
        device: Where to train.
        progress: Whether to show progress.
    """

    model: Models
    num_classes: int
    recipe: Recipe
    seed: int
    device: torch.device
    progress: bool

    @classmethod
    def of(
        cls,
        model: Models,
        inputs: Tensor,
        *,
        recipe: object,
        seed: int,
        device: torch.device | str | None,
        progress: bool,
        replicas: int | None = None,
    ) -> "Procedure":
        """Check what a user gave, and try the network on two inputs.

        Args:
            model: The network or networks.
            inputs: Stored inputs, shape ``(n, ...)``.
            recipe: The hyper-parameters.
            seed: The seed.
            device: Where to train; None for where the network is.
            progress: Whether to show progress.
            replicas: How many replicas there will be, if there may be a network for each of them.

        Returns:
            The procedure.

        Raises:
            TypeError: If an argument is of a wrong kind.
            ValueError: If one is out of range, the network does not accept the inputs, or its
                outputs are not one row of at least two class scores an example.
        """
        first = _first_model(model, replicas)
        checked, seed = as_recipe(recipe), natural("seed", seed)
        place = resolve_device(first, device)
        outputs = outputs_of(first, inputs[:2], recipe=checked, device=place)
        if outputs < 2:
            raise ValueError(f"`model` must have at least 2 outputs, one a class, got {outputs}.")
        return cls(model, outputs, checked, seed, place, progress)

    @property
    def environment(self) -> Environment:
        """Versions, machine, and device."""
        return Environment.here(self.device)

    def measured(
        self,
        measure: Callable[[Replicas], Tensor],
        inputs: Tensor,
        labels: Tensor,
        *,
        subsets: Tensor | None = None,
        least: int,
    ) -> Tensor:
        """Train all replicas, in groups that fit in memory, and measure each of them.

        Ctrl-C ends it with the groups that are done by then, if there are ``least`` replicas in
        them. Of an unfinished group nothing is kept: the replicas that end first fit best.

        Args:
            measure: Replicas in, one row for each out.
            inputs: Stored inputs, shape ``(n, ...)``.
            labels: Their labels for each replica, ``int64``, shape ``(replicas, n)``.
            subsets: Positions of the examples that each replica is trained on, ``int64``, shape
                ``(replicas, m)``; None for all of them.
            least: Replicas without which there is no result.

        Returns:
            What was measured, one row a replica; fewer after Ctrl-C.

        Raises:
            KeyboardInterrupt: If Ctrl-C came too early.
        """
        size = max(1, min(_MOST_REPLICAS, _NUMBERS_AT_ONCE // max(1, count_parameters(self.model))))
        rows: list[Tensor] = []
        for start in range(0, len(labels), size):
            some = slice(start, start + size)
            try:
                replicas = train_replicas(
                    self.model if isinstance(self.model, nn.Module) else self.model[some],
                    inputs,
                    labels[some],
                    num_classes=self.num_classes,
                    recipe=self.recipe,
                    seed=self.seed,
                    subsets=None if subsets is None else subsets[some],
                    device=self.device,
                    progress=self.progress,
                )
                rows.append(measure(replicas))
            except KeyboardInterrupt:
                if start < least:
                    raise
                break
        return torch.cat(rows)


def as_recipe(recipe: object) -> Recipe:
    """Return a recipe, or say that it is none."""
    if not isinstance(recipe, Recipe):
        raise TypeError(f"`recipe` must be a Recipe, got {type(recipe).__name__}.")
    return recipe


def count_parameters(model: Models) -> int:
    """Return the number of parameters of one network."""
    first = model if isinstance(model, nn.Module) else model[0]
    return sum(parameter.numel() for parameter in first.parameters())


def _first_model(model: object, replicas: int | None) -> nn.Module:
    if isinstance(model, nn.Module):
        return model
    if replicas is None:
        raise TypeError(f"`model` must be a torch.nn.Module, got {type(model).__name__}.")
    models = model if isinstance(model, Sequence) else ()
    if not models or not all(isinstance(each, nn.Module) for each in models):
        raise TypeError(
            "`model` must be a torch.nn.Module or a sequence of them, one for each replica, "
            f"got {model!r}."
        )
    if len(models) != replicas:
        raise ValueError(
            f"`model` must be one network or one for each of the {replicas} replicas, "
            f"got {len(models)}."
        )
    first: nn.Module = models[0]
    return first
