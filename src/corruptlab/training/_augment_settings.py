"""Which random changes are made to images, and how large they are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of every image in every epoch, so that no image is seen twice alike.

    They come in this order, each by an amount of its own for every image:

    1. pixels / 255, if they are bytes;
    2. rotation of the whole image about its centre, by bilinear interpolation, counter-clockwise;
       what lies beyond the edge is the image mirrored there, so that no border shows;
    3. crop, at random or in the centre;
    4. flip;
    5. brightness, clipped to ``[0, 1]``;
    6. saturation;
    7. hue.

    Crop, flip, and rotation read the image once, and without rotation exactly. Values stay in
    ``[0, 1]``; whitening comes afterwards. That is why brightness is clipped, as TensorFlow
    does with bytes but not with floats: whitening subtracts the mean of the image,
    and so would undo an offset that is not clipped, whatever its size.

    For one seed each change draws the same numbers whether or not others are on, and a narrower
    range only scales its amounts down.

    Args:
        random_crop: Whether the crop of the recipe lies anywhere, each place alike, rather than
            in the centre.
        flip: Whether left and right are exchanged with probability 1/2.
        rotation: Largest angle in degrees, in ``[0, 180]``; angles are uniform on
            ``[-rotation, rotation]``. The paper turns by up to 25.
        brightness: Largest offset to pixels in ``[0, 1]``, in ``[0, 1]``; offsets are uniform on
            ``[-brightness, brightness]``. TensorFlow's CIFAR-10 tutorial takes 63 / 255.
        saturation: Largest relative change of the saturation, in ``[0, 1)``; factors are uniform
            on ``[1 - saturation, 1 + saturation]``. For images of 3 channels only.
        hue: Largest shift of the hue as a share of the color circle, in ``[0, 0.5]``; shifts are
            uniform on ``[-hue, hue]``. For images of 3 channels only.

    Raises:
        TypeError: If a value is of the wrong kind.
        ValueError: If a value is out of its range.

    Example:
        >>> changes = Augmentation(flip=True, rotation=25)
        >>> changes.is_identity
        False
        >>> Augmentation.from_dict(changes.to_dict()) == changes
        True

    Source: Zhang et al. 2017, §3 and Table 4 in the appendix, which does not give the ranges of
    the colors; ``tf.image`` for brightness, saturation, and hue.
    """

    random_crop: bool = False
    flip: bool = False
    rotation: float = 0.0
    brightness: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("random_crop", "flip"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"`{name}` must be True or False, got {getattr(self, name)!r}.")
        self._require(0 <= self._as_float("rotation") <= 180, "rotation", "[0, 180]")
        self._require(0 <= self._as_float("brightness") <= 1, "brightness", "[0, 1]")
        self._require(0 <= self._as_float("saturation") < 1, "saturation", "[0, 1)")
        self._require(0 <= self._as_float("hue") <= 0.5, "hue", "[0, 0.5]")

    @property
    def is_identity(self) -> bool:
        """Whether nothing is changed."""
        return self == Augmentation()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Augmentation":
        """Build an augmentation from what `to_dict` gave.

        Args:
            values: Names and values of the fields; any may be left out.

        Returns:
            The augmentation.

        Raises:
            ValueError: If a name is unknown.
        """
        known = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"`values` must only name {', '.join(known)}, got {unknown[0]!r}.")
        return cls(**values)

    def _as_float(self, name: str) -> float:
        """Store a field as a plain float, so that equal ones print and serialize alike."""
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"`{name}` must be a number, got {value!r}.")
        object.__setattr__(self, name, float(value))
        return float(value)

    def _require(self, condition: bool, name: str, interval: str) -> None:
        if not condition:
            raise ValueError(f"`{name}` must lie in {interval}, got {getattr(self, name)}.")
