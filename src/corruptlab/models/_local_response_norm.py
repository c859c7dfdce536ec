"""Local response normalization in TensorFlow's terms."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class LocalResponseNorm(nn.Module):
    """Divide each value by a power of the sum of squares over neighbouring channels.

    ``y_c = x_c / (bias + alpha * sum of x_k^2 over |k - c| <= radius) ** beta``. PyTorch's layer of
    this name takes ``size = 2 * radius + 1`` and an ``alpha`` that is ``size`` times this one.

    The sum over channels is a 1x1 convolution with a band of ones, a matrix product, which is
    faster than the pooling over channels that PyTorch's layer does.

    Args:
        radius: Neighbours on either side.
        bias: What is added to the sum.
        alpha: Factor on the sum.
        beta: The power.

    Source: Krizhevsky et al. 2012, §3.3; the numbers are those of TensorFlow's CIFAR-10 model.
    """

    def __init__(
        self,
        radius: int = 4,
        *,
        bias: float = 1.0,
        alpha: float = 0.001 / 9,
        beta: float = 0.75,
    ) -> None:
        super().__init__()
        self.radius, self.bias, self.alpha, self.beta = radius, bias, alpha, beta

    def forward(self, input: Tensor) -> Tensor:
        """Normalize images.

        Args:
            input: Images, shape ``(n, channels, height, width)``.

        Returns:
            Of the same shape.
        """
        channels = input.shape[1]
        band = input.new_ones(channels, channels).triu(-self.radius).tril(self.radius)
        sums = conv2d(input.square(), band[:, :, None, None])
        # The steps of bfloat16 near 1 are coarser than all that is added to the bias.
        sums = sums.to(torch.promote_types(input.dtype, torch.float32))
        return (input * (self.bias + self.alpha * sums).pow(-self.beta)).to(input.dtype)
