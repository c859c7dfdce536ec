"""The same network, fresh for every setting."""

import copy
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import nn

ModelSource: TypeAlias = nn.Module | Callable[[], nn.Module]


class InitialModel:
    """Gives copies of one network with the same initial weights.

    Args:
        source: A module, which is copied and never changed, or a function (or class) that makes
            one when called without arguments. A function is called once for each copy, with
            PyTorch's CPU generator seeded for the call and then put back, so that layers which
            draw their weights from it come out alike.
        seed: Seed for the call.

    Raises:
        TypeError: If ``source`` is neither, or gives something else than a module.
    """

    def __init__(self, source: ModelSource, *, seed: int) -> None:
        if not (isinstance(source, nn.Module) or callable(source)):
            raise TypeError(
                "`model` must be a torch.nn.Module or a function that makes one, "
                f"got {type(source).__name__}."
            )
        self._source, self._seed = source, seed
        first = source if isinstance(source, nn.Module) else self()
        self.name = type(first).__name__
        self.num_parameters = sum(parameter.numel() for parameter in first.parameters())

    def __call__(self) -> nn.Module:
        """Return a fresh copy."""
        if isinstance(self._source, nn.Module):
            return copy.deepcopy(self._source)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._seed)
            model = self._source()
        if not isinstance(model, nn.Module):
            raise TypeError(
                "`model` must make a torch.nn.Module when called, "
                f"got one that makes {type(model).__name__}."
            )
        return model
