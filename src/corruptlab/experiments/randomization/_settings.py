"""The settings of the paper's randomization test, as data."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from corruptlab import corruptions
from corruptlab._checks import check_names, check_probability
from corruptlab._draws import Draws
from corruptlab._text import suggestion
from corruptlab._types import Ids, Labels
from corruptlab.corruptions import (
    Corruption,
    GaussianPixels,
    RandomLabels,
    RandomPixels,
    ResampledValues,
    ShuffledPixels,
    Specification,
    UniformLabels,
    is_input_corruption,
    is_label_corruption,
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a randomization test: the corruptions of the data before training.

    Input corruptions are applied to training and test inputs, label corruptions to training
    labels only. A setting without corruptions is the baseline of the others.

    Args:
        name: Name of the setting, such as ``"random-labels"``; not empty.
        label: Label in tables and figures, such as ``"random labels"``; ``name`` if empty.
        corruptions: Corruptions, applied in this order.

    Raises:
        TypeError: If ``name`` or ``label`` is not a string, or an element of ``corruptions`` is not
            a corruption.
        ValueError: If ``name`` is empty.

    Example:
        >>> import corruptlab as cl
        >>> few = cl.Setting(name="few", corruptions=(cl.UniformLabels(p=0.05),))
        >>> few
        Setting(name='few', label='few', corruptions=(UniformLabels(p=0.05),))
        >>> few.specification(seed=0)
        'uniform_labels(p=0.05)@seed=0'
    """

    name: str
    label: str = ""
    corruptions: tuple[Corruption, ...] = ()

    def __post_init__(self) -> None:
        for name in ("name", "label"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"`{name}` must be a string, got {getattr(self, name)!r}.")
        if not self.name:
            raise ValueError(f"`name` must not be empty, got {self.name!r}.")
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "corruptions", tuple(self.corruptions))
        for corruption in self.corruptions:
            if not (is_label_corruption(corruption) or is_input_corruption(corruption)):
                raise TypeError(f"`corruptions` must hold corruptions, got {corruption!r}.")

    @property
    def is_clean(self) -> bool:
        """Whether there are no corruptions."""
        return not self.corruptions

    def specification(self, seed: int) -> str | None:
        """Return corruptions and seed in one line, which `Specification.parse` parses.

        Args:
            seed: The seed.

        Returns:
            A text such as ``"uniform_labels(p=0.5)@seed=0"``; None if there are no corruptions, or
            if a corruption contains data and has no one-line form.
        """
        try:
            return str(Specification(self.corruptions, seed))
        except ValueError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-serializable dictionary; corruptions contain their type."""
        values = [_as_values(corruption) for corruption in self.corruptions]
        return {"name": self.name, "label": self.label, "corruptions": values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Setting":
        """Build a setting from a dictionary of `to_dict`.

        Args:
            values: Name, label, and corruptions.

        Returns:
            The setting. Corruptions that contain data, and custom corruptions, are loaded as text
            only: they print the same, but cannot be applied.

        Raises:
            ValueError: If a name is unknown or missing.
        """
        check_names("values", values, ("name", "label", "corruptions"))
        if "name" not in values:
            raise ValueError(f"`values` must name name, got {sorted(values)}.")
        done = tuple(map(_from_values, values.get("corruptions", ())))
        return cls(name=values["name"], label=values.get("label", ""), corruptions=done)


def paper_settings(*, p: float = 0.5) -> tuple[Setting, ...]:
    """Return the six settings of the paper.

    Args:
        p: Probability that a label is redrawn in ``"partial-labels"``, in ``[0, 1]``. A redrawn
            label may equal the original one, so the expected share of changed labels is
            ``p * (1 - 1 / num_classes)``.

    Returns:
        The settings, in the order of `SETTINGS`.

    Raises:
        ValueError: If ``p`` is outside ``[0, 1]``.

    Example:
        >>> from corruptlab.experiments import paper_settings
        >>> import corruptlab as cl
        >>> [setting.label for setting in cl.experiments.paper_settings(p=0.2)][:3]
        ['true labels', 'partial labels (p=0.2)', 'random labels']

    Source: Zhang et al. 2017, §2.1.
    """
    gaussian = GaussianPixels(dtype="float32")  # bytes would be clipped, and the moments move
    return (
        *_label_settings(p),
        Setting(name="shuffled-pixels", label="shuffled pixels", corruptions=(ShuffledPixels(),)),
        Setting(name="random-pixels", label="random pixels", corruptions=(RandomPixels(),)),
        Setting(name="gaussian", label="Gaussian", corruptions=(gaussian,)),
    )


def token_settings(
    *, p: float = 0.5, keep: Iterable[float] = (), where: Any = None
) -> tuple[Setting, ...]:
    """Return six settings for inputs that are sequences of tokens or categories.

    They correspond to the settings of the paper, with positions in place of pixels. In place of
    Gaussian noise, each token is drawn from the tokens of the training set at the same position.

    Args:
        p: Probability that a label is redrawn in ``"partial-labels"``, in ``[0, 1]``.
        keep: Tokens that are neither moved, replaced, nor drawn, such as padding.
        where: Positions that are moved and replaced, as a mask or a field of the items; see
            `ShuffledPixels`.

    Returns:
        The settings, in the order of `TOKEN_SETTINGS`.

    Raises:
        TypeError: If ``keep`` contains values that are not numbers, or ``where`` is neither a mask
            nor a field.
        ValueError: If ``p`` is outside ``[0, 1]``.

    Example:
        >>> from corruptlab.experiments import token_settings
        >>> [setting.name for setting in token_settings()][3:]
        ['shuffled-positions', 'random-positions', 'resampled-tokens']
        >>> token_settings(keep=(0,))[-1].corruptions
        (ResampledValues(keep=(0,)),)
        >>> token_settings(where="attention_mask")[-2].corruptions
        (RandomPixels(where='attention_mask'),)

    Source: adapted from Zhang et al. 2017, §2.1, which treats images.
    """
    stays: dict[str, Any] = {"keep": tuple(keep), "where": where}
    shuffled, moved, drawn = (
        ShuffledPixels(**stays),
        RandomPixels(**stays),
        ResampledValues(**stays),
    )
    return (
        *_label_settings(p),
        Setting(name="shuffled-positions", label="shuffled positions", corruptions=(shuffled,)),
        Setting(name="random-positions", label="random positions", corruptions=(moved,)),
        Setting(name="resampled-tokens", label="resampled tokens", corruptions=(drawn,)),
    )


def _label_settings(p: float) -> tuple[Setting, ...]:
    check_probability("p", p)
    redrawn = UniformLabels(p=float(p))
    return (
        Setting(name="true", label="true labels"),
        Setting(name="partial-labels", label=f"partial labels (p={p:g})", corruptions=(redrawn,)),
        Setting(name="random-labels", label="random labels", corruptions=(RandomLabels(),)),
    )


SETTINGS = tuple(setting.name for setting in paper_settings())
"""Names of the paper's settings, in the order of its §2.1."""

TOKEN_SETTINGS = tuple(setting.name for setting in token_settings())
"""Names of the settings for sequences of tokens."""


def default_settings(inputs: Any, *, p: float) -> tuple[tuple[Setting, ...], str]:
    """Return the settings that suit a batch of inputs, and a line that says which and why.

    Args:
        inputs: Shape ``(n, ...)``; anything else if they are no array of numbers.
        p: Probability that a label is redrawn in ``"partial-labels"``.

    Returns:
        Those of `TOKEN_SETTINGS` for rows of integers, except bytes and booleans; of labels alone
        for inputs that are no array of numbers; otherwise those of `SETTINGS`.

    Example:
        >>> settings, why = default_settings(np.array([[17, 4, 901]]), p=0.5)
        >>> settings[-1].name, why
        ('resampled-tokens', 'Default settings for tokens, as inputs are int64 of shape (3,).')
        >>> default_settings(np.array([[0.5, 1.2]]), p=0.5)[0][-1].name
        'gaussian'
    """
    if not isinstance(inputs, np.ndarray):
        return _label_settings(p), "Default settings for labels, as inputs are no array of numbers."
    is_tokens = inputs.ndim == 2 and inputs.dtype.kind in "iu" and inputs.dtype != np.uint8
    seen = f"{inputs.dtype} of shape {inputs.shape[1:]}"
    if is_tokens:
        return token_settings(p=p), f"Default settings for tokens, as inputs are {seen}."
    return paper_settings(p=p), f"Default settings for numbers, as inputs are {seen}."


def chosen_settings(wanted: Iterable[str | Setting], *, p: float) -> tuple[Setting, ...]:
    """Return settings by name, those without corruptions first.

    Args:
        wanted: Names among `SETTINGS` and `TOKEN_SETTINGS`, `Setting` objects, or both.
        p: Probability that a label is redrawn in ``"partial-labels"``.

    Returns:
        The settings.

    Raises:
        TypeError: If an element is neither a name nor a `Setting`.
        ValueError: If there are no settings, a name is unknown, or a name is repeated.

    Example:
        >>> [setting.label for setting in chosen_settings(["random-labels", "true"], p=0.5)]
        ['true labels', 'random labels']
    """
    both = (*paper_settings(p=p), *token_settings(p=p))
    known = {setting.name: setting for setting in both}
    if isinstance(wanted, str):
        raise TypeError(f"`settings` must be a list of names, got the string {wanted!r}.")
    settings = [_looked_up(one, known) for one in wanted]
    if not settings:
        raise ValueError(f"`settings` must name at least one of {', '.join(known)}, got none.")
    for field in ("name", "label"):
        values = [getattr(setting, field) for setting in settings]
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"`settings` must differ in {field}, got {value!r} twice.")
    return tuple(sorted(settings, key=lambda setting: not setting.is_clean))


def _looked_up(one: Any, known: dict[str, Setting]) -> Setting:
    if isinstance(one, Setting):
        return one
    if not isinstance(one, str):
        raise TypeError(f"`settings` must hold names or `Setting` objects, got {one!r}.")
    if one in known:
        return known[one]
    hint = suggestion(one, known)
    raise ValueError(f"`settings` must be among {', '.join(known)}, got {one!r}.{hint}")


@dataclass(frozen=True)
class _Recorded:
    """What a file says of a corruption that cannot be made again from it."""

    values: dict[str, Any]
    stream: str = ""

    def labels(self, clean: Labels, *, num_classes: int, draws: Draws, ids: Ids) -> Labels:
        raise ValueError(
            f"`corruptions` must hold the noise itself, got {self!r} as a file names it."
        )

    def to_dict(self) -> dict[str, Any]:
        return self.values

    def __repr__(self) -> str:
        told = [f"{name}={value!r}" for name, value in self.values.items() if name != "kind"]
        return str(self.values.get("repr", f"{self.values['kind']}({', '.join(told)})"))


def _from_values(values: Any) -> Corruption:
    """Return the corruption of which `_as_values` gave these."""
    if not isinstance(values, Mapping) or not isinstance(values.get("kind"), str):
        raise TypeError(f"`corruptions` must be dictionaries with a kind, got {values!r}.")
    kind: Any = getattr(corruptions, values["kind"], None)
    if not (isinstance(kind, type) and hasattr(kind, "stream")) or "repr" in values:
        return _Recorded(dict(values))
    made: Corruption = kind(**{name: each for name, each in values.items() if name != "kind"})
    return made


def _as_values(corruption: Any) -> dict[str, Any]:
    """Return kind and fields, or kind and repr where JSON cannot hold the fields."""
    if isinstance(corruption, _Recorded):
        return corruption.values
    values: dict[str, Any] = {"kind": type(corruption).__name__}
    if is_dataclass(corruption):
        values |= {field.name: getattr(corruption, field.name) for field in fields(corruption)}
    try:
        return dict(json.loads(json.dumps(values, default=_as_number)))
    except TypeError:
        return {"kind": type(corruption).__name__, "repr": repr(corruption)}


def _as_number(value: Any) -> Any:
    """Turn a number of NumPy into one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no number.")
