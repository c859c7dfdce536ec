"""Hyper-parameters of one fit."""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

from corruptlab.training._augmentation import Augmentation

Optimizer: TypeAlias = Literal["sgd", "nesterov", "adam", "adamw", "rmsprop"]
"""Names of the optimizers that a recipe can ask for."""

Precision: TypeAlias = Literal["float32", "bfloat16", "auto"]
"""Types that a recipe can ask for, of the products of a network; weights are always float32."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides how a network is trained, but not on what.

    By default stochastic gradient descent with heavy-ball momentum on the mean loss of each batch:
    ``v = momentum * v + gradient``, ``w = w - rate * v``, with ``rate = learning_rate *
    decay**epoch`` for epoch 0, 1, 2, ... The last batch of an epoch holds what is left.

    The rate decays with *epochs*, so an epoch of fewer images, which has fewer steps, is
    decayed sooner: a recipe fits one size of training set.

    Args:
        learning_rate: Rate in the first epoch, > 0.
        epochs: Epochs at most, >= 1; `fit` stops earlier when the training set is interpolated.
        optimizer: ``"sgd"``, ``"nesterov"`` (the same with Nesterov's momentum), ``"adam"``,
            ``"adamw"``, or ``"rmsprop"``, as in ``torch.optim``. Anything else goes to `fit`
            as a function.
        momentum: Share of the last update that is kept, in ``[0, 1)``; the first beta of Adam.
        decay: Factor on the rate after every epoch, in ``(0, 1]``.
        batch_size: Examples in a batch, >= 1. The paper does not give it; 128 is what others take.
        weight_decay: Multiple of every trained parameter that is added to its gradient, >= 0;
            with ``"adamw"`` it shrinks the parameter apart from the gradient.
        dropout: Probability that every dropout layer of the network drops a unit, in ``[0, 1)``;
            0 switches them off, and None leaves each as it is.
        augmentation: Random changes of every image in every epoch, or None for none.
        crop: Height and width of the centre crop, >= 1, or None for whole images.
        whiten: Whether each image is whitened (see `whiten`); otherwise bytes become ``[0, 1]``.
        precision: ``"float32"``; ``"bfloat16"`` for products in that type, with float32 weights,
            sums, and losses; or ``"auto"`` for whichever is faster, by a short measurement.

    Raises:
        TypeError: If a value is of the wrong kind.
        ValueError: If a value is out of its range.

    Example:
        >>> from corruptlab import Recipe
        >>> recipe = Recipe(learning_rate=0.01, epochs=100)
        >>> recipe.learning_rate_in(epoch=2)
        0.009025
        >>> Recipe.from_dict(recipe.to_dict()) == recipe
        True

    Source: Zhang et al. 2017, App. A.
    """

    learning_rate: float
    epochs: int
    optimizer: Optimizer = "sgd"
    momentum: float = 0.9
    decay: float = 0.95
    batch_size: int = 128
    weight_decay: float = 0.0
    dropout: float | None = None
    augmentation: Augmentation | None = None
    crop: int | None = None
    whiten: bool = True
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        rate = self._as_float("learning_rate")
        self._require(rate > 0, "learning_rate", "be greater than 0")
        momentum = self._as_float("momentum")
        self._require(0 <= momentum < 1, "momentum", "lie in [0, 1)")
        decay = self._as_float("decay")
        self._require(0 < decay <= 1, "decay", "lie in (0, 1]")
        weight_decay = self._as_float("weight_decay")
        self._require(weight_decay >= 0, "weight_decay", "be at least 0")
        for name in ("epochs", "batch_size", "crop"):
            if name != "crop" or self.crop is not None:
                self._require(self._as_int(name) >= 1, name, "be at least 1")
        if not isinstance(self.whiten, bool):
            raise TypeError(f"`whiten` must be True or False, got {self.whiten!r}.")
        if self.dropout is not None:
            self._require(0 <= self._as_float("dropout") < 1, "dropout", "lie in [0, 1)")
        if not isinstance(self.augmentation, Augmentation | None):
            raise TypeError(
                f"`augmentation` must be an Augmentation or None, got {self.augmentation!r}."
            )
        self._as_choice("optimizer", get_args(Optimizer))
        self._as_choice("precision", get_args(Precision))
        if self.optimizer == "nesterov":
            self._require(momentum > 0, "momentum", "be greater than 0 with Nesterov's")

    def learning_rate_in(self, epoch: int) -> float:
        """Return the rate of one epoch.

        Args:
            epoch: Number of the epoch, counted from 0.

        Returns:
            ``learning_rate * decay**epoch``.
        """
        return self.learning_rate * self.decay**epoch

    def input_shape(self, image_shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape in which a network sees images of ``image_shape``.

        Args:
            image_shape: Shape of one stored image, ``(..., height, width)``.

        Returns:
            The same shape with height and width cropped.
        """
        if self.crop is None:
            return tuple(image_shape)
        return (*image_shape[:-2], self.crop, self.crop)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Build a recipe from what `to_dict` gave.

        Args:
            values: Names and values of the fields; those with a default may be left out.

        Returns:
            The recipe.

        Raises:
            ValueError: If a name is unknown or a field without default is missing.
        """
        known = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"`values` must only name {', '.join(known)}, got {unknown[0]!r}.")
        for field in fields(cls):
            if field.default is MISSING and field.name not in values:
                raise ValueError(f"`values` must name {field.name}, got {sorted(values)}.")
        augmentation = values.get("augmentation")
        if isinstance(augmentation, Mapping):
            values = {**values, "augmentation": Augmentation.from_dict(augmentation)}
        return cls(**values)

    def _as_choice(self, name: str, known: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {value!r}.")

    def _as_float(self, name: str) -> float:
        """Store a field as a plain float, so that equal recipes print and serialize alike."""
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"`{name}` must be a number, got {value!r}.")
        self._require(math.isfinite(value), name, "be finite")
        object.__setattr__(self, name, float(value))
        return float(value)

    def _as_int(self, name: str) -> int:
        value = getattr(self, name)
        try:
            number = operator.index(value)
        except TypeError:
            raise TypeError(f"`{name}` must be an integer, got {value!r}.") from None
        object.__setattr__(self, name, number)
        return number

    def _require(self, condition: bool, name: str, text: str) -> None:
        if not condition:
            raise ValueError(f"`{name}` must {text}, got {getattr(self, name)}.")
