"""Replicas of any network, trained together by ``torch.func``."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from corruptlab.training._replicas_program import Rule, State


class Vectorized:
    """R networks whose parameters and buffers are stacked, mapped over by ``torch.func.vmap``.

    Convolutions become grouped ones, and batch norm keeps the statistics of each replica in its
    row of the stacked buffers.

    Args:
        networks: Networks of one architecture, without layers that draw.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        parameters, buffers = stack_module_state(list(networks))
        self._parameters = {name: value.detach() for name, value in parameters.items()}
        self._buffers = {name: value.detach() for name, value in buffers.items()}
        self._speeds = {name: torch.zeros_like(v) for name, v in self._parameters.items()}
        self._training = copy.deepcopy(networks[0]).to("meta").train()
        self._evaluating = copy.deepcopy(self._training).eval()

    def step(self, inputs: Tensor, targets: Tensor, rule: Rule, *, shared: bool) -> Tensor:
        """Update every replica once; see `Program`."""
        slopes, losses = vmap(grad_and_value(self._loss), in_dims=(0, 0, None if shared else 0, 0))(
            self._parameters, self._buffers, inputs, targets
        )
        for name, value in self._parameters.items():
            slope, speed = slopes[name], self._speeds[name]
            if rule.weight_decay:
                slope = slope.add(value, alpha=rule.weight_decay)
            speed.mul_(rule.momentum).add_(slope)
            value.add_(speed, alpha=-rule.rate)
        means: Tensor = losses.detach()
        return means

    def logits(self, inputs: Tensor, *, shared: bool) -> Tensor:
        """Return the outputs; see `Program`."""

        def outputs(parameters: State, buffers: State, inputs: Tensor) -> Tensor:
            out: Tensor = functional_call(self._evaluating, (parameters, buffers), (inputs,))
            return out

        each: Tensor = vmap(outputs, in_dims=(0, 0, None if shared else 0))(
            self._parameters, self._buffers, inputs
        )
        return each

    def state(self, replica: int) -> State:
        """Return the tensors of one replica; see `Program`."""
        kept = {**self._parameters, **self._buffers}
        names = self._training.state_dict()  # without the buffers that are not kept in files
        return {name: kept[name][replica].clone() for name in names}

    def keep(self, replicas: Sequence[int]) -> None:
        """Go on with some replicas only; see `Program`."""
        for tensors in (self._parameters, self._buffers, self._speeds):
            for name, value in tensors.items():
                tensors[name] = value[torch.tensor(replicas, device=value.device)]

    def _loss(self, parameters: State, buffers: State, inputs: Tensor, targets: Tensor) -> Tensor:
        outputs: Tensor = functional_call(self._training, (parameters, buffers), (inputs,))
        loss: Tensor = cross_entropy(outputs, targets)
        return loss
