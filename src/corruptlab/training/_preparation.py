"""From stored inputs to what the network sees."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from corruptlab.training._augmentation import Augmentation, augment, augmentation_draws
from corruptlab.training._preprocess import as_floats, center_crop, whiten
from corruptlab.training._recipe import Recipe


@dataclass(frozen=True)
class Preparation:
    """What a recipe does to inputs before the network sees them.

    Args:
        crop: Height and width to keep, or None for whole images.
        whitened: Whether each image is whitened.
        augmentation: Random changes in training, or None.
    """

    crop: int | None
    whitened: bool
    augmentation: Augmentation | None

    @classmethod
    def of(cls, recipe: Recipe) -> "Preparation":
        """Return what a recipe asks for; an augmentation that changes nothing is none."""
        wanted = recipe.augmentation
        changes = None if wanted is None or wanted.is_identity else wanted
        return cls(recipe.crop, recipe.whiten, changes)

    def fixed(self, inputs: Tensor) -> Tensor:
        """Return inputs as they are measured: cropped in the centre, and whitened.

        Args:
            inputs: Stored inputs, shape ``(n, ...)``.

        Returns:
            What the network takes, on the same device.
        """
        if self.crop is not None:
            inputs = center_crop(inputs, self.crop)
        return whiten(inputs) if self.whitened else as_floats(inputs)

    def augmented(self, inputs: Tensor, draws: Tensor) -> Tensor:
        """Return inputs as they are trained on: changed at random, cropped, and whitened.

        Args:
            inputs: Stored images, shape ``(n, channels, height, width)``.
            draws: Their random numbers, see `augmentation_draws`.

        Returns:
            What the network takes, on the same device.
        """
        assert self.augmentation is not None
        images = augment(inputs, draws, augmentation=self.augmentation, crop=self.crop)
        return whiten(images) if self.whitened else images

    def check(self, inputs: Tensor, role: str) -> None:
        """Refuse inputs that cannot be prepared so.

        Args:
            inputs: Some stored inputs, shape ``(n, ...)``.
            role: What the user calls their data set; the error quotes it.

        Raises:
            TypeError: If the inputs are of a type that cannot be whitened or augmented.
            ValueError: If the crop does not fit, or the inputs cannot be whitened or augmented so.
        """
        shape = tuple(inputs.shape[1:])
        if self.crop is not None and (len(shape) < 2 or min(shape[-2:]) < self.crop):
            raise ValueError(
                f"`recipe.crop` must fit the images of `{role}`, {shape}, got {self.crop}."
            )
        if self.whitened and inputs.dtype != torch.uint8 and not inputs.is_floating_point():
            raise TypeError(
                f"`recipe.whiten` must be False for inputs that are neither bytes nor floats, got "
                f"True for {inputs.dtype} in `{role}`."
            )
        if self.whitened and math.prod(shape) <= 1:
            raise ValueError(
                "`recipe.whiten` must be False for inputs of a single value, of which it would "
                f"leave 0, got True for shape {shape} in `{role}`."
            )
        if self.augmentation is not None and len(shape) != 3:
            raise ValueError(
                "`recipe.augmentation` needs images of shape (channels, height, width), "
                f"got {shape} in `{role}`."
            )
        if self.augmentation is not None:  # an empty batch shows all else that would not do
            self.augmented(inputs[:0], augmentation_draws(self.augmentation, seed=0, epoch=0, n=0))
