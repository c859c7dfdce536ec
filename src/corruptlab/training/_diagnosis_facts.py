"""What a diagnosis goes by."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy
from torch import Tensor

from corruptlab._checks import check_probability, natural
from corruptlab.training._diagnosis_curve import Curve
from corruptlab.training._duplicates import Duplicates, find_duplicates


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """What was seen of one fit, whether `fit` made it or another loop.

    Args:
        losses: Mean loss of each batch before its update, finite, one a step.
        targets: The labels that were trained on, integers, shape ``(n,)``, n >= 1; None if they
            were never together.
        train_accuracy: Share of the training examples that the network got right in the end.
        stopped_by: What ended the fit: ``"epochs"`` (all that were allowed), ``"interrupted"``, or
            the name of a stopping rule such as ``"budget"``.
        steps_per_epoch: Steps of a whole epoch, >= 1.
        batch_size: Examples in a batch, >= 1, the last one of an epoch apart.
        num_parameters: Numbers that were trained.
        learning_rate: Rate in the first epoch, > 0.
        decay: Factor on the rate after every epoch, in ``(0, 1]``.
        inputs: The inputs as the network saw them, but for augmentation, shape ``(n, ...)``; None
            if they were never together, which leaves out what only they can show.
        momentum: Share of the last update that is kept, in ``[0, 1)``: SGD's; 0 for AdamW, whose
            weight decay is apart from it; None for Adam and others that divide weight decay by the
            size of the gradient, so that what it did cannot be told.
        weight_decay: Multiple of the weights that was added to the gradient, >= 0.
        dropout: Probabilities of the dropout layers, each in ``[0, 1]``.
        augmentation: What was changed at random in every input anew, in words; None for nothing.
        cross_entropy: Whether the loss is plain cross-entropy, so that its values can be compared
            with what guessing has. Otherwise some reasons cannot be seen.
        num_examples: How many examples there are; only needed if ``targets`` is None.
        num_classes: The same for classes, which are then taken to be equally frequent.
        labels_before: Labels of some examples, by their number, as the data set first gave them;
            only needed if ``targets`` is None.
        labels_again: Labels of some examples as it gave them when it was asked once more.
        streamed: Whether the examples were read anew in every epoch, and not kept.

    Raises:
        TypeError: If a count or a probability is not a number.
        ValueError: If a value is out of its range, or lengths do not agree.

    Example:
        >>> import torch
        >>> facts = Facts(
        ...     losses=[1.2, 1.1], targets=torch.tensor([0, 1]), train_accuracy=0.5,
        ...     stopped_by="epochs", steps_per_epoch=2, batch_size=1, num_parameters=9,
        ...     learning_rate=0.1,
        ... )
        >>> facts.curve.epochs
        1.0
    """

    losses: Sequence[float]
    targets: Tensor | None
    train_accuracy: float
    stopped_by: str
    steps_per_epoch: int
    batch_size: int
    num_parameters: int
    learning_rate: float
    decay: float = 1.0
    inputs: Tensor | None = None
    momentum: float | None = 0.0
    weight_decay: float = 0.0
    dropout: Sequence[float] = ()
    augmentation: str | None = None
    cross_entropy: bool = True
    num_examples: int | None = None
    num_classes: int | None = None
    labels_before: Mapping[int, int] = field(default_factory=dict)
    labels_again: Mapping[int, int] = field(default_factory=dict)
    streamed: bool = False

    def __post_init__(self) -> None:
        check_probability("train_accuracy", self.train_accuracy)
        for rate in self.dropout:
            check_probability("dropout", rate)
        for name in ("steps_per_epoch", "batch_size"):
            self._require(natural(name, getattr(self, name)) >= 1, name, "be at least 1")
        natural("num_parameters", self.num_parameters)
        self._require(0 < self.learning_rate < math.inf, "learning_rate", "be greater than 0")
        self._require(0 < self.decay <= 1, "decay", "lie in (0, 1]")
        self._require(self.momentum is None or 0 <= self.momentum < 1, "momentum", "lie in [0, 1)")
        self._require(0 <= self.weight_decay < math.inf, "weight_decay", "be at least 0")
        self._check_examples()
        for step, loss in enumerate(self.losses, start=1):
            if not math.isfinite(loss):
                raise ValueError(f"`losses` must be finite, got {loss} at step {step}.")

    @property
    def n(self) -> int:
        """Number of training examples."""
        if self.targets is not None:
            return len(self.targets)
        assert self.num_examples is not None
        return self.num_examples

    @cached_property
    def curve(self) -> Curve:
        """How the loss went."""
        left = self.n - (self.steps_per_epoch - 1) * self.batch_size
        return Curve(
            losses=self.losses,
            steps_per_epoch=self.steps_per_epoch,
            decay=self.decay,
            guessing=self._guessing,
            last_weight=left / self.batch_size if 0 < left < self.batch_size else 1.0,
        )

    @cached_property
    def duplicates(self) -> Duplicates | None:
        """Copies among the inputs; None if these, or their labels, are unknown."""
        if self.inputs is None or self.targets is None:
            return None
        return find_duplicates(self.inputs, self.targets)

    @cached_property
    def redrawn(self) -> int:
        """How many of ``labels_again`` differ from the labels that were there before."""
        before = self.labels_before
        if self.targets is not None:
            before = dict(enumerate(self.targets.tolist()))
        return sum(before[example] != label for example, label in self.labels_again.items())

    @property
    def _guessing(self) -> float | None:
        """Mean cross-entropy of predicting the frequencies of the labels, in nats."""
        if not self.cross_entropy:
            return None
        if self.targets is None:
            return None if self.num_classes is None else math.log(self.num_classes)
        _, counts = np.unique(self.targets.cpu().numpy(), return_counts=True)
        return float(scipy.special.entr(counts / counts.sum()).sum())

    def _check_examples(self) -> None:
        if self.targets is None:
            for name in ("num_examples", "num_classes"):
                given = getattr(self, name)
                if given is not None or name == "num_examples":
                    self._require(natural(name, given) >= 1, name, "be at least 1")
        elif self.targets.ndim != 1 or self.n == 0 or self.targets.is_floating_point():
            kind = f"{self.targets.dtype} of shape {tuple(self.targets.shape)}"
            raise ValueError(f"`targets` must be integers of shape (n,) with n >= 1, got {kind}.")
        if self.inputs is not None and len(self.inputs) != self.n:
            text = f"`inputs` must be as many as the labels, {self.n}, got {len(self.inputs)}."
            raise ValueError(text)
        known = range(self.n) if self.targets is not None else self.labels_before
        if unknown := [example for example in self.labels_again if example not in known]:
            text = f"`labels_again` must name examples of known labels, got {unknown[0]}."
            raise ValueError(text)

    def _require(self, condition: bool, name: str, text: str) -> None:
        if not condition:
            raise ValueError(f"`{name}` must {text}, got {getattr(self, name)}.")
