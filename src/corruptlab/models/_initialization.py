"""Initial weights by name, and networks that start from them, without PyTorch's generators."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from corruptlab._draws import Draws
from corruptlab._types import Ids

Initialization: TypeAlias = Literal["glorot_uniform", "truncated_normal"]
"""How the weights of every layer start; see `initialize`."""

Network = TypeVar("Network", bound=nn.Module)

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.LayerNorm)


def initialize(
    module: nn.Module, init: Initialization = "glorot_uniform", *, seed: int = 0
) -> None:
    """Initialize linear, convolutional, embedding, and normalization layers in place.

    Biases are set to 0. Batch norm and layer norm are reset to the identity, with initial running
    statistics. An embedding of size ``d`` is normal with mean 0 and standard deviation
    ``1 / sqrt(d)``; its padding row, if any, is 0. The other weights follow one of two
    distributions, both of which were in use in TensorFlow when the paper was written:

    - ``"glorot_uniform"``: uniform on ``[-a, a)`` with ``a = sqrt(6 / (fan_in + fan_out))``,
      the default of ``tf.get_variable``.
    - ``"truncated_normal"``: normal with mean 0 and standard deviation ``1 / sqrt(fan_in)``,
      truncated at two standard deviations by redrawing, so that the standard deviation of the
      result is 0.88 times that value.

    The fans of a convolution are those of TensorFlow: the area of the kernel times the number of
    input channels of a filter, and times the number of filters. The paper does not specify the
    distribution. ``"glorot_uniform"`` is the default because it was the default of TensorFlow, and
    because random labels are fitted from it: it preserves the scale of signals through the layers,
    so that the learning rates of App. A work.

    The weights of a layer depend only on the seed and on the name of the layer in ``module``: unit
    ``i`` uses the draws of example ``i`` in the stream ``"init/NAME"``. They are the same in all
    versions of PyTorch, and no global random generator is used.

    Args:
        module: The network; layers of other types are not changed.
        init: Name of the distribution.
        seed: Seed of the weights; any integer >= 0.

    Raises:
        ValueError: If ``init`` is not a known name.

    Example:
        >>> import torch
        >>> from corruptlab.models import initialize
        >>> layer = torch.nn.Linear(4, 2)
        >>> initialize(layer, seed=0)
        >>> layer.bias
        Parameter containing:
        tensor([0., 0.], requires_grad=True)

    Source: Glorot and Bengio 2010, eq. 16. Zhang et al. 2017, App. A, do not specify the
    initialization.
    """
    if init not in _LAWS:
        known = ", ".join(get_args(Initialization))
        raise ValueError(f"`init` must be one of {known}, got {init!r}.")
    draws = Draws(seed)
    with torch.no_grad():
        for name, layer in module.named_modules():
            if isinstance(layer, _WEIGHTED):
                weight = _weight(draws, f"init/{name}", layer.weight.shape, init)
                layer.weight.copy_(torch.from_numpy(weight))
                if layer.bias is not None:
                    layer.bias.zero_()
            elif isinstance(layer, nn.Embedding):
                rows = np.arange(layer.num_embeddings)
                vectors = draws.normals(f"init/{name}", rows, layer.embedding_dim)
                layer.weight.copy_(torch.from_numpy(vectors / math.sqrt(layer.embedding_dim)))
                if layer.padding_idx is not None:
                    layer.weight[layer.padding_idx] = 0
            elif isinstance(layer, _NORMS):
                layer.reset_parameters()


def build(layers: Callable[[], Network], init: Initialization, *, seed: int) -> Network:
    """Make a float32 network on the CPU, in training mode, and draw its initial weights."""
    # On the meta device PyTorch's constructors have nothing to fill: they draw nothing.
    with torch.device("meta"):
        network = layers()
    network = network.to(torch.float32).to_empty(device="cpu")
    initialize(network, init, seed=seed)
    return network


def _weight(
    draws: Draws, stream: str, shape: Sequence[int], init: Initialization
) -> NDArray[np.float32]:
    units, *unit = shape  # (out_channels, in_channels / groups, height, width) for images
    rows = np.arange(units)
    fan_in = math.prod(unit)
    fan_out = units * math.prod(unit[1:])
    return _LAWS[init](draws, stream, rows, fan_in, fan_out).reshape(shape)


def _glorot_uniform(
    draws: Draws, stream: str, rows: Ids, fan_in: int, fan_out: int
) -> NDArray[np.float32]:
    bound = math.sqrt(6 / (fan_in + fan_out))
    uniform = draws.uniforms(stream, rows, fan_in)
    return ((2 * uniform - 1) * bound).astype(np.float32)


def _truncated_normal(
    draws: Draws, stream: str, rows: Ids, fan_in: int, fan_out: int
) -> NDArray[np.float32]:
    weight = draws.normals(stream, rows, fan_in)
    attempt = 0
    # Each round leaves 4.6% of the values outside, so that half a dozen do for any layer.
    while (outside := np.abs(weight) > 2).any():
        attempt += 1
        weight[outside] = draws.normals(f"{stream}/again-{attempt}", rows, fan_in)[outside]
    return weight * np.float32(1 / math.sqrt(fan_in))


_LAWS: dict[str, Callable[[Draws, str, Ids, int, int], NDArray[np.float32]]] = {
    "glorot_uniform": _glorot_uniform,
    "truncated_normal": _truncated_normal,
}
