"""Tables: tidy columns, ratios to a reference, and figures that leave nothing out silently."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

import corruptlab as cl
from corruptlab.experiments.sweeps import Table


def table(*rows: tuple[dict[str, Any], dict[str, Any]]) -> Table:
    return Table(rows)


@pytest.mark.parametrize(
    ("values", "dtype", "column"),
    [
        ([1, 2], np.int64, [1, 2]),
        ([1, 2.5], np.float64, [1.0, 2.5]),
        ([1, None], np.float64, [1.0, np.nan]),
        ([1.0, {"$float": "inf"}], np.float64, [1.0, np.inf]),
        ([True, False], np.bool_, [True, False]),
        ([True, None], object, [True, None]),
        ([True, 1], object, [True, 1]),
        ([None, None], object, [None, None]),
        ([[1], [1, 2]], object, [[1], [1, 2]]),
        ([[1, 2], [3, 4]], object, [[1, 2], [3, 4]]),
        (["a", None], object, ["a", None]),
        ([2**70, 1], np.float64, [2.0**70, 1.0]),
        ([10**400, 1], object, [10**400, 1]),
    ],
    ids=repr,
)
def test_columns_have_the_narrowest_type_that_holds_them(
    values: list[Any], dtype: Any, column: list[Any]
) -> None:
    found = table(*[({"i": i}, {"y": value}) for i, value in enumerate(values)])["y"]
    assert found.dtype == dtype
    assert found.shape == (2,)
    if dtype is object:
        assert found.tolist() == column
    else:
        assert_array_equal(found, np.array(column))


def test_text_columns_are_arrays_of_text() -> None:
    assert table(({"m": "a"}, {}), ({"m": "bcd"}, {}))["m"].tolist() == ["a", "bcd"]


def test_nested_values_get_columns_with_dots_and_objects_one_for_their_kind() -> None:
    found = table(
        ({"noise": {"$kind": "corruptlab.UniformLabels", "p": 0.4}}, {"a": {"b": {"c": 1}}}),
        ({"noise": None}, {"a": {"b": {"c": 2}}}),
    )
    assert found["noise"].tolist() == ["UniformLabels", None]
    assert_array_equal(found["noise.p"], [0.4, np.nan])
    assert found["a.b.c"].tolist() == [1, 2]
    assert found.settings[:2] == ("noise", "noise.p")
    assert "a.b.c" not in found.settings


def test_it_is_a_mapping_of_arrays_of_one_length() -> None:
    found = table(({"p": 0.5, "seed": 1}, {"y": 1}), ({"p": 1, "seed": 2}, {"y": 2}))
    assert dict(found).keys() == {"p", "seed", "y"}
    assert len(found) == 3
    assert found.num_rows == 2
    assert repr(found) == "Table(2 trials: p, seed, y)"
    with pytest.raises(KeyError, match=r"`name` must be a column \(p, seed, y\), got 'z'\."):
        found["z"]


def test_pandas_gets_the_same_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    found = table(({"p": 0.5}, {"y": [1]}), ({"p": 1.0}, {"y": None}))
    pandas = pytest.importorskip("pandas", exc_type=ImportError)
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["p"].tolist() == [0.5, 1.0]
    assert frame["y"].tolist()[0] == [1]

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    import importlib

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"^`pandas` is not installed; .* pandas\.$"):
        found.to_pandas()


def test_where_picks_rows_by_value() -> None:
    found = table(*[({"p": p, "m": m}, {"y": p}) for p in (0, 1) for m in "ab"])
    assert found.where(p=1, m="a")["y"].tolist() == [1]
    assert found.where(m="b")["p"].tolist() == [0, 1]
    assert found.where(p=7).num_rows == 0


@pytest.mark.parametrize(
    ("kept", "asked", "found"),
    [
        (0.1 + 0.2, 0.3, True),
        (0.3, 0.1 + 0.2, True),
        (0.3 - 0.1 * 3, 0, True),
        (0.3, 0.3000001, False),
        (1e-6, 1.001e-6, False),
        (1, 1.0, True),
        (2**60, 2**60, True),
        (True, 1, True),
        (True, 1 + 1e-12, False),
        ("0.3", 0.3, False),
        ({"$float": "inf"}, np.inf, True),
        ({"$float": "nan"}, np.nan, False),
        ([0.3], [0.3], True),
    ],
)
def test_where_finds_numbers_that_differ_by_rounding_alone(
    kept: Any, asked: Any, found: bool
) -> None:
    assert table(({"p": kept}, {"y": 1})).where(p=asked).num_rows == found


def test_ratios_are_to_the_reference_that_rounding_has_moved() -> None:
    found = table(({"p": 0.1 + 0.2}, {"y": 2}), ({"p": 0.5}, {"y": 6}))
    assert found.relative("y", p=0.3).tolist() == [1, 3]


def test_relative_divides_by_the_trial_that_agrees_in_all_other_settings() -> None:
    rows: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"p": p, "seed": s, "m": m}, {"y": 10 ** (s + 1) * (1 + p) * (1 if m == "a" else 3)})
        for p in (1.0, 0.0, 0.5)
        for s in (0, 1)
        for m in "ab"
    ]
    ratios = table(*rows).relative("y", p=0)
    assert_array_equal(ratios, [1 + settings["p"] for settings, _ in rows])


def test_relative_is_nan_where_there_is_nothing_to_divide() -> None:
    found = table(
        ({"p": 0, "s": 0}, {"y": None}),
        ({"p": 1, "s": 0}, {"y": 2}),
        ({"p": 0, "s": 1}, {"y": 0}),
        ({"p": 1, "s": 1}, {"y": 2}),
        ({"p": 1, "s": 2}, {"y": 2}),
        ({"p": 0, "s": 3}, {"y": 4}),
        ({"p": 1, "s": 3}, {"y": None}),
    )
    expected = [np.nan, np.nan, np.nan, np.nan, np.nan, 1, np.nan]
    assert_array_equal(found.relative("y", p=0), expected)


def test_text_is_aligned_and_says_what_is_missing() -> None:
    found = table(({"p": 0.5, "m": "mlp"}, {"y": 1 / 3}), ({"p": 1.0, "m": "x"}, {"y": None}))
    lines = str(found).splitlines()
    assert lines == ["  p    m       y", "0.5  mlp  0.3333", "1.0    x       -"]


def measured(*, p: float, seed: int, model: str = "a") -> dict[str, Any]:
    steps = None if (p, seed) == (1.0, 2) else 100 * (1 + p) + 10 * seed
    return {"steps": steps, "error": p / 2 + 0.01 * seed}


GRID: dict[str, Any] = {"p": [0.0, 0.5, 1.0], "seed": [0, 1, 2]}


def bars(axes: Any, curve: int = 0) -> Any:
    return np.array([s for s in axes.containers[curve][2][0].get_segments() if len(s)])[:, :, 1]


def test_a_plot_shows_means_and_t_intervals_of_seeds(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = cl.sweep(GRID, measured, out=tmp_path / "out")
    figure = report.plot("p", ["steps", "error"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["steps", "error"]
    line = figure.axes[1].containers[0][0]
    assert_array_equal(line.get_xdata(), [0, 0.5, 1])
    np.testing.assert_allclose(line.get_ydata(), [0.01, 0.26, 0.51])
    half = stats.t.ppf(0.975, 2) * 0.01 / np.sqrt(3)
    np.testing.assert_allclose(bars(figure.axes[1])[1], [0.26 - half, 0.26 + half])


def test_a_point_with_a_missing_value_is_left_out(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = cl.sweep(GRID, measured, out=tmp_path / "out")
    line = report.plot("p", "steps").axes[0].containers[0][0]
    assert np.isnan(line.get_ydata()).tolist() == [False, False, True]


def test_a_plot_relative_to_a_trial_says_so(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = cl.sweep(GRID, measured, out=tmp_path / "out")
    axes = report.plot("p", "steps", relative_to={"p": 0.0}).axes[0]
    assert axes.get_ylabel() == "steps, as a multiple of p = 0"
    expected = float(np.mean([150 / 100, 160 / 110, 170 / 120]))
    np.testing.assert_allclose(axes.containers[0][0].get_ydata()[:2], [1, expected])


def test_a_setting_that_varies_has_to_be_named(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = cl.sweep({**GRID, "model": ["a", "b"]}, measured, out=tmp_path / "out")
    with pytest.raises(ValueError, match=r"^`by` must name every .*, got \[\], which leaves model"):
        report.plot("p", "error")
    axes = report.plot("p", "error", by="model").axes[0]
    assert axes.get_legend_handles_labels()[1] == ["a", "b"]
    axes = report.plot("p", "error", over="model", by="seed").axes[0]
    assert axes.get_legend_handles_labels()[1] == ["seed = 0", "seed = 1", "seed = 2"]
    with pytest.raises(KeyError, match=r"`name` must be a column .*, got 'loss'"):
        report.plot("p", "loss", by="model")


def test_a_plot_of_nothing_is_refused(tmp_path: Path) -> None:
    report = cl.sweep({"p": [2.0], "seed": [0]}, fails_always, out=tmp_path / "out", retries=0)
    with pytest.raises(ValueError, match=r"^`table` must hold a finished trial, got none\.$"):
        report.plot("p", "steps")


def fails_always(*, p: float, seed: int) -> dict[str, Any]:
    raise ValueError(p)
