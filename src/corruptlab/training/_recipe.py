"""Hyper-parameters of one fit."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, Literal, TypeAlias, get_args, overload

import torch
from torch import Tensor

from corruptlab._arrays import check_dense, check_finite
from corruptlab._checks import as_float, check_names, check_number
from corruptlab._structured import Inputs, StructuredInputs
from corruptlab.training._standardization import Moments, Per, Standardization, blocks
from corruptlab.training._transforms import (
    Augmentation,
    as_floats,
    augment,
    augmentation_draws,
    center_crop,
)
from corruptlab.training._transforms import whiten as whitened

Optimizer: TypeAlias = Literal["sgd", "nesterov", "adam", "adamw", "rmsprop"]
"""Names of the optimizers that a recipe can ask for."""

Precision: TypeAlias = Literal["float32", "bfloat16", "auto"]
"""Types that a recipe can ask for, of the products of a network; weights are always float32."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hyper-parameters of a training run.

    The default optimizer is stochastic gradient descent with heavy-ball momentum on the mean loss
    of each batch: ``v = momentum * v + gradient``, ``w = w - rate * v``, with ``rate =
    learning_rate * decay**epoch`` for epoch 0, 1, 2, ... The last batch of an epoch may be smaller.

    The defaults assume nothing about the data: the learning rate is constant, and inputs are not
    changed, except that bytes are divided by 255. `corruptlab.training.recipes.cifar10` returns the
    paper's settings for CIFAR-10 (whitened images, a rate that decays by 0.95 per epoch). Whitening
    removes the mean and the contrast of every image, and with them the signal of data whose classes
    differ in brightness. A decay per epoch depends on the size of the training set: epochs of fewer
    images have fewer steps.

    Inputs are prepared in this order: crop (or augmentation, which crops), division of bytes by
    255, ``whiten``, ``standardize``. With ``standardize="channels"`` or ``"features"``, every fit
    computes mean and standard deviation from its training inputs (center-cropped, not augmented,
    each example once) and applies them to training, validation, and test inputs. The recipe in its
    report contains them. With random transforms, one pass over the data is used.

    Args:
        learning_rate: Learning rate in the first epoch, > 0.
        epochs: Maximum number of epochs, >= 1; `fit` stops earlier when the training set is
            interpolated.
        optimizer: ``"sgd"``, ``"nesterov"`` (the same with Nesterov's momentum), ``"adam"``,
            ``"adamw"``, or ``"rmsprop"``, as in ``torch.optim``. Pass any other optimizer to
            `fit` as a function.
        momentum: Momentum, in ``[0, 1)``; the first beta of Adam.
        decay: Factor of the learning rate after every epoch, in ``(0, 1]``; 1 for a constant rate.
        batch_size: Examples per batch, >= 1. The paper does not state it; 128 is a common choice.
        weight_decay: L2 penalty: multiple of every trained parameter that is added to its gradient,
            >= 0; with ``"adamw"``, decoupled from the gradient.
        dropout: Dropout probability of all dropout layers of the network, in ``[0, 1)``; 0
            disables them, and None does not change them.
        augmentation: Random transforms of every image in every epoch; None for no augmentation.
        crop: Height and width of the center crop, >= 1, or None for whole images.
        whiten: Whether each input is shifted and scaled to mean 0 and standard deviation 1 (see
            `whiten`). Otherwise bytes are divided by 255 and floats are not changed.
        standardize: ``"channels"`` shifts and scales each channel (the first axis of an input) to
            mean 0 and standard deviation 1 over the training set; ``"features"`` does the same for
            each element of an input, as for the columns of a table; a `Standardization` uses given
            statistics; None (default) does nothing. Constant channels or elements are shifted
            only, with a warning that names them.
        precision: ``"float32"``; ``"bfloat16"`` for products in that type, with float32 weights,
            accumulation, and losses; or ``"auto"`` for the faster of the two, by a short
            measurement.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If a value is out of range.

    Example:
        >>> from corruptlab import Recipe
        >>> recipe = Recipe(learning_rate=0.01, decay=0.95, epochs=100)
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
    decay: float = 1.0
    batch_size: int = 128
    weight_decay: float = 0.0
    dropout: float | None = None
    augmentation: Augmentation | None = None
    crop: int | None = None
    whiten: bool = False
    precision: Precision = "float32"
    standardize: Per | Standardization | None = None

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
        if not isinstance(self.standardize, Standardization | None):
            self._as_choice("standardize", get_args(Per))
        self._as_choice("optimizer", get_args(Optimizer))
        self._as_choice("precision", get_args(Precision))
        if self.optimizer == "nesterov":
            self._require(momentum > 0, "momentum", "be greater than 0 with Nesterov's")

    def learning_rate_in(self, epoch: int) -> float:
        """Return the learning rate of an epoch.

        Args:
            epoch: Number of the epoch, counted from 0.

        Returns:
            ``learning_rate * decay**epoch``.
        """
        return self.learning_rate * self.decay**epoch

    def input_shape(self, image_shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the network's input for images of ``image_shape``.

        Args:
            image_shape: Shape of one stored image, ``(..., height, width)``.

        Returns:
            The same shape with height and width cropped.
        """
        if self.crop is None:
            return tuple(image_shape)
        return (*image_shape[:-2], self.crop, self.crop)

    @overload
    def prepare(self, inputs: Tensor) -> Tensor: ...
    @overload
    def prepare(self, inputs: StructuredInputs) -> StructuredInputs: ...
    def prepare(self, inputs: Inputs) -> Inputs:
        """Return stored inputs prepared as for evaluation: center-cropped, whitened, standardized.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``, on any device.

        Returns:
            ``float32`` on the same device, cropped, whitened, and standardized according to the
            recipe. Without whitening and standardization, bytes are divided by 255, and other
            integers are not changed.

        Raises:
            TypeError: If the inputs are of a type that cannot be whitened.
            ValueError: If the crop does not fit the images, or the recipe does not contain the
                statistics of the standardization.
        """
        if isinstance(inputs, StructuredInputs):
            return inputs.map(as_floats, kinds=Tensor)
        return self._scaled(inputs if self.crop is None else center_crop(inputs, self.crop))

    def _scaled(self, inputs: Tensor) -> Tensor:
        """Return cropped or augmented inputs as a network takes them."""
        if self.whiten:
            inputs = whitened(inputs)
        if self.standardize is None:
            return inputs if self.whiten else as_floats(inputs)
        if isinstance(self.standardize, Standardization):
            return self.standardize(inputs)
        raise ValueError(
            "`recipe.standardize` must hold the statistics of a training set, got "
            f"{self.standardize!r}; the recipe in the report of a fit has them, and "
            "`Recipe.with_statistics_of` measures them."
        )

    @property
    def preparation(self) -> str:
        """``"plain"``, ``"whitened"``, ``"standardized"``, or ``"whitened+standardized"``."""
        named = {"whitened": self.whiten, "standardized": self.standardize is not None}
        return "+".join(name for name, on in named.items() if on) or "plain"

    @property
    def needs_statistics(self) -> bool:
        """Whether the statistics of the standardization are not computed yet."""
        return isinstance(self.standardize, str)

    def with_statistics_of(self, inputs: Inputs, *, name: str = "inputs") -> "Recipe":
        """Return the recipe with the means and standard deviations of training inputs.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``, on any device.
            name: Name of the inputs in errors.

        Returns:
            A recipe that can `prepare` inputs; this recipe if it requires no statistics.

        Raises:
            TypeError: If inputs of this dtype cannot be prepared.
            ValueError: If the shape of the inputs does not fit, or an input is not finite.

        Example:
            >>> import torch
            >>> from corruptlab import Recipe
            >>> recipe = Recipe(learning_rate=0.1, epochs=1, standardize="features")
            >>> heights = torch.tensor([[160.0], [170.0], [180.0]])
            >>> recipe.with_statistics_of(heights).standardize
            Standardization(mean=(170.0,), std=(8.16496580927726,), per='features')
        """
        if not self.needs_statistics:
            return self
        self.check_inputs(inputs, name=name)  # which admits only tensors here
        assert isinstance(inputs, Tensor)
        parts = blocks(range(len(inputs)), inputs.shape[1:])
        blocks_of_inputs = ((ids, inputs[ids.start : ids.stop]) for ids in parts)
        return self._measured_on(blocks_of_inputs, inputs[:1], name)

    def _measured_on(
        self,
        parts: Iterable[tuple[Sequence[int], Tensor]],
        first: Tensor,
        name: str,
        total: Callable[[Tensor], Tensor] = torch.clone,
    ) -> "Recipe":
        """Return the recipe with statistics of blocks of stored inputs; see `Moments`."""
        per: Per = "features" if self.standardize == "features" else "channels"
        moments = Moments(per, self._before_standardizing(first))
        for ids, inputs in parts:
            check_finite(inputs, name, ids)
            moments.add(self._before_standardizing(inputs))
        return replace(self, standardize=moments.result(total))

    def _before_standardizing(self, inputs: Tensor) -> Tensor:
        """Return stored inputs, cropped and, if the recipe says so, whitened."""
        cropped = inputs if self.crop is None else center_crop(inputs, self.crop)
        return whitened(cropped) if self.whiten else cropped

    def check_inputs(self, inputs: Inputs, *, name: str = "inputs") -> None:
        """Reject inputs that the recipe cannot prepare or augment.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``.
            name: Name of the inputs in errors.

        Raises:
            TypeError: If the inputs are of a type that cannot be whitened or augmented.
            ValueError: If their shape is invalid for the crop, the whitening, or the augmentation.
        """
        if isinstance(inputs, StructuredInputs):
            self._check_changes_nothing(name)
            return
        check_dense(inputs, name)
        shape = tuple(inputs.shape[1:])
        if self.crop is not None and (len(shape) < 2 or min(shape[-2:]) < self.crop):
            raise ValueError(
                f"`recipe.crop` must fit the images of `{name}`, {shape}, got {self.crop}."
            )
        if self.whiten and inputs.dtype != torch.uint8 and not inputs.is_floating_point():
            raise TypeError(
                f"`recipe.whiten` must be False for inputs that are neither bytes nor floats, got "
                f"True for {inputs.dtype} in `{name}`."
            )
        if self.whiten and math.prod(shape) <= 1:
            raise ValueError(
                "`recipe.whiten` must be False for inputs of a single value, of which it would "
                f"leave 0, got True for shape {shape} in `{name}`."
            )
        self._check_standardizable(inputs, name)
        if self.augmentation is None or self.augmentation.is_identity:
            return
        if len(shape) != 3:
            raise ValueError(
                "`recipe.augmentation` needs images of shape (channels, height, width), "
                f"got {shape} in `{name}`."
            )
        # An empty batch shows all else that would not do.
        draws = augmentation_draws(self.augmentation, seed=0, epoch=0, n=0).to(inputs.device)
        augment(inputs[:0], draws, augmentation=self.augmentation, crop=self.crop)

    def _check_changes_nothing(self, name: str) -> None:
        """Reject changes of inputs where these have several fields, and so are no images."""
        off = {"crop": None, "whiten": False, "standardize": None}
        changed = {key: value for key, value in off.items() if getattr(self, key) != value}
        if self.augmentation is not None and not self.augmentation.is_identity:
            changed["augmentation"] = None
        for key, value in changed.items():
            raise ValueError(
                f"`recipe.{key}` must be {value} for inputs with several fields or of other types "
                f"than tensors, as in `{name}`, got {getattr(self, key)!r}."
            )

    def _check_standardizable(self, inputs: Tensor, name: str) -> None:
        if self.standardize is None:
            return
        if inputs.is_complex():
            raise TypeError(
                f"`recipe.standardize` must be None for complex inputs, got {inputs.dtype} in "
                f"`{name}`."
            )
        if inputs.ndim < 2:
            raise ValueError(
                f"`recipe.standardize` must be None for inputs without an axis, got `{name}` of "
                f"shape {tuple(inputs.shape)}."
            )
        if isinstance(self.standardize, Standardization):
            self.standardize.check(self.input_shape(inputs.shape[1:]), name)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary of JSON types, without ``standardize`` if it is None.

        A recipe without it therefore has the same digest as in versions without this field.
        """
        values = asdict(self)
        if self.standardize is None:
            del values["standardize"]
        elif isinstance(self.standardize, Standardization):
            values["standardize"] = self.standardize.to_dict()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Build a recipe from a dictionary of `to_dict`.

        Args:
            values: Names and values of the fields; those with a default are optional.

        Returns:
            The recipe.

        Raises:
            ValueError: If a name is unknown or a field without default is missing.
        """
        check_names("values", values, [field.name for field in fields(cls)])
        for field in fields(cls):
            if field.default is MISSING and field.name not in values:
                raise ValueError(f"`values` must name {field.name}, got {sorted(values)}.")
        augmentation = values.get("augmentation")
        if isinstance(augmentation, Mapping):
            values = {**values, "augmentation": Augmentation.from_dict(augmentation)}
        standardize = values.get("standardize")
        if isinstance(standardize, Mapping):
            values = {**values, "standardize": Standardization.from_dict(standardize)}
        return cls(**values)

    def _as_choice(self, name: str, known: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {value!r}.")

    def _as_float(self, name: str) -> float:
        """Store a field as a plain float, so that equal recipes print and serialize alike."""
        value = getattr(self, name)
        check_number(name, value)
        number = as_float(value)
        self._require(math.isfinite(number), name, "be finite")
        object.__setattr__(self, name, number)
        return number

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
