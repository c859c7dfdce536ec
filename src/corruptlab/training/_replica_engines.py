"""Programs that train replicas side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

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


def grouping(strategy: Strategy, group: int, threads: int, product_threads: int = 1) -> str:
    """Return how replicas are trained, in words."""
    each = f" in each of {threads} threads" if threads > 1 else ""
    divided = f", products in {product_threads} threads" if product_threads > 1 else ""
    return f"{strategy}, {group} at a time{each}{divided}"


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
    All weights and biases lie in one tensor, and so do their momentum buffers: small networks spend
    most of a step on calls from Python, and threads that train groups wait for each other in them.
    """

    def __init__(self, networks: Sequence[nn.Sequential]) -> None:
        self._names = _linear_names(networks[0])
        layers = [[_linear(net, name) for net in networks] for name in self._names]
        weights = [torch.stack([at.weight.detach() for at in row]) for row in layers]
        biases = [torch.stack([_column_of_biases(at) for at in row]) for row in layers]
        self._has_bias = [f"{name}.bias" in networks[0].state_dict() for name in self._names]
        self._lay_out([*weights, *biases], [torch.zeros_like(each) for each in weights + biases])

    def step(self, inputs: Tensor, targets: Tensor, update: SGDStep, *, shared: bool) -> Tensor:
        """Update every replica once."""
        columns = _columns(inputs, shared=shared)
        activations, logits = self._forward(columns, self._reused)  # logits: (R, num_classes, b)
        log_shares = logits.log_softmax(dim=1)
        wanted = targets.unsqueeze(1)  # (R, 1, b)
        averaging = self._constant(1 / targets.shape[1], targets.shape[1])
        losses = torch.mv(log_shares.gather(1, wanted).squeeze(1), averaging).neg_()
        grad = log_shares.exp_()  # of the sum of losses: softmax - one-hot
        grad.scatter_add_(1, wanted, self._constant(-1.0, 1).expand(wanted.shape))
        for layer in range(len(self._weights) - 1, 0, -1):
            below = activations[layer - 1]
            passed = self._reused(f"grad {layer}", *below.shape)
            torch.bmm(self._weights[layer].transpose(1, 2), grad, out=passed)
            self._accumulate(layer, grad, below, update)
            grad = _through_relu(passed, below)
        self._accumulate(0, grad, columns, update)
        if update.weight_decay:
            self._momenta.add_(self._values, alpha=update.weight_decay)
        self._values.add_(self._momenta, alpha=-update.rate)
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
        at = torch.tensor(replicas, device=self._values.device)
        self._lay_out(
            [each[at] for each in self._weights + self._biases],
            [each[at] for each in self._weight_grads + self._bias_grads],
        )

    def _lay_out(self, values: list[Tensor], momenta: list[Tensor]) -> None:
        """Put the weights of all layers, then the biases, into one tensor; likewise momenta."""
        self._values, views = _joined(values)
        self._momenta, buffers = _joined(momenta)
        count = len(self._names)
        self._weights, self._biases = views[:count], views[count:]
        self._weight_grads, self._bias_grads = buffers[:count], buffers[count:]
        self._memory: dict[tuple[Any, ...], Tensor] = {}

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

    def _reused(self, *key: Any) -> Tensor:
        """Return memory for a name and a shape, the same in every step."""
        if key not in self._memory:
            self._memory[key] = self._fresh(*key)
        return self._memory[key]

    def _constant(self, value: float, size: int) -> Tensor:
        """Return a vector of one value."""
        key = value, size
        if key not in self._memory:
            self._memory[key] = self._values.new_full((size,), value)
        return self._memory[key]

    def _fresh(self, _: str, *shape: int) -> Tensor:
        """Return memory of that shape that nothing else uses."""
        return self._values.new_empty(shape)

    def _accumulate(self, layer: int, grad: Tensor, below: Tensor, update: SGDStep) -> None:
        """Add to the momentum of one layer, given the grad of the sum of losses by its outputs."""
        rows, size = grad.view(-1, grad.shape[2]), grad.shape[2]
        weight_grad, beta = self._weight_grads[layer], update.momentum
        if below.ndim == 3:
            weight_grad.baddbmm_(grad, below.transpose(1, 2), beta=beta, alpha=1 / size)
        else:
            wide = weight_grad.view(-1, weight_grad.shape[2])
            wide.addmm_(rows, below.T, beta=beta, alpha=1 / size)
        if self._has_bias[layer]:
            self._bias_grads[layer].view(-1).addmv_(rows, self._constant(1 / size, size), beta=beta)


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


def _columns(inputs: Tensor, *, shared: bool) -> Tensor:
    """Return a batch with its examples as columns: ``(inputs, b)`` or ``(R, inputs, b)``."""
    return inputs.flatten(1).T if shared else inputs.flatten(2).transpose(1, 2)


def _joined(tensors: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Copy tensors into one of one dimension; return it, and each of them as a view of it."""
    whole = torch.cat([each.flatten() for each in tensors])
    parts = torch.split(whole, [each.numel() for each in tensors])
    return whole, [part.view(each.shape) for part, each in zip(parts, tensors, strict=True)]


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
