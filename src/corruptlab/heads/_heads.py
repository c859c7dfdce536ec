"""Heads that predict random labels from the layers of a network while it is trained."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, distributed, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from typing_extensions import Self

from corruptlab._arrays import to_numpy
from corruptlab._checks import at_least, check_names, example_ids, not_negative, positive
from corruptlab._data import open_dataset
from corruptlab._draws import Draws
from corruptlab._modules import check_module
from corruptlab._types import Ids, MapDataset
from corruptlab.heads._readers import Readers
from corruptlab.heads._report import HeadsReport
from corruptlab.heads._state import check_parts, check_same, check_tensor

Features: TypeAlias = Callable[[Any], Tensor]
"""Computes the features of a head, shape ``(n, ...)``, from the output of a layer."""


class RandomLabelHeads:
    r"""Small heads that predict random labels from layers of a network during its training.

    Each training example is assigned random labels, which are uniform, independent of the data, and
    a function of ``seed`` and the example id alone. A head can predict them only if the output of
    its layer identifies the example. Its accuracy is a lower bound on what a classifier can predict
    from that output: an accuracy at chance does not rule out that another classifier does better.

    Call `loss` once after each forward pass of the training loop. It predicts the labels of the
    batch, counts the correct predictions, and then updates the heads. The labels of an example are
    therefore predicted before any head is trained on them: in the first epoch the number of correct
    predictions is binomial with probability ``1 / num_classes`` for every network.

    A head is a softmax regression without bias on the flattened output of the layer. Each feature
    is standardized over the batch. The weights start at 0 and are trained by Adam, inside `loss`,
    with the learning rate ``learning_rate / d`` for ``d`` features.

    With ``factor=0`` the heads only measure: they use detached features and a separate optimizer,
    they draw no random numbers, and `loss` returns a constant 0. The weights of the network are
    bitwise the same with and without heads. With ``factor > 0``, `loss` returns

    .. math:: \mathrm{factor} \cdot \frac{1}{L} \sum_l \mathrm{KL}(\mathrm{uniform} \,\|\, p_l),

    the divergence of the heads' predictions from the uniform distribution, averaged over the ``L``
    layers, the batch, and the labels, with the heads fixed. It is never negative. Added to the loss
    of the task, it trains the network to make its examples hard to identify.

    Forward hooks store the outputs of the layers until `loss` is called. Leaving the ``with``
    block, or `close`, removes the hooks. `fit` takes the heads as an option and calls `loss`
    itself. Pass a network in ``DistributedDataParallel`` with its wrapper: every process must call
    `loss` at every step, gradients of the heads are summed over the processes, and all processes
    return the same report. Create the heads of a compiled network before its first call.

    Args:
        model: The network that is trained, possibly under ``torch.compile`` or
            ``DistributedDataParallel``.
        dataset: The training set, which determines the example ids; see `with_ids`.
        layers: Names of layers as in ``model.named_modules()``, without the prefixes of wrappers.
        num_classes: Number of classes of each random label, >= 2.
        num_labels: Number of random labels per example, >= 1.
        factor: Weight of the regularizer, >= 0; with 0 the heads only measure.
        features: Function from the output of a layer to the features of its head, a tensor
            ``(n, ...)``, such as ``lambda maps: maps.mean((2, 3))``. By default the whole output.
        learning_rate: Approximate largest change of a score per step, > 0.
        seed: Seed of the labels; an integer >= 0.

    Attributes:
        model: The network, without wrappers.
        dataset: The training set.
        layers: Names of the layers.
        ids: Example ids by position in ``dataset``, ``int64``, shape ``(n,)``.

    Raises:
        TypeError: If ``model`` is not a module, ``dataset`` is not map-style, or an argument has
            the wrong type.
        ValueError: If ``layers`` is empty or contains a repeated or unknown name, the examples of
            ``dataset`` are not distinct, or a number is out of range.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> generator = torch.Generator().manual_seed(0)
        >>> train = cl.with_ids((torch.randn(64, 32, generator=generator), torch.arange(64) % 2))
        >>> layers = torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)
        >>> model = torch.nn.Sequential(*layers)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with cl.RandomLabelHeads(model, train, layers=["1", "2"]) as heads:
        ...     for epoch in range(20):
        ...         for inputs, labels, ids in torch.utils.data.DataLoader(train, batch_size=16):
        ...             loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        ...             loss = loss + heads.loss(ids)
        ...             optimizer.zero_grad()
        ...             loss.backward()
        ...             optimizer.step()
        >>> heads.report().accuracy.shape  # epochs, layers
        (20, 2)

    Source: the method is that of Becker, Konrad, Garcia Rodriguez, Risse 2026, "Random Label
    Prediction Heads for Studying Memorization in Deep Neural Networks", ICLR, and of Becker, Risse
    2024, "Learned Random Label Predictions as a Neural Network Complexity Metric", arXiv
    2411.19640. The implementation is independent; the linear heads and the prediction before
    each update differ from the papers. The regularizer is the confusion loss of Tzeng, Hoffman,
    Darrell, Saenko 2015, "Simultaneous Deep Transfer Across Domains and Tasks", ICCV, with examples
    in place of domains.
    """

    def __init__(
        self,
        model: nn.Module,
        dataset: MapDataset[Any],
        *,
        layers: Sequence[str],
        num_classes: int = 2,
        num_labels: int = 1,
        factor: float = 0.0,
        features: Features | None = None,
        learning_rate: float = 0.5,
        seed: int = 0,
    ) -> None:
        check_module(model)
        self.model: nn.Module
        self.model, self._group = _unwrapped(model)
        modules = dict(self.model.named_modules())
        self.layers: tuple[str, ...] = _checked_layers(layers, [name for name in modules if name])
        self._num_classes = at_least(2, "num_classes", num_classes)
        self._num_labels = at_least(1, "num_labels", num_labels)
        self._factor = not_negative("factor", factor)
        self._features = features
        self._draws = Draws(seed)
        self._readers = Readers(
            self._num_labels, self._num_classes, positive("learning_rate", learning_rate)
        )
        self.dataset: MapDataset[Any] = dataset
        self.ids: Ids = open_dataset(dataset).provenance().ids
        self._ids = _distinct(self.ids, "`dataset` must hold every example once, got example")
        self._dense = int(self._ids[-1]) + 1 == len(self._ids)  # ids are positions
        self._labels = self._drawn()
        self._visits = np.zeros(len(self._ids), np.int64)
        self._right: Tensor | None = None  # (layers, epochs)
        self._total = np.zeros(0, np.int64)  # (epochs,)
        self._shown = _Shown()
        self._hooks = [
            modules[name].register_forward_hook(_keeping(self._shown, name)) for name in self.layers
        ]

    @property
    def closed(self) -> bool:
        """Whether the hooks have been removed."""
        return not self._hooks

    def labels(self, ids: ArrayLike | Tensor) -> Tensor:
        """Return the random labels of examples.

        Args:
            ids: Example ids, shape ``(n,)``, without repetition.

        Returns:
            ``int64`` of shape ``(n, num_labels)``, values in ``0 .. num_classes - 1``.

        Raises:
            TypeError: If ``ids`` are not integers.
            ValueError: If an id is not in the data set or is repeated.
        """
        return torch.from_numpy(self._labels[self._positions(ids)]).long()

    def loss(self, ids: ArrayLike | Tensor, *, process_group: Any = None) -> Tensor:
        """Count correct predictions, train the heads, and return the regularizer.

        Args:
            ids: Ids of the examples of the last forward pass, in the same order, shape ``(n,)``.
                Keep them on the CPU; ids on a GPU cause a synchronization. In a process group,
                a process without examples of its own passes none.
            process_group: Group of ``torch.distributed`` whose processes train the heads together;
                by default that of ``DistributedDataParallel``, if the network is in it.

        Returns:
            ``float32`` scalar on the device of the features, to be added to the loss of the task:
            ``factor`` times the regularizer, or 0 if the heads only measure.

        Raises:
            TypeError: If ``ids`` are not integers.
            ValueError: If an id is not in the data set or is repeated, or the output of a layer
                is not a floating-point tensor with one row per id.
            RuntimeError: If a layer has not run since the last call, or the heads are closed.
        """
        group = self._group if process_group is None else process_group
        positions = self._positions(ids)
        if len(positions) == 0 and group is None:
            raise ValueError("`ids` must hold at least one number, got none.")
        features = [self._read(name, len(positions)) for name in self.layers]
        self._shown.outputs.clear()
        self._check_sizes(features)
        with _full_precision(features[0].device.type):
            added = self._regularizer(features)
            self._learn(positions, features, group)
        return added

    def report(self) -> HeadsReport:
        """Return the measurements so far.

        Returns:
            Accuracy by layer and epoch. Epoch ``k`` contains the ``k``-th visit of each example,
            in any order, even if the loop omits examples.
        """
        counts = [] if self._right is None else self._right.T.tolist()
        return HeadsReport(
            layers=self.layers,
            right=tuple(tuple(row) for row in counts[: len(self._total)]),
            total=tuple((self._total * self._num_labels).tolist()),
            num_examples=len(self._ids),
            num_classes=self._num_classes,
            num_labels=self._num_labels,
            factor=self._factor,
            seed=self._draws.seed,
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Ignore forward passes for a while, such as those over a test set.

        Without it, the outputs of the last forward pass stay in memory until the next one.
        """
        before, self._shown.paused = self._shown.paused, True
        try:
            yield
        finally:
            self._shown.paused = before

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the heads and the counts of correct predictions.

        Returns:
            Tensors, numbers, and strings, which ``torch.save`` and ``torch.load`` with
            ``weights_only=True`` accept. The tensors are copies on the CPU.
        """
        right = self._right if self._right is not None else torch.zeros(len(self.layers), 0)
        return {
            "heads": repr(self),
            "examples": _digest(self._ids),
            "visits": torch.from_numpy(self._visits.copy()),
            "right": right[:, : len(self._total)].to("cpu", torch.int64, copy=True),
            "total": torch.from_numpy(self._total.copy()),
            "readers": self._readers.state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a state: all later measurements have the bits of uninterrupted heads.

        Args:
            state: Return value of `state_dict` of heads with the same arguments.

        Raises:
            TypeError: If ``state`` is not a dictionary, or a part has another type.
            ValueError: If ``state`` is of heads with other arguments or examples, or a part is
                missing or has another shape.
        """
        check_parts(state, "heads", "examples", "visits", "right", "total", "readers")
        check_same("arguments", state["heads"], repr(self))
        check_same("examples", state["examples"], _digest(self._ids))
        check_tensor("visits", state["visits"], torch.int64, [len(self._ids)])
        check_tensor("total", state["total"], torch.int64, [None])
        epochs = len(state["total"])
        check_tensor("right", state["right"], torch.int64, [len(self.layers), epochs])
        self._readers.restore(state["readers"], len(self.layers))
        self._visits = state["visits"].numpy().copy()
        self._total = state["total"].numpy().copy()
        self._right = state["right"].clone() if len(self._total) else None

    def close(self) -> None:
        """Remove the hooks; `report` remains available."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._shown.outputs.clear()

    def __repr__(self) -> str:
        """Return the arguments that determine what is measured."""
        settings = (
            f"num_classes={self._num_classes}, num_labels={self._num_labels}, "
            f"factor={self._factor}, learning_rate={self._readers.rate}, seed={self._draws.seed}"
        )
        chosen = getattr(self._features, "__qualname__", type(self._features).__qualname__)
        features = "" if self._features is None else f", features={chosen}"
        return f"RandomLabelHeads(layers={list(self.layers)}, {settings}{features})"

    def __enter__(self) -> Self:
        """Return the heads."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the hooks, also after an error."""
        self.close()

    def _drawn(self) -> Ids:
        columns = [
            self._draws.integers(f"random_label_heads/label/{j}", self._ids, self._num_classes)
            for j in range(self._num_labels)
        ]
        return np.stack(columns, axis=1).astype(np.int32)

    def _positions(self, ids: ArrayLike | Tensor) -> Ids:
        """Return the positions of the ids in the sorted ids of the data set."""
        numbers = example_ids(to_numpy(ids) if isinstance(ids, Tensor) else ids)
        if self._dense:
            at, strangers = numbers, numbers[numbers >= len(self._ids)]
        else:
            at = np.searchsorted(self._ids, numbers)
            strangers = numbers[self._ids.take(at, mode="clip") != numbers]
        if len(strangers):
            low, high = int(self._ids[0]), int(self._ids[-1])
            raise ValueError(
                f"`ids` must be numbers of examples of `dataset`, which lie in {low} .. {high}, "
                f"got {strangers[0]}."
            )
        if len(set(numbers.tolist())) < len(numbers):
            _distinct(numbers, "`ids` must name every example of a batch once, got")
        return at

    def _read(self, name: str, n: int) -> Tensor:
        """Return the features of a layer, ``float32`` of shape ``(n, d)``."""
        if name not in self._shown.outputs:
            raise RuntimeError(
                f"`loss` must follow a forward pass, got no output of layer {name!r} since the "
                f"last call{'' if self._hooks else '; the heads are closed'}."
            )
        output = self._shown.outputs[name]
        rows = output if self._features is None else self._features(output)
        if not isinstance(rows, Tensor):
            got = type(rows).__name__
        elif not rows.is_floating_point():
            got = f"a tensor of {rows.dtype}"
        elif rows.ndim == 0 or (n and len(rows) != n):
            got = f"shape {tuple(rows.shape)} for {n} ids"
        else:
            rows = rows if self._factor else rows.detach()
            return (rows if n else rows[:0]).float().reshape(n, rows.shape[1:].numel())
        raise ValueError(
            "`layers` must have outputs that are tensors of floats whose first axis is the batch, "
            f"got {got} from {name!r}; `features` may choose or move what is to be read."
        )

    def _check_sizes(self, features: Sequence[Tensor]) -> None:
        self._readers.sized([each.shape[1] for each in features], features[0].device)
        for name, each, size in zip(self.layers, features, self._readers.sizes, strict=True):
            if each.shape[1] != size:
                raise ValueError(
                    f"`layers` must have outputs of one size, got {size} features at "
                    f"first and {each.shape[1]} later from {name!r}; `features` may pool them."
                )

    def _regularizer(self, features: Sequence[Tensor]) -> Tensor:
        if not self._factor or len(features[0]) == 0:
            return features[0].new_zeros(())
        confusions = [self._readers.confusion(at, each) for at, each in enumerate(features)]
        return self._factor * torch.stack(confusions).mean()

    @torch.no_grad()
    def _learn(self, positions: Ids, features: Sequence[Tensor], group: Any) -> None:
        """Predict, count, and make one step."""
        targets = torch.from_numpy(self._labels[positions]).to(features[0].device)
        right, gradient = self._readers.answers(features, targets)
        if group is not None:
            positions, right = _gathered(positions, right, group)
            gradient = _summed(gradient, group)
        self._count(positions, right)
        self._readers.step(gradient.div_(len(positions)))

    def _count(self, positions: Ids, right: Tensor) -> None:
        """Count right predictions by visit."""
        visits = self._visits[positions]
        np.add.at(self._visits, positions, 1)
        epochs = int(visits.max()) + 1
        if len(self._total) < epochs:
            self._total = np.concatenate([self._total, [0] * (epochs - len(self._total))])
        if self._right is None or self._right.shape[1] < epochs:
            larger = right.new_zeros(len(self.layers), 2 * epochs)
            if self._right is not None:
                larger[:, : self._right.shape[1]] = self._right
            self._right = larger
        self._right = self._right.to(right.device)  # loaded ones are on the CPU
        self._total += np.bincount(visits, minlength=len(self._total))
        self._right.index_add_(1, torch.from_numpy(visits).to(right.device), right)


@dataclass
class _Shown:
    """What layers have shown to hooks, which know of the heads no more than this."""

    outputs: dict[str, Any] = field(default_factory=dict)
    paused: bool = False


def _keeping(shown: _Shown, name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if not shown.paused:
            shown.outputs[name] = output

    return hook


def _full_precision(device: str) -> AbstractContextManager[Any]:
    """Let nothing be autocast; leaving it on where it is off would take time at every step."""
    is_on = torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if is_on else nullcontext()


def _summed(gradient: Tensor, group: Any) -> Tensor:
    """Return the sum over all processes, to the same bits in whatever order they are added."""
    total = gradient.double()
    distributed.all_reduce(total, group=group)
    return total.float()


def _unwrapped(model: nn.Module) -> tuple[nn.Module, Any]:
    """Return the network inside of wrappers, and the processes it is trained by."""
    group = None
    while True:
        inside = getattr(model, "_orig_mod", None)  # of torch.compile
        if isinstance(model, DistributedDataParallel):
            group, inside = model.process_group, model.module
        elif isinstance(model, DataParallel):
            raise TypeError(
                "`model` must not be in DataParallel, whose copies overwrite what one another "
                "shows; use DistributedDataParallel."
            )
        if not isinstance(inside, nn.Module):
            return model, group
        model = inside


def _checked_layers(layers: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    if isinstance(layers, str):
        raise TypeError(f"`layers` must be a list of names, got the string {layers!r}.")
    names = tuple(layers)
    if not names:
        raise ValueError(f"`layers` must name at least one of {', '.join(known)}, got none.")
    check_names("layers", names, known)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"`layers` must differ, got {name!r} twice.")
    return names


def _digest(ids: Ids) -> str:
    return hashlib.sha256(ids.tobytes()).hexdigest()


def _distinct(ids: Ids, rule: str) -> Ids:
    """Return ids in order; if one is repeated, say against which rule."""
    numbers, counts = np.unique(ids, return_counts=True)
    if len(numbers) < len(ids):
        raise ValueError(f"{rule} {numbers[counts.argmax()]} {counts.max()} times.")
    return numbers


def _gathered(positions: Ids, right: Tensor, group: Any) -> tuple[Ids, Tensor]:
    """Return positions and counts of all processes, one after the other."""
    # Collectives need tensors of one size: batches are filled up with -1 to the largest one.
    own = torch.cat([torch.from_numpy(positions).to(right.device)[None], right])
    most = torch.tensor(own.shape[1], device=own.device)
    distributed.all_reduce(most, distributed.ReduceOp.MAX, group=group)
    padded = own.new_full((len(own), int(most)), -1)
    padded[:, : own.shape[1]] = own
    everywhere = [torch.empty_like(padded) for _ in range(distributed.get_world_size(group))]
    distributed.all_gather(everywhere, padded, group=group)
    both = torch.cat(everywhere, dim=1)
    both = both[:, both[0] >= 0]
    return both[0].cpu().numpy(), both[1:]
