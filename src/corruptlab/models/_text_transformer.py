"""A small transformer encoder for sequences of tokens."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from corruptlab._checks import at_least
from corruptlab.models._initialization import Initialization, build
from corruptlab.models._layers import check_num_classes


def text_transformer(
    num_tokens: int,
    *,
    length: int,
    num_classes: int = 2,
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    seed: int = 0,
    init: Initialization = "glorot_uniform",
) -> nn.Module:
    """Build a transformer encoder for the classification of token sequences.

    Token and position embeddings are added. Each of the ``depth`` blocks consists of a
    self-attention layer and a ReLU layer of ``4 * width`` units, each with pre-layer normalization
    and a residual connection. After a final layer norm, the mean over the positions is the input of
    a linear layer. Token 0 is padding: it is masked in the attention and excluded from the mean.
    There is no dropout.

    With ``w = width``, the number of parameters is ``(num_tokens + length) * w + depth * (12 * w**2
    + 13 * w) + 2 * w + (w + 1) * num_classes``.

    Args:
        num_tokens: Size of the vocabulary; token ids are ``0 .. num_tokens - 1``.
        length: Length of the sequences, including padding.
        num_classes: Number of outputs, >= 1.
        width: Embedding size, a multiple of ``heads``.
        depth: Number of blocks, >= 1.
        heads: Number of attention heads, >= 1.
        seed: Seed of the initial weights; any integer >= 0.
        init: Distribution of the initial weights, see `initialize`.

    Returns:
        The network. It maps tokens of shape ``(n, length)`` to logits of shape
        ``(n, num_classes)``.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is below 1, ``width`` is not a multiple of ``heads``, or ``init`` is
            unknown.

    Example:
        >>> import torch
        >>> from corruptlab.models import text_transformer
        >>> network = text_transformer(40, length=12)
        >>> sum(parameter.numel() for parameter in network.parameters())
        103554
        >>> network(torch.tensor([[7, 3, 4] + 9 * [0]])).shape
        torch.Size([1, 2])

    Source: Vaswani et al. 2017, "Attention Is All You Need", §3.1 to §3.3, with layer norm before
    each layer as in Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture".
    """
    sizes = {"num_tokens": num_tokens, "length": length, "width": width, "depth": depth}
    for name, value in {**sizes, "heads": heads}.items():
        at_least(1, name, value)
    check_num_classes(num_classes, width)
    if width % heads:
        raise ValueError(f"`width` must be a multiple of `heads`, {heads}, got {width}.")
    return build(
        lambda: _TextTransformer(num_tokens, length, num_classes, width, depth, heads),
        init,
        seed=seed,
    )


class _TextTransformer(nn.Module):
    def __init__(
        self, num_tokens: int, length: int, num_classes: int, width: int, depth: int, heads: int
    ) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(num_tokens, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.norm, self.scores = nn.LayerNorm(width), nn.Linear(width, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        is_token = tokens != 0
        hidden = self.tokens(tokens) + self.positions.weight
        for block in self.blocks:
            hidden = block(hidden, is_token)
        hidden = self.norm(hidden) * is_token[:, :, None]
        total = is_token.sum(1, keepdim=True).clamp(min=1)
        scores: Tensor = self.scores(hidden.sum(1) / total)
        return scores


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor, is_token: Tensor) -> Tensor:
        hidden = hidden + self._attended(self.norm_1(hidden), is_token)
        added: Tensor = self.down(torch.relu(self.up(self.norm_2(hidden))))
        return hidden + added

    def _attended(self, hidden: Tensor, is_token: Tensor) -> Tensor:
        n, length, width = hidden.shape
        parts = self.queries_keys_values(hidden).view(n, length, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        # A sequence of padding alone attends to all of it: no softmax over nothing.
        may = is_token | ~is_token.any(1, keepdim=True)
        found = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=may[:, None, None, :]
        )
        mixed: Tensor = self.mix(found.transpose(1, 2).reshape(n, length, width))
        return mixed
