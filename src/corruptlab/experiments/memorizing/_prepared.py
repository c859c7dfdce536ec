"""A network together with what its recipe does to inputs."""

from torch import Tensor, nn

from corruptlab.training import Recipe


class Prepared(nn.Module):
    """A network that crops and whitens inputs as `fit` does before the network sees them.

    `fit` prepares inputs on its own, so the network that it trained is a predictor for prepared
    inputs only; this one takes them as the data set serves them.

    Args:
        network: The network, which is not copied.
        recipe: What it is trained by.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> recipe = cl.Recipe(learning_rate=0.1, epochs=1)
        >>> whole = cl.experiments.Prepared(cl.mlp(input_shape=(1, 8, 8)), recipe)
        >>> whole(torch.zeros(3, 1, 8, 8, dtype=torch.uint8)).shape
        torch.Size([3, 10])
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self._recipe = recipe

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores of inputs as they are stored.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``.

        Returns:
            Scores, shape ``(n, num_classes)``.
        """
        scores: Tensor = self.network(self._recipe.prepare(inputs))
        return scores
