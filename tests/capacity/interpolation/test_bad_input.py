"""Bad input is one clear error, in the words of the caller."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from corruptlab.capacity import interpolate
from tests.capacity.interpolation.naive import (
    Twice,
    points,
    signs,
)

X, Y = points(4, 2), signs(4)


def blocks(*pairs: Any) -> Any:
    return list(pairs)


BAD: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: interpolate(X[:0], Y[:0]), ValueError, r"^`x` must hold at least one point, got none"),
    (lambda: interpolate([]), ValueError, r"^`x` must hold at least one point, got none\.$"),
    (lambda: interpolate(X), TypeError, r"^`y` must be given with an array `x`, got None\.$"),
    (
        lambda: interpolate(3),
        TypeError,
        r"^`x` must be an array, a tensor, or an iterable of \(points, .* blocks, got int\.$",
    ),
    (
        lambda: interpolate([X]),
        TypeError,
        r"^`x` must be an iterable of \(points, targets\) blocks where no .* of type ndarray\.$",
    ),
    (lambda: interpolate(X, Y[:3]), ValueError, r"^`y` must hold .* of the 4 points, got 3\.$"),
    (lambda: interpolate(X[:, 0], Y), ValueError, r"^`x` must have shape \(n, \.\.\.\) .* \(4,\)"),
    (lambda: interpolate(X[:, :0], Y), ValueError, r"^`x` must have shape .*, got shape \(4, 0\)"),
    (lambda: interpolate(X, 1.0), ValueError, r"^`y` must have shape .*, got \(\)\.$"),
    (lambda: interpolate(X, X[:, :0]), ValueError, r"^`y` must have shape .*, got \(4, 0\)\.$"),
    (lambda: interpolate(X, X[:, :, None]), ValueError, r"^`y` must have shape .* \(4, 2, 1\)"),
    (lambda: interpolate(X * 1j, Y), TypeError, r"^`x` must hold real numbers, got complex128"),
    (
        lambda: interpolate(torch.from_numpy(X * 1j), Y),
        TypeError,
        r"^`x` must hold real numbers, got torch\.complex128\.$",
    ),
    (lambda: interpolate([["a"]] * 4, Y), TypeError, r"^`x` must hold real numbers, got <U1\.$"),
    (lambda: interpolate([[1], [1, 2]], Y), TypeError, r"^`x` must hold numbers, got \[\[1\], \["),
    (
        lambda: interpolate(np.array([[1.0], [2], [math.nan], [math.inf]]), Y),
        ValueError,
        r"^`x` must be finite, got nan or inf in point 2\.$",
    ),
    (
        lambda: interpolate(blocks((X, Y), (X, [1, 2, math.inf, 4.0]))),
        ValueError,
        r"^`y` must be finite, got nan or inf in point 6\.$",
    ),
    (
        lambda: interpolate(blocks((X, Y), (X.astype(np.float32), Y))),
        TypeError,
        r"^`x` must be blocks of one type, float64, got one of float32\.$",
    ),
    (
        lambda: interpolate(blocks((X, Y), (X, Y.astype(np.float32)))),
        TypeError,
        r"^`y` must be blocks of one type, float64, got one of float32\.$",
    ),
    (
        lambda: interpolate(blocks((X, Y), (X[:, :1], Y))),
        ValueError,
        r"^`x` must be blocks of rows of one shape, \(2,\), got one of \(1,\)\.$",
    ),
    (
        lambda: interpolate(blocks((X, Y), (X, X))),
        ValueError,
        r"^`y` must be blocks of rows of one shape, \(\), got one of \(2,\)\.$",
    ),
    (
        lambda: interpolate(X, [0, 1, 2, 3]),
        TypeError,
        r"^`num_classes` must be given for integer labels, got None; for real targets make `y` f",
    ),
    (
        lambda: interpolate(X, Y, num_classes=2),
        TypeError,
        r"^`num_classes` must be None for real targets, got 2\.$",
    ),
    (
        lambda: interpolate(blocks((X, [0, 1, 0, 1]), (X + 9, [0, 1, 2, -1])), num_classes=2),
        ValueError,
        r"^`y` must lie in 0 \.\. 1, got 2 for point 6\.$",
    ),
    (
        lambda: interpolate(X, [0, 1, -1, 1], num_classes=2),
        ValueError,
        r"^`y` must lie in 0 \.\. 1, got -1 for point 2\.$",
    ),
    (
        lambda: interpolate(X, [[0], [1], [0], [1]], num_classes=2),
        ValueError,
        r"^`y` must have shape \(n,\) for class labels, got \(4, 1\)\.$",
    ),
    (
        lambda: interpolate(X, [0, 1, 0, 1], num_classes=0),
        ValueError,
        r"^`num_classes` must be at least 1, got 0\.$",
    ),
    (
        lambda: interpolate(X, [0, 1, 0, 1], num_classes=2.0),  # type: ignore[call-overload]
        TypeError,
        r"^`num_classes` must be an integer, got 2\.0\.$",
    ),
    (
        lambda: interpolate(X, Y, encoding="one_hot"),  # type: ignore[call-overload]
        ValueError,
        r"^`encoding` must be 'one_vs_rest' or 'index', got 'one_hot'\.$",
    ),
    (
        lambda: interpolate(X, Y, direction="pca"),
        ValueError,
        r"^`direction` must be 'auto', 'random', 'best', or an array, got 'pca'\.$",
    ),
    (
        lambda: interpolate(X, Y, direction=[1, 2, 3]),
        ValueError,
        r"^`direction` must have one number for each of the 2 of a point, got 3\.$",
    ),
    (
        lambda: interpolate(X, Y, direction=[0, 0]),
        ValueError,
        r"^`direction` must be a finite vector other than 0, got \[0, 0\]\.$",
    ),
    (
        lambda: interpolate(X, Y, direction=[0, math.nan]),
        ValueError,
        r"^`direction` must be a finite vector other than 0, got \[0, nan\]\.$",
    ),
    (
        lambda: interpolate(X, Y, direction=[[1, 2]]),
        ValueError,
        r"^`direction` must be a finite vector other than 0, got \[\[1, 2\]\]\.$",
    ),
    (
        lambda: interpolate(X, Y, direction=["a", "b"]),
        TypeError,
        r"^`direction` must hold numbers only, got \['a', 'b'\]\.$",
    ),
    (
        lambda: interpolate(X, Y, candidates=0),
        ValueError,
        r"^`candidates` must be at least 1, got 0\.$",
    ),
    (
        lambda: interpolate(X, Y, candidates=1.5),  # type: ignore[call-overload]
        TypeError,
        r"^`candidates` must be an integer, got 1\.5\.$",
    ),
    (lambda: interpolate(X, Y, depth=1), ValueError, r"^`depth` must be at least 2, got 1\.$"),
    (
        lambda: interpolate(X, Y, depth=6),
        ValueError,
        r"^`depth` must lie in 2 \.\. 5 for 4 different points, got 6\.$",
    ),
    (
        lambda: interpolate(np.ones((4, 2)), np.ones(4), depth=3),
        ValueError,
        r"^`depth` must lie in 2 \.\. 2 for 1 different points, got 3\.$",
    ),
    (
        lambda: interpolate(X, Y, depth=2.0),  # type: ignore[call-overload]
        TypeError,
        r"^`depth` must be an integer, got 2\.0\.$",
    ),
    (lambda: interpolate(X, Y, seed=-1), ValueError, r"^`seed` must be at least 0, got -1\.$"),
    (
        lambda: interpolate(X, Y, direction=[1e308, 1e308]),
        ValueError,
        r"^`x` must be of a size at which projections are finite, got inf\.$",
    ),
    (
        lambda: interpolate(X * 1e-300, Y * 1e300),
        ValueError,
        r"^`x` and `y` must be of a size at which weights neither overflow nor vanish, got a "
        r"smallest gap of [\d.]+e-30\d and targets up to 1e\+300\.$",
    ),
    (
        lambda: interpolate(X * 1e300, Y * 1e-300),
        ValueError,
        r"^`x` and `y` must be of a size at which weights neither overflow nor vanish, got a "
        r"smallest gap of [\d.]+e\+(299|300) and targets up to 1e-300\.$",
    ),
    (
        lambda: interpolate(np.array([[2**53], [2**53 + 1]]), Y[:2]),
        ValueError,
        r"^`direction` must separate all points, got the projection 9\.0072e\+15 for points 0 "
        r"and 1 of `x`, which differ; as `float64` they are one number\.$",
    ),
    (  # as unsigned integers they differ, too
        lambda: interpolate(np.array([[2**53], [2**53 + 1]], np.uint64), Y[:2]),
        ValueError,
        r"^`direction` must separate .* which differ; as `float64` they are one number\.$",
    ),
]


@pytest.mark.parametrize(("call", "kind", "text"), BAD, ids=[text[1:40] for _, _, text in BAD])
def test_bad_input_is_one_clear_error(
    call: Callable[[], object], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        call()


def test_bad_options_cost_no_reading() -> None:
    blocks = Twice(X, Y, 4)
    for options in ({"depth": 1}, {"seed": -1}, {"candidates": 0}, {"encoding": "x"}):
        with pytest.raises(ValueError, match=r"must be"):
            interpolate(blocks, **options)
    assert blocks.readings == 0
