"""What a fit tries on a few examples before it trains: shapes, the loss, and batch norm."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from corruptlab._modules import evaluating, first_line, scores_of
from corruptlab._structured import Inputs, outputs_of, shapes_of
from corruptlab.training._data import DataSource
from corruptlab.training._distributed import Processes
from corruptlab.training._metrics import Loss


def check_outputs(model: nn.Module, sources: Sequence[DataSource]) -> int:
    """Try the network on two examples and compare its outputs with all labels."""
    inputs = sources[0].first(2)
    want = shapes_of(inputs)
    for source in sources[1:]:
        got = want if source.is_collated else shapes_of(source.first(1))
        if got != want:
            raise ValueError(
                f"`{source.role}` inputs must have the shape of `train`'s, {want}, got {got}."
            )
        if source.classes != sources[0].classes:
            raise ValueError(
                f"`{source.role}` must have the classes of `train`, {sources[0].classes}, got "
                f"{source.classes}; give it theirs with corrupt({source.role}, classes=...)."
            )
    num_classes = scores_of(model, inputs).shape[1]
    for source in sources:
        source.check_labels(num_classes)
    return num_classes


def check_loss(loss: Loss, num_classes: int, device: torch.device) -> None:
    """Try the loss on some examples, not as many as there are classes: shapes must not agree."""
    count = 3 if num_classes == 2 else 2
    outputs = torch.zeros(count, num_classes, dtype=torch.float32, device=device)
    labels = torch.zeros(count, dtype=torch.int64, device=device)
    tried: Callable[[Tensor, Tensor], object] = loss  # whose type is only a promise
    try:
        with torch.no_grad():
            mean = tried(outputs, labels)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        found = f"the error: {first_line(error).rstrip('.')}"
    else:
        if isinstance(mean, Tensor) and mean.ndim == 0:
            return
        found = f"shape {tuple(mean.shape)}" if isinstance(mean, Tensor) else type(mean).__name__
    raise ValueError(
        "`loss` must take outputs (b, num_classes) and integer labels (b,), and return their mean "
        f"loss, a tensor of shape (), got {found}."
    )


def check_batch_norm(
    model: nn.Module,
    example: Callable[[], Inputs],
    n: int,
    batch_size: int,
    processes: Processes,
) -> None:
    """Reject batches in which batch norm would see a single value a channel."""
    smallest = min(n, batch_size, n % batch_size or n)
    if smallest // processes.size > 1:
        return
    with _seen_by_batch_norm(model) as seen, evaluating(model):
        outputs_of(model, example())
    if any(shape.numel() == shape[1] for shape in seen):
        raise ValueError(
            "`recipe.batch_size` must leave batch norm more than one value a channel in every "
            f"batch, got {batch_size}, with which one of the {n} examples is alone in the last."
        )


@contextmanager
def _seen_by_batch_norm(model: nn.Module) -> Iterator[list[torch.Size]]:
    """Note the shapes of what layers of batch norm are given for a while."""
    seen: list[torch.Size] = []

    def note(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen.append(arguments[0].shape)

    alone = [  # the others take the statistics of all processes
        layer
        for layer in model.modules()
        if isinstance(layer, _BatchNorm) and not isinstance(layer, nn.SyncBatchNorm)
    ]
    hooks = [layer.register_forward_pre_hook(note) for layer in alone]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
