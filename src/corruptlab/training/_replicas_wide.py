"""Perceptrons side by side: the first layers of all replicas are one wide matrix product."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from corruptlab.training._replicas_program import Rule, State

Room: TypeAlias = Callable[..., Tensor]
"""Gives memory for a result, by its name and shape."""


class WidePerceptrons:
    """R perceptrons with their weights stacked, and their gradients written out.

    Activations lie as ``(R, units, batch)``, so that the weights ``(R, units, inputs)`` of the
    first layer, seen as ``(R * units, inputs)``, multiply the inputs that all replicas share in one
    product; the later layers are batched products. Without a graph to record, and with
    the momentum folded into the product that makes the gradient, a step of many small networks
    costs hardly more than one of a single one. What is as large as the activations of all replicas
    is written into the same memory in every step: fresh pages would cost as much as the products.

    Args:
        networks: Perceptrons of one architecture, see `is_perceptron`.
    """

    def __init__(self, networks: Sequence[nn.Sequential]) -> None:
        self._names = _linear_names(networks[0])
        layers = [[_linear(net, name) for net in networks] for name in self._names]
        self._weights = [torch.stack([at.weight.detach() for at in row]) for row in layers]
        self._biases = [torch.stack([_column_of_biases(at) for at in row]) for row in layers]
        self._weight_speeds = [torch.zeros_like(weight) for weight in self._weights]
        self._bias_speeds = [torch.zeros_like(bias) for bias in self._biases]
        self._has_bias = [f"{name}.bias" in networks[0].state_dict() for name in self._names]
        self._memory: dict[str, Tensor] = {}

    def step(self, inputs: Tensor, targets: Tensor, rule: Rule, *, shared: bool) -> Tensor:
        """Update every replica once; see `Program`."""
        columns = _columns(inputs, shared=shared)
        activations, logits = self._forward(columns, self._reused)  # logits: (R, num_classes, b)
        log_shares = logits.log_softmax(dim=1)
        wanted = targets.unsqueeze(1)  # (R, 1, b)
        losses = -log_shares.gather(1, wanted).mean(dim=(1, 2))
        slope = log_shares.exp_()  # of the mean loss: (softmax - one-hot) / b
        slope.scatter_add_(1, wanted, slope.new_full((), -1.0).expand(wanted.shape))
        slope /= targets.shape[1]
        for layer in range(len(self._weights) - 1, 0, -1):
            below = activations[layer - 1]
            passed = self._reused(f"slope {layer}", *below.shape)
            torch.bmm(self._weights[layer].transpose(1, 2), slope, out=passed)
            self._update(layer, slope, below, rule)
            slope = _through_relu(passed, below)
        self._update(0, slope, columns, rule)
        return losses

    def logits(self, inputs: Tensor, *, shared: bool) -> Tensor:
        """Return the outputs; see `Program`."""
        return self._forward(_columns(inputs, shared=shared), self._fresh)[1].transpose(1, 2)

    def state(self, replica: int) -> State:
        """Return the tensors of one replica; see `Program`."""
        state = {}
        for k, name in enumerate(self._names):
            state[f"{name}.weight"] = self._weights[k][replica].clone()
            if self._has_bias[k]:
                state[f"{name}.bias"] = self._biases[k][replica, :, 0].clone()
        return state

    def keep(self, replicas: Sequence[int]) -> None:
        """Go on with some replicas only; see `Program`."""
        at = torch.tensor(replicas, device=self._weights[0].device)
        for tensors in (self._weights, self._biases, self._weight_speeds, self._bias_speeds):
            tensors[:] = [tensor[at] for tensor in tensors]

    def _forward(self, columns: Tensor, room: Room) -> tuple[list[Tensor], Tensor]:
        """Map ``(inputs, b)`` or ``(R, inputs, b)`` to hidden activations and outputs."""
        activations: list[Tensor] = []
        out = self._first(columns, room)
        for layer in range(1, len(self._weights)):
            activations.append(out.relu_())
            weight, bias = self._weights[layer], self._biases[layer]
            into = room(f"out {layer}", *weight.shape[:2], columns.shape[-1])
            out = torch.baddbmm(bias, weight, out, out=into)
        return activations, out

    def _first(self, columns: Tensor, room: Room) -> Tensor:
        weight, bias = self._weights[0], self._biases[0]
        out = room("out 0", *weight.shape[:2], columns.shape[-1])
        if columns.ndim == 3:
            return torch.baddbmm(bias, weight, columns, out=out)
        wide = out.view(-1, out.shape[2])
        torch.addmm(bias.view(-1, 1), weight.view(-1, weight.shape[2]), columns, out=wide)
        return out

    def _reused(self, name: str, *shape: int) -> Tensor:
        """Return memory of that shape, the same in every step."""
        size = math.prod(shape)
        if name not in self._memory or len(self._memory[name]) < size:
            self._memory[name] = self._fresh(name, size)
        return self._memory[name][:size].view(shape)

    def _fresh(self, _: str, *shape: int) -> Tensor:
        """Return memory of that shape that nothing else uses."""
        return self._weights[0].new_empty(shape)

    def _update(self, layer: int, slope: Tensor, below: Tensor, rule: Rule) -> None:
        """Change one layer, given the slope of the loss by its outputs, ``(R, units, b)``."""
        weight, speed = self._weights[layer], self._weight_speeds[layer]
        if below.ndim == 3:
            speed.baddbmm_(slope, below.transpose(1, 2), beta=rule.momentum)
        else:
            wide = slope.reshape(-1, slope.shape[2])
            speed.view(-1, speed.shape[2]).addmm_(wide, below.T, beta=rule.momentum)
        _move(weight, speed, rule)
        if self._has_bias[layer]:
            bias, bias_speed = self._biases[layer], self._bias_speeds[layer]
            bias_speed.mul_(rule.momentum).add_(slope.sum(dim=2, keepdim=True))
            _move(bias, bias_speed, rule)


def is_perceptron(network: nn.Module) -> bool:
    """Tell whether a network is one that `WidePerceptrons` can train.

    Args:
        network: Any network.

    Returns:
        Whether it is a ``Sequential`` of an optional ``Flatten`` and linear layers with a ReLU
        between each two, all trained and in float32, without hooks.
    """
    if type(network) is not nn.Sequential or _has_hooks(network):
        return False
    layers = [layer for layer in network if not isinstance(layer, nn.Flatten)]
    flattens_first = all(not isinstance(layer, nn.Flatten) for layer in list(network)[1:])
    kinds = [type(layer) for layer in layers]
    expected = [nn.Linear if k % 2 == 0 else nn.ReLU for k in range(len(kinds))]
    trained = all(p.requires_grad and p.dtype == torch.float32 for p in network.parameters())
    return flattens_first and trained and len(kinds) % 2 == 1 and kinds == expected


def _has_hooks(network: nn.Module) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def _linear_names(network: nn.Module) -> list[str]:
    return [name for name, layer in network.named_children() if isinstance(layer, nn.Linear)]


def _linear(network: nn.Module, name: str) -> nn.Linear:
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer


def _column_of_biases(layer: nn.Linear) -> Tensor:
    """Return the biases of one layer, ``(units, 1)``; zeros if it has none."""
    bias: Tensor | None = layer.bias
    return layer.weight.new_zeros(layer.out_features, 1) if bias is None else bias.detach()[:, None]


def _through_relu(slope: Tensor, output: Tensor) -> Tensor:
    """Return, in place, the slope by what a ReLU got, given the slope by its output."""
    relu_backward = torch.ops.aten.threshold_backward.grad_input  # one pass, and no mask in memory
    result: Tensor = relu_backward(slope, output, 0, grad_input=slope)
    return result


def _move(value: Tensor, speed: Tensor, rule: Rule) -> None:
    if rule.weight_decay:
        speed.add_(value, alpha=rule.weight_decay)
    value.add_(speed, alpha=-rule.rate)


def _columns(inputs: Tensor, *, shared: bool) -> Tensor:
    """Return a batch with its examples as columns: ``(inputs, b)`` or ``(R, inputs, b)``."""
    return inputs.flatten(1).T.contiguous() if shared else inputs.flatten(2).transpose(1, 2)
