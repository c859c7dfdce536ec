"""Batch normalization as TensorFlow's convolutional networks of 2016 had it: a shift, no scale."""

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

EPSILON = 1e-3
"""What is added to a variance: TensorFlow's default, a hundred times PyTorch's."""

MOMENTUM = 0.1
"""Share of a running average that one batch replaces; TensorFlow's decay is 1 minus this.

PyTorch's default. The 0.001 of TensorFlow would need thousands of steps before the averages, which
start at 0 and 1, mean anything; accuracy in evaluation mode has to be right after a few hundred.
"""


class UnscaledBatchNorm2d(nn.BatchNorm2d):
    """Normalize each channel over a batch, then shift it: ``(x - mean) / sqrt(var + eps) + bias``.

    A scale before a ReLU changes nothing that the weights of the next layer could not undo, and
    TensorFlow's layer leaves it out by default. So each channel has one parameter, like the bias of
    a convolution without normalization.

    The factor of 1 is kept as a buffer, because the fast kernels of GPUs ask for one.

    Args:
        num_features: Number of channels.
        eps: What is added to a variance.
        momentum: Share of a running average that one batch replaces.
    """

    ones: Tensor

    def __init__(
        self, num_features: int, *, eps: float = EPSILON, momentum: float = MOMENTUM
    ) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)
        self.register_parameter("weight", None)
        self.register_buffer("ones", torch.ones(num_features), persistent=False)

    def reset_parameters(self) -> None:
        """Make the shift 0 and forget what was seen."""
        self.reset_running_stats()
        nn.init.zeros_(self.bias)
        if "ones" in self._buffers:  # the base class calls this before there is one
            nn.init.ones_(self.ones)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize images.

        Args:
            input: Images, shape ``(n, num_features, height, width)``.

        Returns:
            Of the same shape.
        """
        share = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if share is None:  # the mean over all batches, as in `torch.optim.swa_utils.update_bn`
                share = 1 / float(self.num_batches_tracked)
        return batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.ones,
            self.bias,
            self.training,
            share or 0.0,
            self.eps,
        )
