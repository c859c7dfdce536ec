"""Corruptions and their seed as one line of text that reads back."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from corruptlab._draws import Draws
from corruptlab.corruptions._asymmetric_labels import AsymmetricLabels
from corruptlab.corruptions._exchanged_labels import ExchangedLabels
from corruptlab.corruptions._gaussian_pixels import GaussianPixels
from corruptlab.corruptions._instance_dependent_labels import InstanceDependentLabels
from corruptlab.corruptions._noise import FrozenArray, changed_fields
from corruptlab.corruptions._pair_flip_labels import PairFlipLabels
from corruptlab.corruptions._permuted_pixels import RandomPixels, ShuffledPixels
from corruptlab.corruptions._protocols import Corruption
from corruptlab.corruptions._resampled_values import ResampledValues
from corruptlab.corruptions._symmetric_labels import SymmetricLabels
from corruptlab.corruptions._transition_labels import TransitionLabels
from corruptlab.corruptions._uniform_labels import RandomLabels, UniformLabels

_KINDS: dict[str, Any] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind
    for kind in (
        AsymmetricLabels,
        ExchangedLabels,
        GaussianPixels,
        InstanceDependentLabels,
        PairFlipLabels,
        RandomLabels,
        RandomPixels,
        ResampledValues,
        ShuffledPixels,
        SymmetricLabels,
        TransitionLabels,
        UniformLabels,
    )
}


@dataclass(frozen=True)
class Specification:
    """Corruptions in order and a seed: all that is required to reproduce the noise.

    As text, ``uniform_labels(p=0.4)+shuffled_pixels()@seed=0``: the names of the corruptions in
    lower case, joined by ``+``, with their arguments as Python literals (without defaults), and
    the seed. The conversion between text and object is lossless.

    Args:
        corruptions: Corruptions, applied in this order; at least one.
        seed: Seed of all randomness; an integer >= 0.

    Raises:
        ValueError: If there is no corruption, or one contains data and has no one-line form.

    Example:
        >>> import corruptlab as cl
        >>> noise = cl.Specification.parse("uniform_labels(p=0.4)@seed=0")
        >>> noise
        Specification(corruptions=(UniformLabels(p=0.4),), seed=0)
        >>> str(noise)
        'uniform_labels(p=0.4)@seed=0'
        >>> noisy = cl.corrupt([("a", 0), ("b", 1)], *noise.corruptions, seed=noise.seed)
        >>> noisy.specification == noise
        True
    """

    corruptions: tuple[Corruption, ...]
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", Draws(self.seed).seed)
        if not self.corruptions:
            raise ValueError("`corruptions` must hold at least one corruption, got none.")
        for corruption in self.corruptions:
            _name_of(corruption)

    @classmethod
    def parse(cls, text: str) -> "Specification":
        """Parse a specification; no code in the text is executed.

        Args:
            text: A specification such as ``"uniform_labels(p=0.4)@seed=0"``.

        Returns:
            The specification.

        Raises:
            ValueError: If the text is not a specification, a name or an argument is unknown, or a
                value is not allowed.
        """
        what, at, seed = text.rpartition("@")
        number = re.fullmatch(r"\s*seed\s*=\s*(\d+)\s*", seed)
        if not at or number is None:
            raise ValueError(f"`text` must end in '@seed=' and an integer >= 0, got {text!r}.")
        try:
            expression = ast.parse(what.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(
                "`text` must be corruptions joined by '+', such as "
                f"'uniform_labels(p=0.4)+shuffled_pixels()@seed=0', got {text!r}."
            ) from None
        return cls(tuple(_made(call, text) for call in _terms(expression)), int(number[1]))

    def __str__(self) -> str:
        calls = (f"{_name_of(c)}({', '.join(changed_fields(c))})" for c in self.corruptions)
        return f"{'+'.join(calls)}@seed={self.seed}"


def _name_of(corruption: Corruption) -> str:
    for name, kind in _KINDS.items():
        if type(corruption) is kind and not any(
            isinstance(each, FrozenArray) for each in vars(corruption).values()
        ):
            return name
    raise ValueError(
        f"`corruptions` must have a one-line form, got {corruption!r}; "
        "share what holds data, or is your own, as a manifest instead."
    )


def _terms(expression: ast.expr) -> Iterator[ast.expr]:
    """Yield the terms of a sum, from left to right."""
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
        yield from _terms(expression.left)
        yield expression.right
    else:
        yield expression


def _made(call: ast.expr, text: str) -> Corruption:
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise ValueError(f"`text` must name corruptions with parentheses, got {text!r}.")
    name = call.func.id
    if name not in _KINDS:
        known = ", ".join(_KINDS)
        raise ValueError(f"`text` must name known corruptions ({known}), got {name!r}.")
    known_arguments = {field.name for field in fields(_KINDS[name])}
    given = {}
    for keyword in call.keywords:
        if keyword.arg not in known_arguments:
            raise ValueError(
                f"`text` must give {name} arguments it has ({', '.join(sorted(known_arguments))}), "
                f"got {keyword.arg!r}."
            )
        given[keyword.arg] = _literal(keyword.value, text)
    if call.args:
        raise ValueError(f"`text` must name every argument, as in {name}(...=...), got {text!r}.")
    try:
        corruption: Corruption = _KINDS[name](**given)
    except TypeError as error:
        raise ValueError(
            f"`text` must give {name} what it needs, got {text!r} ({error})."
        ) from None
    return corruption


def _literal(value: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError):
        raise ValueError(f"`text` must have plain values as arguments, got {text!r}.") from None
