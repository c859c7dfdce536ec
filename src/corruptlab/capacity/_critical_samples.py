"""Critical samples: inputs with an adversarial example within a small distance."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corruptlab._arrays import Rows, read_inputs
from corruptlab._checks import at_least, check_confidence, not_negative, positive
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._modules import check_module, preserve_mode, resolve_device, scores_of
from corruptlab._progress import Progress
from corruptlab._random_state import preserve_rng_state
from corruptlab._reports import Report
from corruptlab._statistics import clopper_pearson
from corruptlab._structured import outputs_of
from corruptlab._text import counted

# Of the radius, how far all steps together could go: across the box and a bit, so that one that
# starts in the middle reaches every face (Madry et al. 2018 take 2.5 as well).
_REACH = 2.5

# Of the range of the inputs: a fourth of a grey level of bytes is less than what changes an image.
_TINY = 1e-3


@dataclass(frozen=True, kw_only=True)
class CriticalSamples(Report, kind="critical_samples", derived=("ratios",)):
    """Result of a search for adversarial examples; returned by `critical_sample_ratio`.

    Attributes:
        radii: Radii in increasing order.
        smallest: Smallest of ``radii`` within which an adversarial example was found, for each
            input; infinite if none was found.
        steps: Number of steps of the search per radius.
        noise: Scale of the noise, in steps.
        seed: Seed of the noise.
        environment: Versions, machine, and device.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> network = torch.nn.Linear(1, 2, bias=False)
        >>> _ = network.weight.data.copy_(torch.tensor([[1.0], [-1.0]]))  # the sign of the input
        >>> points = torch.tensor([[0.05], [0.15], [-0.4]])
        >>> found = cl.capacity.critical_sample_ratio(network, points, [0.1, 0.2])
        >>> found
        CriticalSamples(3 inputs: 33.3% within 0.1, 66.7% within 0.2; 20 steps, seed=0)
        >>> found.smallest
        (0.1, 0.2, inf)
    """

    radii: tuple[float, ...]
    smallest: tuple[float, ...] = field(repr=False)
    steps: int
    noise: float
    seed: int
    environment: Environment

    @property
    def ratios(self) -> tuple[float, ...]:
        """Critical sample ratio by radius, a lower bound; it never decreases."""
        smallest = np.array(self.smallest)
        return tuple(float((smallest <= radius).mean()) for radius in self.radii)

    def critical(self, radius: float) -> NDArray[np.bool_]:
        """Return which inputs are known to be critical.

        Args:
            radius: One of ``radii``.

        Returns:
            Booleans of shape ``(n,)``.

        Raises:
            ValueError: If ``radius`` is not one of ``radii``.
        """
        if radius not in self.radii:
            known = ", ".join(f"{each:g}" for each in self.radii)
            raise ValueError(f"`radius` must be one of {known}, got {radius}.")
        return np.array(self.smallest) <= radius

    def interval(self, radius: float, *, confidence: float = 0.95) -> tuple[float, float]:
        """Return the Clopper-Pearson interval for the probability of being found critical.

        The interval is two-sided and assumes that the inputs are independent draws from one
        distribution. Its lower limit also holds for the probability of being critical.

        Args:
            radius: One of ``radii``.
            confidence: Confidence level, in ``(0, 1)``.

        Returns:
            Lower and upper limit.

        Raises:
            TypeError: If ``confidence`` is not a number.
            ValueError: If an argument is out of range.
        """
        found = self.critical(radius)
        check_confidence(confidence)
        return clopper_pearson(int(found.sum()), len(found), confidence=(1 + confidence) / 2)

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{ratio:.1%} within {radius:g}"
            for radius, ratio in zip(self.radii, self.ratios, strict=True)
        )
        return (
            f"CriticalSamples({counted(len(self.smallest), 'input')}: {shares}; "
            f"{counted(self.steps, 'step')}, "
            f"seed={self.seed})"
        )


def critical_sample_ratio(
    model: nn.Module,
    inputs: Rows,
    radii: float | Sequence[float],
    *,
    steps: int = 20,
    noise: float = 0.5,
    batch_size: int = 256,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = False,
) -> CriticalSamples:
    r"""Estimate the critical sample ratio by a search for adversarial examples.

    An input :math:`x` is critical for the radius :math:`r` if some :math:`x'` with
    :math:`\|x' - x\|_\infty \le r` is classified differently:
    :math:`\arg\max_i f_i(x') \ne \arg\max_i f_i(x)`. Labels do not enter, and :math:`x'` may leave
    the range of the data, such as [0, 1] for pixels. The critical sample ratio is the share of
    critical inputs. It measures how close the decision boundaries are to the data;
    Arpit et al. find it larger for networks that memorize noise.

    An adversarial example that is found proves that an input is critical. One that is not found
    proves nothing. The result is therefore a lower bound. For each radius, and each input for which
    none was found within a smaller one, the search tries, with :math:`k = \arg\max_i f_i(x)`:

    1. the corner :math:`x + r \, \mathrm{sign} \nabla (f_j - f_k)(x)` for the class :math:`j` with
       the smallest :math:`f_k - f_j - r \, \|\nabla (f_j - f_k)\|_1`, which is the margin at that
       corner by linear extrapolation. For a linear classifier this decides exactly;
    2. from :math:`x`, ``steps`` steps :math:`x' \leftarrow \Pi (x' + \alpha \, (\mathrm{sign}
       \nabla (f_j - f_k)(x') + \mathrm{noise} \cdot \eta))`, where :math:`j` is the best other
       class at :math:`x'`, :math:`\eta` is standard normal, :math:`\alpha = 2.5 \, r /
       \mathrm{steps}`, and :math:`\Pi` is the projection to the box.

    The noise of an input is a function of ``seed``, the step, and its position alone. The network
    is in evaluation mode and keeps its weights; it remains on ``device``.

    A ratio of 0 may be due to inputs that are not prepared as in training, such as floats from 0 to
    255 for a network that was trained on [0, 1]. A warning states if no input is critical and the
    largest radius is below 0.1% of the range of the inputs, and if at least half of the inputs are
    not critical and have scores without a slope, so that the search has no direction.

    Args:
        model: A network that returns scores ``(b, num_classes)`` with a gradient.
        inputs: Floats as the network takes them, shape ``(n, ...)``; of a network that `fit`
            trained, ``report.recipe.prepare(images)``.
        radii: Radius or radii, > 0, in units of ``inputs``.
        steps: Number of steps per radius, >= 0; with 0 only the corner is tried.
        noise: Scale of the noise, in steps, >= 0.
        batch_size: Number of inputs at a time, >= 1.
        seed: Seed of the noise; an integer >= 0.
        device: Device of the search; None for the device of the network.
        progress: Whether to show progress on standard error.

    Returns:
        Critical inputs and ratios by radius.

    Raises:
        TypeError: If ``model`` is not a module, ``inputs`` are not floats, or an argument has the
            wrong type.
        ValueError: If there are no inputs or radii, an input is not finite, a number is out of
            range, or the network does not return at least two finite scores per input that depend
            differentiably on it.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> train = cl.datasets.fashion_mnist_mini("train")
        >>> images, labels = train.images[:300] / 255, train.targets[:300]
        >>> network = cl.mlp(64, input_shape=(1, 28, 28))
        >>> recipe = cl.Recipe(learning_rate=0.1, epochs=60, batch_size=50)
        >>> report = cl.fit(network, (images, labels), recipe=recipe)
        >>> small, large = cl.capacity.critical_sample_ratio(network, images, [0.01, 0.1]).ratios
        >>> small < large
        True

    Source: Arpit et al. 2017, "A closer look at memorization in deep networks", ICML (the
    definition, and Langevin adversarial sample search, which the second part varies: it descends
    the margin to the best other class instead of the largest score). The class of the first part is
    chosen as in Moosavi-Dezfooli, Fawzi, Frossard 2016, "DeepFool", CVPR.
    """
    check_module(model)
    points = read_inputs(inputs)
    if not points.is_floating_point():
        raise TypeError(
            f"`inputs` must be floats as the network takes them, got {points.dtype}; "
            "`recipe.prepare` makes them of bytes."
        )
    boxes = _checked_radii(radii, len(points))
    steps, noise = at_least(0, "steps", steps), not_negative("noise", noise)
    batch_size, draws = at_least(1, "batch_size", batch_size), Draws(seed)
    device = resolve_device(model, device)
    model.to(device)
    outputs = scores_of(model, points[:2].to(device, copy=True)).shape[1]
    if outputs < 2:
        raise ValueError(f"`model` must have at least 2 outputs, one a class, got {outputs}.")
    smallest, stuck = list[float](), 0
    with (
        Progress(len(points), "critical samples", show=progress) as line,
        preserve_mode(model),
        preserve_rng_state(),
        torch.inference_mode(mode=False),
        torch.enable_grad(),
    ):
        model.eval()
        for start in range(0, len(points), batch_size):
            batch = _Batch(model, points[start : start + batch_size].to(device, copy=True), start)
            for radius in boxes:
                batch.note(radius, batch.is_at_corner)
                batch.note(radius, partial(batch.is_near, steps=steps, noise=noise, draws=draws))
            smallest += batch.smallest.tolist()
            stuck += int((batch.smallest.isinf() & batch.is_flat).sum())
            line.update(len(smallest))
    _warn_of_small_radii(points, smallest, boxes[-1])
    _warn_of_flat_scores(stuck, len(points))
    return CriticalSamples(
        radii=tuple(boxes),
        smallest=tuple(smallest),
        steps=steps,
        noise=noise,
        seed=draws.seed,
        environment=Environment.here(device),
    )


class _Batch:
    """Some inputs, and the smallest radius at which each is known to be critical."""

    def __init__(self, model: nn.Module, x: Tensor, first: int) -> None:
        self._model, self._x = model, x
        self._ids = np.arange(first, first + len(x))
        self.smallest = torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)
        scores = self._scores(x.requires_grad_())
        self._own = scores.argmax(1)
        margins = scores.gather(1, self._own[:, None]) - scores  # (n, K)
        slopes = [_slope(-margin.sum(), x).abs().flatten(1).sum(1) for margin in margins.T]
        self._margins, self._slopes = margins.detach(), torch.stack(slopes, 1)
        self._margins.scatter_(1, self._own[:, None], torch.inf)
        self.is_flat = (self._slopes == 0).all(1)
        x.requires_grad_(False)

    def note(self, radius: float, search: Callable[[Tensor, float], Tensor]) -> None:
        """Search around all inputs that are not known to be critical."""
        at = self.smallest.isinf().nonzero()[:, 0]
        if len(at):
            self.smallest[at[search(at, radius)]] = radius

    def is_at_corner(self, at: Tensor, radius: float) -> Tensor:
        """Tell for which inputs the most promising corner is classified differently."""
        x, own = self._x[at], self._own[at]
        other = (self._margins[at] - radius * self._slopes[at]).argmin(1)
        corner = x + radius * self._ascent(x, own, other)[0].sign()
        return self._scores(corner).argmax(1) != own

    def is_near(
        self, at: Tensor, radius: float, *, steps: int, noise: float, draws: Draws
    ) -> Tensor:
        """Tell for which inputs a noisy descent of the margin ends outside of their class."""
        x, own, ids = self._x[at], self._own[at], self._ids[at.cpu().numpy()]
        size, y = _REACH * radius / max(steps, 1), x
        found = torch.zeros_like(own, dtype=torch.bool)
        for step in range(steps):
            slope, classes = self._ascent(y, own)
            found |= classes != own
            if found.all():
                return found
            move = slope.sign()
            if noise:
                drawn = draws.normals(f"critical_samples/{step}", ids, x[0].numel())
                move += noise * torch.from_numpy(drawn).to(x).view_as(x)
            y = (y + size * move).clamp(x - radius, x + radius)
        return found | (self._scores(y).argmax(1) != own)

    def _ascent(self, x: Tensor, own: Tensor, other: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the gradient of another class's score minus the own one's, and the classes at x.

        Without another class it is the best one at x.
        """
        x = x.detach().requires_grad_()
        scores = self._scores(x)
        if other is None:
            other = scores.scatter(1, own[:, None], -torch.inf).argmax(1)
        gaps = scores.gather(1, other[:, None]) - scores.gather(1, own[:, None])
        return _slope(gaps.sum(), x), scores.argmax(1)

    def _scores(self, x: Tensor) -> Tensor:
        scores: Tensor = outputs_of(self._model, x.clone())  # a network may write into its input
        if not scores.isfinite().all():
            raise ValueError("`model` must return finite scores, got NaN or infinite ones.")
        return scores


def _slope(value: Tensor, x: Tensor) -> Tensor:
    slope: Tensor | None = None
    if value.requires_grad:
        (slope,) = torch.autograd.grad(value, x, retain_graph=True, allow_unused=True)
    if slope is None:
        raise ValueError("`model` must return scores that have a gradient, got some without.")
    return slope


def _warn_of_small_radii(points: Tensor, smallest: Sequence[float], largest: float) -> None:
    low, high = (float(each) for each in points.aminmax())
    if min(smallest) == np.inf and largest < _TINY * (high - low):
        warnings.warn(
            f"no input is critical, and the largest of `radii`, {largest:g}, is "
            f"{largest / (high - low):.2g} of the range of `inputs`, {low:g} .. {high:g}; prepare "
            "them as in training (`report.recipe.prepare`), or try larger radii.",
            stacklevel=3,
        )


def _warn_of_flat_scores(stuck: int, n: int) -> None:
    if 2 * stuck >= n:
        warnings.warn(
            f"the gradient of `model` is zero at {stuck} of {n} `inputs`, which were not found "
            "critical, as the search had no direction; are they prepared as in training "
            "(`report.recipe.prepare`)?",
            stacklevel=3,
        )


def _checked_radii(radii: Any, n: int) -> list[float]:
    """Return radii in increasing order, each once."""
    if hasattr(radii, "tolist"):
        radii = radii.tolist()
    several = radii if isinstance(radii, Sequence) and not isinstance(radii, str) else [radii]
    if len(several) == n > len(set(map(str, several))):
        raise ValueError(
            f"`radii` must be one radius or several different ones, got one value for each of {n} "
            "inputs; labels do not enter."
        )
    found = sorted({positive("radii", radius) for radius in several})
    if not found:
        raise ValueError("`radii` must hold at least one radius, got none.")
    return found
