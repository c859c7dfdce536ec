"""Theorem 1 and Corollary 1: few weights take any labels on CIFAR-10."""

from corruptlab.experiments.paper._exhibit import Exhibit, Published, Quantity, Row
from corruptlab.experiments.paper._interpolation import INTERPOLATION

_N, _D = 50_000, 3 * 32 * 32
_TWO: dict[str, Published] = {"weights": 2 * _N + _D, "width": _N, "right": 100.0}
_DEEP: dict[str, Published] = {"weights": "O(n + d)", "width": "O(n / depth)", "right": 100.0}

THEOREM_1 = Exhibit(
    name="theorem1",
    title="CIFAR-10, random labels by networks that are constructed, not trained",
    source="Zhang et al. 2017, §4, Theorem 1 and Corollary 1",
    quantities=(
        Quantity("weights", "weights", "{:,.0f}"),
        Quantity("width", "width", "{:,.0f}"),
        Quantity("right", "labels that come out, %", "{:.3f}"),
        Quantity("error", "largest error", "{:.1e}"),
    ),
    rows=tuple(
        Row(
            name=f"depth {depth}",
            published=_TWO if depth == 2 else _DEEP,
            parameters={"depth": depth},
            work=INTERPOLATION,
        )
        for depth in (2, 3, 11, 101)
    ),
    remarks=(
        "Labels are one output, the number of the class. Published is what the theorem promises "
        "for n = 50,000 images of d = 3,072 numbers: 2n + d weights at depth 2.",
    ),
)
