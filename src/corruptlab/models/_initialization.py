"""Initial weights by name, drawn without PyTorch's generators."""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from corruptlab._draws import Draws

Initialization: TypeAlias = Literal["glorot_uniform", "truncated_normal"]
"""How the weights of every layer start; see `initialize`."""


def initialize(
    module: nn.Module, init: Initialization = "glorot_uniform", *, seed: int = 0
) -> None:
    """Give every linear layer of ``module`` its initial weights, in place; biases become 0.

    Two laws, both in use in TensorFlow when the paper was written:

    - ``"glorot_uniform"``: uniform on ``[-a, a)`` with ``a = sqrt(6 / (fan_in + fan_out))``,
      the default of ``tf.get_variable``.
    - ``"truncated_normal"``: normal with mean 0 and standard deviation ``1 / sqrt(fan_in)``, where
      values beyond two standard deviations are drawn again, so that the
      standard deviation of the result is 0.88 times that.

    The paper does not say which it used. The weights of a layer are a function of the seed and of
    the layer's name in ``module`` only: unit ``i`` reads the draws of example ``i`` from
    the stream ``"init/NAME"``. So they are the same in any version of PyTorch, and
    no global generator is read or moved.

    Args:
        module: The network; layers that are not linear keep what they have.
        init: Name of the law.
        seed: Which weights; any integer >= 0.

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

    Source: Zhang et al. 2017, App. A, leaves it open; Glorot and Bengio 2010, eq. 16.
    """
    if init not in _LAWS:
        known = ", ".join(get_args(Initialization))
        raise ValueError(f"`init` must be one of {known}, got {init!r}.")
    draws = Draws(seed)
    with torch.no_grad():
        for name, layer in module.named_modules():
            if isinstance(layer, nn.Linear):
                weight = _LAWS[init](draws, f"init/{name}", layer.out_features, layer.in_features)
                layer.weight.copy_(torch.from_numpy(weight))
                if layer.bias is not None:
                    layer.bias.zero_()


def _glorot_uniform(draws: Draws, stream: str, fan_out: int, fan_in: int) -> NDArray[np.float32]:
    bound = math.sqrt(6 / (fan_in + fan_out))
    words = draws.words(stream, np.arange(fan_out), fan_in)
    uniform = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return ((2 * uniform - 1) * bound).astype(np.float32)


def _truncated_normal(draws: Draws, stream: str, fan_out: int, fan_in: int) -> NDArray[np.float32]:
    rows = np.arange(fan_out)
    weight = draws.normals(stream, rows, fan_in)
    attempt = 0
    # Each round leaves 4.6% of the values outside, so that half a dozen do for any layer.
    while (outside := np.abs(weight) > 2).any():
        attempt += 1
        weight[outside] = draws.normals(f"{stream}/again-{attempt}", rows, fan_in)[outside]
    return weight * np.float32(1 / math.sqrt(fan_in))


_LAWS: dict[str, Callable[[Draws, str, int, int], NDArray[np.float32]]] = {
    "glorot_uniform": _glorot_uniform,
    "truncated_normal": _truncated_normal,
}
