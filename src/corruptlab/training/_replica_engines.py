"""Programs that train replicas side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from corruptlab._modules import copied
from corruptlab._structured import logits_of

Strategy: TypeAlias = Literal["wide", "vmap", "loop"]
"""Perceptrons with their weights stacked; any network through ``torch.func``; one by one."""

State: TypeAlias = dict[str, Tensor]
"""The tensors of one replica, as ``torch.nn.Module.load_state_dict`` takes them."""


def grouping(strategy: Strategy, group: int, threads: int) -> str:
    """Return how replicas are trained, in words."""
    each = f" in each of {threads} threads" if threads > 1 else ""
    return f"{strategy}, {group} at a time{each}"


@dataclass(frozen=True)
class SGDStep:
    """One update of stochastic gradient descent."""

    rate: float
    momentum: float
    weight_decay: float


class Program(Protocol):
    """R networks of one architecture, trained and evaluated together."""

    def step(self, inputs: Tensor, targets: Tensor, update: SGDStep, *, shared: bool) -> Tensor:
        """Update every replica once; return their mean losses before, shape ``(R,)``."""

    def logits(self, inputs: Tensor, *, shared: bool) -> Tensor:
        """Return the outputs in evaluation mode, shape ``(R, b, num_classes)``."""

    def state(self, replica: int) -> State:
        """Return the tensors of one replica, in memory of their own."""

    def keep(self, replicas: Sequence[int]) -> None:
        """Go on with some replicas only."""


Allocate: TypeAlias = Callable[..., Tensor]
"""Memory for a result, by its name and shape."""


class WidePerceptrons:
    """R perceptrons with their weights stacked, and their gradients written out.

    Activations lie as ``(R, units, b)``, so that the weights of all first layers, seen as
    ``(R * units, inputs)``, multiply the inputs that replicas share in one product; later layers
    are batched products. There is no graph, momentum is folded into the product that makes the
    gradient, and results as large as all activations reuse their memory: fresh pages cost as much.
    """

    def __init__(self, networks: Sequence[nn.Sequential]) -> None:
        self._names = _linear_names(networks[0])
        layers = [[_linear(net, name) for net in networks] for name in self._names]
        self._weights = [torch.stack([at.weight.detach() for at in row]) for row in layers]
        self._biases = [torch.stack([_column_of_biases(at) for at in row]) for row in layers]
        self._weight_momenta = [torch.zeros_like(weight) for weight in self._weights]
        self._bias_momenta = [torch.zeros_like(bias) for bias in self._biases]
        self._has_bias = [f"{name}.bias" in networks[0].state_dict() for name in self._names]
        self._memory: dict[str, Tensor] = {}

    def step(self, inputs: Tensor, targets: Tensor, update: SGDStep, *, shared: bool) -> Tensor:
        """Update every replica once."""
        columns = _columns(inputs, shared=shared)
        activations, logits = self._forward(columns, self._reused)  # logits: (R, num_classes, b)
        log_shares = logits.log_softmax(dim=1)
        wanted = targets.unsqueeze(1)  # (R, 1, b)
        losses = -log_shares.gather(1, wanted).mean(dim=(1, 2))
        grad = log_shares.exp_()  # of the mean loss: (softmax - one-hot) / b
        grad.scatter_add_(1, wanted, grad.new_full((), -1.0).expand(wanted.shape))
        grad /= targets.shape[1]
        for layer in range(len(self._weights) - 1, 0, -1):
            below = activations[layer - 1]
            passed = self._reused(f"grad {layer}", *below.shape)
            torch.bmm(self._weights[layer].transpose(1, 2), grad, out=passed)
            self._update(layer, grad, below, update)
            grad = _through_relu(passed, below)
        self._update(0, grad, columns, update)
        return losses

    def logits(self, inputs: Tensor, *, shared: bool) -> Tensor:
        """Return the outputs."""
        return self._forward(_columns(inputs, shared=shared), self._fresh)[1].transpose(1, 2)

    def state(self, replica: int) -> State:
        """Return the tensors of one replica."""
        state = {}
        for k, name in enumerate(self._names):
            state[f"{name}.weight"] = self._weights[k][replica].clone()
            if self._has_bias[k]:
                state[f"{name}.bias"] = self._biases[k][replica, :, 0].clone()
        return state

    def keep(self, replicas: Sequence[int]) -> None:
        """Go on with some replicas only."""
        at = torch.tensor(replicas, device=self._weights[0].device)
        for tensors in (self._weights, self._biases, self._weight_momenta, self._bias_momenta):
            tensors[:] = [tensor[at] for tensor in tensors]

    def _forward(self, columns: Tensor, allocate: Allocate) -> tuple[list[Tensor], Tensor]:
        """Map ``(inputs, b)`` or ``(R, inputs, b)`` to hidden activations and outputs."""
        activations: list[Tensor] = []
        out = self._first(columns, allocate)
        for layer in range(1, len(self._weights)):
            activations.append(out.relu_())
            weight, bias = self._weights[layer], self._biases[layer]
            into = allocate(f"out {layer}", *weight.shape[:2], columns.shape[-1])
            out = torch.baddbmm(bias, weight, out, out=into)
        return activations, out

    def _first(self, columns: Tensor, allocate: Allocate) -> Tensor:
        weight, bias = self._weights[0], self._biases[0]
        out = allocate("out 0", *weight.shape[:2], columns.shape[-1])
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

    def _update(self, layer: int, grad: Tensor, below: Tensor, update: SGDStep) -> None:
        """Change one layer, given the grad of the loss by its outputs, ``(R, units, b)``."""
        weight, momentum_buffer = self._weights[layer], self._weight_momenta[layer]
        if below.ndim == 3:
            momentum_buffer.baddbmm_(grad, below.transpose(1, 2), beta=update.momentum)
        else:
            wide = momentum_buffer.view(-1, momentum_buffer.shape[2])
            wide.addmm_(grad.reshape(-1, grad.shape[2]), below.T, beta=update.momentum)
        _move(weight, momentum_buffer, update)
        if self._has_bias[layer]:
            bias, bias_buffer = self._biases[layer], self._bias_momenta[layer]
            bias_buffer.mul_(update.momentum).add_(grad.sum(dim=2, keepdim=True))
            _move(bias, bias_buffer, update)


def is_perceptron(network: nn.Module) -> bool:
    """Tell whether a network is one that `WidePerceptrons` can train."""
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


def _through_relu(grad: Tensor, output: Tensor) -> Tensor:
    """Return, in place, the grad by what a ReLU got, given the grad by its output."""
    relu_backward = torch.ops.aten.threshold_backward.grad_input  # one pass, and no mask in memory
    result: Tensor = relu_backward(grad, output, 0, grad_input=grad)
    return result


def _move(value: Tensor, momentum_buffer: Tensor, update: SGDStep) -> None:
    if update.weight_decay:
        momentum_buffer.add_(value, alpha=update.weight_decay)
    value.add_(momentum_buffer, alpha=-update.rate)


def _columns(inputs: Tensor, *, shared: bool) -> Tensor:
    """Return a batch with its examples as columns: ``(inputs, b)`` or ``(R, inputs, b)``."""
    return inputs.flatten(1).T.contiguous() if shared else inputs.flatten(2).transpose(1, 2)


class Vectorized:
    """R networks of one architecture, stacked, and mapped over by ``torch.func.vmap``."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        parameters, buffers = stack_module_state(list(networks))
        self._parameters = {name: value.detach() for name, value in parameters.items()}
        self._buffers = {name: value.detach() for name, value in buffers.items()}
        self._momenta = {name: torch.zeros_like(v) for name, v in self._parameters.items()}
        self._training = copied(networks[0]).to("meta").train()
        self._evaluating = copied(networks[0]).to("meta").eval()

    def step(self, inputs: Tensor, targets: Tensor, update: SGDStep, *, shared: bool) -> Tensor:
        """Update every replica once."""
        grads, losses = vmap(grad_and_value(self._loss), in_dims=(0, 0, None if shared else 0, 0))(
            self._parameters, self._buffers, inputs, targets
        )
        for name, value in self._parameters.items():
            grad, momentum_buffer = grads[name], self._momenta[name]
            if update.weight_decay:
                grad = grad.add(value, alpha=update.weight_decay)
            momentum_buffer.mul_(update.momentum).add_(grad)
            value.add_(momentum_buffer, alpha=-update.rate)
        means: Tensor = losses.detach()
        return means

    def logits(self, inputs: Tensor, *, shared: bool) -> Tensor:
        """Return the outputs."""

        def outputs(parameters: State, buffers: State, inputs: Tensor) -> Tensor:
            out: Tensor = logits_of(
                functional_call(self._evaluating, (parameters, buffers), (inputs,))
            )
            return out

        each: Tensor = vmap(outputs, in_dims=(0, 0, None if shared else 0))(
            self._parameters, self._buffers, inputs
        )
        return each

    def state(self, replica: int) -> State:
        """Return the tensors of one replica."""
        kept = {**self._parameters, **self._buffers}
        names = self._training.state_dict()  # without the buffers that are not kept in files
        return {name: kept[name][replica].clone() for name in names}

    def keep(self, replicas: Sequence[int]) -> None:
        """Go on with some replicas only."""
        for tensors in (self._parameters, self._buffers, self._momenta):
            for name, value in tensors.items():
                tensors[name] = value[torch.tensor(replicas, device=value.device)]

    def _loss(self, parameters: State, buffers: State, inputs: Tensor, targets: Tensor) -> Tensor:
        outputs = functional_call(self._training, (parameters, buffers), (inputs,))
        loss: Tensor = cross_entropy(logits_of(outputs), targets)
        return loss
