"""What a fit reads its examples from, wherever they lie."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from corruptlab._draws import Draws
from corruptlab.training._processes import Processes


@dataclass(frozen=True)
class Batch:
    """One process's share of one batch, on the device.

    Args:
        inputs: As the network takes them, shape ``(b, ...)``. They may lie in a buffer that the
            next batch overwrites.
        targets: Labels, ``int64``, shape ``(b,)``.
        weight: What the mean loss of the share counts for in the mean over all processes, so
            that this is the mean loss of the whole batch; 1 for a process alone.
    """

    inputs: Tensor
    targets: Tensor
    weight: float


class Source(Protocol):
    """Examples on their way to the network."""

    @property
    def role(self) -> str:
        """What the user calls this data set; errors quote it."""

    @property
    def targets(self) -> Tensor | None:
        """All labels, shape ``(n,)``, if they are known without reading the inputs."""

    def __len__(self) -> int:
        """Return the number of examples, over all processes."""

    def shuffled(self, epoch: int, size: int, start: int) -> Iterator[Batch]:
        """Yield this process's share of the batches of one epoch, in the epoch's data order.

        Args:
            epoch: Number of the epoch, from 0.
            size: Examples of a whole batch; the last one holds what is left.
            start: Batches to leave out at the beginning.
        """

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of all examples, prepared without anything random.

        Args:
            size: Examples at a time.
        """

    def lay_out(self, *, channels_last: bool) -> None:
        """Choose how images lie in memory; the values stay.

        Args:
            channels_last: Whether the channels of a pixel lie side by side.
        """

    def check_labels(self, num_classes: int) -> None:
        """Refuse labels that have no output, at the latest when they are read.

        Args:
            num_classes: Outputs of the network.
        """

    def first(self, count: int) -> Tensor:
        """Return some inputs as the network takes them, in memory of their own.

        Args:
            count: How many, at most.
        """

    def digest(self) -> str:
        """Return what tells these examples from others."""


def data_order(seed: int, epoch: int, n: int) -> Tensor:
    """Return the order in which one epoch visits the examples.

    Args:
        seed: The seed of the fit.
        epoch: Number of the epoch, counted from 0.
        n: Number of examples.

    Returns:
        Permutation ``epoch`` of the stream ``"fit/order"``, ``int64``, shape ``(n,)``. Any epoch
        can be asked for directly, so that a resumed fit needs no history.
    """
    return torch.from_numpy(Draws(seed).permutations("fit/order", [epoch], n)[0])


def own_share(ids: Tensor, processes: Processes) -> tuple[Tensor, float]:
    """Return which examples of a batch are this process's, and the weight of their mean loss.

    Args:
        ids: Positions of all examples of the batch, shape ``(b,)``, b >= 1.
        processes: Who takes part.

    Returns:
        Positions, at least one, and the weight (see `Batch`). A process for which
        nothing is left takes the first example with weight 0, because all have to take part in
        the exchange of gradients.
    """
    if processes.size == 1:
        return ids, 1.0
    own = ids[processes.share(len(ids))]
    if len(own) == 0:
        return ids[:1], 0.0
    return own, len(own) * processes.size / len(ids)


def check_labels(targets: Tensor, role: str, *, num_classes: int) -> None:
    """Refuse labels that have no output.

    Args:
        targets: Labels, shape ``(n,)``.
        role: What the user calls their data set; the error quotes it.
        num_classes: Outputs of the network.

    Raises:
        ValueError: If a label is out of range.
    """
    check_classes(targets, f"`{role}` labels", num_classes=num_classes)


def check_classes(targets: Tensor, what: str, *, num_classes: int) -> None:
    """Refuse classes that have no output.

    Args:
        targets: Classes, of any shape.
        what: What the error calls them.
        num_classes: Outputs of the network.

    Raises:
        ValueError: If a class is out of range.
    """
    low, high = (int(value) for value in targets.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"{what} must lie in 0 .. {num_classes - 1}, "
            f"the {num_classes} outputs of `model`, got {low if low < 0 else high}."
        )


def check_finite(inputs: Tensor, role: str, ids: Sequence[int] | None = None) -> None:
    """Refuse inputs that are infinite or not a number.

    Args:
        inputs: Some inputs, shape ``(n, ...)``.
        role: What the user calls their data set; the error quotes it.
        ids: Their positions in the data set; None for 0 .. n - 1.

    Raises:
        ValueError: If one is not finite; the message names the example.
    """
    # The sum of all is finite if and (but for overflow) only if all are: one fast pass.
    if not inputs.is_floating_point() or bool(inputs.sum().isfinite()):
        return
    finite = inputs.reshape(len(inputs), -1).isfinite().all(dim=1)
    if not bool(finite.all()):
        bad = int(finite.logical_not().nonzero()[0])
        example = bad if ids is None else ids[bad]
        raise ValueError(f"`{role}` must hold finite inputs, got nan or inf in example {example}.")


def spots(n: int) -> list[int]:
    """Return a few positions, from the first to the last, that stand for ``n`` examples."""
    return [k * (n - 1) // 7 for k in range(8)]


def digest_of(shape: Sequence[int], inputs: Tensor, targets: Tensor) -> str:
    """Return a digest of a data set.

    Args:
        shape: Shape of all its inputs.
        inputs: Some of them, on the CPU.
        targets: Labels, on the CPU.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(repr(tuple(shape)).encode())
    for values in (inputs, targets):
        digest.update(values.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
