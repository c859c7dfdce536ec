"""A fit predicts, knows its norm, and reports what happened."""

import json
import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from corruptlab.capacity.kernels import GaussianKernel, Kernel, KernelInterpolant, LinearKernel
from tests.capacity.kernels.cases import gram, labels, points, unstored

GAUSSIAN = GaussianKernel(0.3)


def interpolant(kernel: Kernel = GAUSSIAN, **settings: Any) -> KernelInterpolant:
    return KernelInterpolant(kernel, **{"dtype": torch.float64, "block": 11, **settings})


def test_norms_are_those_of_the_hilbert_space() -> None:
    x, y = points(), labels()
    for ridge in (0.0, 0.5):
        fit = interpolant(ridge=ridge).fit(x, y, num_classes=3)
        alpha = fit.coefficients.numpy()
        squares = np.diag(alpha.T @ gram("gaussian", x, x) @ alpha)
        assert_allclose(fit.norms, np.sqrt(squares), rtol=1e-9)
        assert fit.norm == pytest.approx(np.sqrt(squares.sum()), rel=1e-9)


def test_norm_of_a_linear_fit_is_that_of_its_weights() -> None:
    x, y = points(4, 6), points(4, 2, seed=2)
    fit = interpolant(LinearKernel()).fit(x, y)
    weights = np.linalg.pinv(x.numpy()) @ y.numpy()
    assert fit.norm == pytest.approx(np.linalg.norm(weights), rel=1e-10)
    assert_allclose((x.T @ fit.coefficients).numpy(), weights, rtol=1e-9)


def test_ridgeless_fit_has_less_norm_than_any_other_interpolant() -> None:
    x, y = points(20), labels(20)
    fit = interpolant().fit(x, y, num_classes=3)
    longer = interpolant().fit(
        torch.cat([x, points(5, seed=9)]), torch.cat([y, labels(5)]), num_classes=3
    )
    assert fit.norm < longer.norm


def test_targets_of_one_number_give_flat_predictions() -> None:
    x, y = points(), points(40, 1, seed=4)[:, 0]
    fit = interpolant().fit(x, y)
    assert fit.predict(x).shape == (40,)
    assert_allclose(fit.predict(x).numpy(), y.numpy(), atol=1e-10)
    assert interpolant().fit(x, y[:, None]).predict(x).shape == (40, 1)
    new, wanted = points(7, seed=6), points(7, 1, seed=7)[:, 0]
    expected = ((fit.predict(new) - wanted) ** 2).mean()
    assert fit.error(new, wanted) == pytest.approx(float(expected))


def test_report_is_what_happened_and_fits_into_json() -> None:
    fit = interpolant().fit(points(), labels(), num_classes=3)
    assert list(fit.seconds) == ["gram", "factor", "solve", "residual"]
    assert all(seconds >= 0 for seconds in fit.seconds.values())
    assert fit.gflops_per_second == pytest.approx(40**3 / 3e9 / fit.seconds["factor"])
    report = json.loads(json.dumps(fit.to_dict()))
    assert report["kernel"] == {"name": "GaussianKernel", "gamma": 0.3}
    assert (report["num_points"], report["num_outputs"], report["iterations"]) == (40, 3, 0)
    assert report["norm"] == fit.norm
    assert report["residuals"] == list(fit.residuals)
    assert report["estimate"]["solver"] == "cholesky"
    assert report["environment"]["device"] == "cpu"
    assert "40 points, 3 outputs by cholesky in float64," in repr(fit)
    assert "solved" not in repr(fit)


def test_bad_inputs_of_a_prediction_are_quoted() -> None:
    fit = interpolant().fit(points(), labels(), num_classes=3)
    with pytest.raises(
        ValueError, match=r"^`x` must have the 5 dimensions of the training points, got 4\.$"
    ):
        fit.predict(points(3, 4))
    with pytest.raises(ValueError, match=r"^`y` must have shape \(3,\) .*, got \(2,\)\.$"):
        fit.error(points(3), labels(2))
    with pytest.raises(TypeError, match=r"^`y` must hold integer labels, got torch\.float64\.$"):
        fit.error(points(3), points(3))
    with pytest.raises(ValueError, match=r"^`y` must lie in 0 \.\. 2, got 3 at position 1\.$"):
        fit.error(points(2), [0, 3])
    real = interpolant().fit(points(), points(40, 2, seed=3))
    with pytest.raises(TypeError, match=r"^`classify` needs a fit to integer labels"):
        real.classify(points(3))
    with pytest.raises(ValueError, match=r"^`y` must have shape \(3, 2\) .*, got \(3,\)\.$"):
        real.error(points(3), points(3)[:, 0])


def test_predictions_do_not_depend_on_how_they_are_cut() -> None:
    x, y, new = points(1100), labels(1100), points(1100, seed=5)  # more than a tile each
    fit = interpolant(GaussianKernel(3.0), block=500).fit(x, y, num_classes=3)
    whole = fit.predict(new)
    assert_allclose(fit.predict(new[990:1010]).numpy(), whole[990:1010].numpy(), rtol=0, atol=1e-9)
    direct = GaussianKernel(3.0)(new[-9:], x) @ fit.coefficients
    assert_allclose(whole[-9:].numpy(), direct.numpy(), rtol=0, atol=1e-9)


class Clock:
    """Seconds that pass only while something is measured: one at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_seconds_of_a_phase_add_up_whatever_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", Clock())
    x, y = points(), labels()
    fit = interpolant(dtype=torch.float32).fit(x, y, num_classes=3)
    assert fit.seconds == {"gram": 1, "factor": 1, "solve": 2, "residual": 2}
    uses = iter(range(100))

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype == torch.float64 and next(uses) == 1:
            raise KeyboardInterrupt  # the second residual is not finished, but it took its time
        return GAUSSIAN(a, b)

    tiled = unstored(interpolant(kernel, dtype=torch.float32, block=40), 40, 5)
    stopped = tiled.fit(x, y, num_classes=3)
    assert stopped.stopped_by == "interrupted"
    assert stopped.seconds == {"gram": 1, "factor": 1, "solve": 2, "residual": 2}
