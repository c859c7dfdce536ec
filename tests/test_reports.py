"""Every report: to a dictionary, a file, a data frame, and a notebook, and back as it was."""

import dataclasses
import functools
import importlib
import inspect
import json
import math
import operator
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import corruptlab as cl
from corruptlab import capacity, experiments
from corruptlab._json import decode, encode
from corruptlab._records import Record
from corruptlab._reports import Report, Rows
from corruptlab._types import Labels
from corruptlab.capacity import kernels, rademacher
from corruptlab.datasets import DataFileError
from corruptlab.experiments import paper
from tests.test_public_surface import documented_names

RECIPE = cl.Recipe(learning_rate=1.0, epochs=5, whiten=False)
POINTS, LABELS = torch.eye(4), [0, 1, 0, 1]
DATA = [(point, label) for point, label in zip(POINTS, LABELS, strict=True)]


def linear() -> nn.Module:
    return cl.mlp(input_shape=(4,), num_classes=2)


# ------------------------------------------------------------------- one of each, or more than one


@dataclasses.dataclass(frozen=True)
class OwnNoise:
    """A corruption that the library does not know."""

    rate: float
    stream: str = "own"

    def labels(self, clean: Labels, **_: Any) -> Labels:
        return clean


def fits() -> Iterator[Report]:
    found = cl.fit(linear(), DATA, DATA, recipe=RECIPE)
    yield found
    (own,) = heads()
    assert isinstance(own, cl.HeadsReport)
    yield dataclasses.replace(found, heads=own)
    yield cl.fit(linear(), DATA, recipe=dataclasses.replace(RECIPE, standardize="features"))


def replicas() -> Iterator[Report]:
    found = cl.fit_replicas(linear(), POINTS, torch.tensor([LABELS, LABELS]), recipe=RECIPE)
    yield found
    yield dataclasses.replace(found, train_loss=np.array([math.nan, math.inf]))


def heads() -> Iterator[Report]:
    yield cl.HeadsReport(
        layers=("0", "<2>"),
        right=((1, 2), (2, 2)),
        total=(4, 4),
        num_examples=4,
        num_classes=2,
        num_labels=1,
        factor=0.0,
        seed=0,
    )


def randomization_tests() -> Iterator[Report]:
    own = (
        cl.Setting(name="given", corruptions=(cl.GivenLabels([0, 0, 1, 1]),)),
        cl.Setting(name="own", corruptions=(OwnNoise(0.25),)),
        cl.Setting(name="matrix", corruptions=(cl.TransitionLabels([[0.5, 0.5], [0.0, 1.0]]),)),
        cl.Setting(name="map", corruptions=(cl.AsymmetricLabels(classes={0: 1}, rate=0.5),)),
        cl.Setting(name="tokens", corruptions=(cl.ResampledValues(keep=(0,)),)),
    )
    yield cl.randomization_test(linear(), DATA, recipe=RECIPE, settings=["true", *own[1:]])
    found = cl.randomization_test(linear(), DATA, DATA, recipe=RECIPE, settings=["true"])
    yield dataclasses.replace(found, remaining=own, interrupted=True)


def learned(data: cl.LabelledData, *, seed: int) -> Any:
    return lambda inputs: np.zeros(len(inputs), int)


def learners() -> Iterator[Report]:
    yield cl.randomization_test(learned, DATA, settings=["true", "random-labels"])


def seeds() -> Iterator[Report]:
    options: Any = {"settings": ["true", "random-labels"], "seeds": 2}
    yield cl.randomization_test(learned, DATA, DATA, **options)
    yield cl.randomization_test(linear(), DATA, recipe=RECIPE, **options)


def permutation_tests() -> Iterator[Report]:
    found = cl.permutation_test(
        linear(),
        DATA,
        DATA,
        recipe=RECIPE,
        permutations=3,
        level=0.5,
        baselines=[cl.ShuffledPixels()],
    )
    yield found
    yield cl.permutation_test(learned, DATA, DATA, permutations=3, level=0.5, stop_after=1)
    yield dataclasses.replace(found, observed=0.1 + 0.2, baselines=())


def memorization_reports() -> Iterator[Report]:
    def train(data: Any, epoch_end: Any) -> Any:
        epoch_end(lambda inputs: (inputs[:, 0] > 0).long())
        return lambda inputs: (inputs[:, 1] > 0).long()

    yield cl.memorization_report(train, [*DATA, *DATA, *DATA], canaries=2)


def audits() -> Iterator[Report]:
    yield cl.audit([(0.0, "<a>"), (1.0, "<b>")], workers=0)


def failing(p: float) -> dict[str, float]:
    if p > 1:
        raise ValueError(f"<p> is {p}")
    return {"loss": p, "nothing": math.inf}


@functools.cache
def sweep_folder() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp())


def sweeps() -> Iterator[Report]:
    yield cl.sweep({"p": [0.5, math.inf]}, failing, out=sweep_folder(), retries=0, progress=False)


def reproductions() -> Iterator[Report]:
    one = paper.Measurement(
        row="small-inception true",
        seed=1,
        measured={"steps": 3, "test": math.nan},
        sample="<none>",
        machine="a laptop",
        environment={"torch": "2"},
        seconds=None,
        command="",
        departures={"recipe.precision": "bfloat16"},
        curves={"losses": (2.3, 0.1, 0.0)},
    )
    yield experiments.Reproduction(
        exhibit=paper.exhibit("fig1a"),
        measurements=(one, dataclasses.replace(one, seed=2)),
        left_out={"gaussian": "why not"},
        failures=sweeps_failures(),
        interrupted=True,
        out=Path("out"),
        seconds=1.5,
    )


def sweeps_failures() -> tuple[Any, ...]:
    (report,) = sweeps()
    assert isinstance(report, cl.SweepReport)
    return report.failures


def memorizations() -> Iterator[Report]:
    yield capacity.memorization(linear(), POINTS, LABELS, recipe=RECIPE, replicas=12, share=0.5)
    yield capacity.memorization(learned, POINTS, LABELS, replicas=12, share=0.5)


def stabilities() -> Iterator[Report]:
    yield capacity.stability(
        linear(),
        POINTS,
        LABELS,
        recipe=RECIPE,
        fresh=(POINTS[:2], [1, 0]),
        held_out=(POINTS, LABELS),
    )
    others: Any = {"fresh": (POINTS[:2], [1, 0]), "held_out": (POINTS, LABELS), "loss": "zero_one"}
    yield capacity.stability(learned, POINTS, LABELS, **others)


def capacities() -> Iterator[Report]:
    yield capacity.effective_capacity(linear(), POINTS, recipe=RECIPE, replicas=3)
    yield capacity.effective_capacity(learned, POINTS, replicas=3)


def critical_samples() -> Iterator[Report]:
    yield capacity.critical_sample_ratio(linear(), POINTS, [0.01, 10.0])  # near some, and all


def shatterings() -> Iterator[Report]:
    yield capacity.shatters(linear(), POINTS[:2], recipe=RECIPE)
    yield capacity.shatters(linear(), torch.ones(2, 4), recipe=RECIPE, sample=3)


def interpolations() -> Iterator[Report]:
    for points in (np.eye(4), np.ones((1, 4))):  # one point is infinitely far from all others
        report = cl.interpolate(points, np.ones(len(points))).report
        assert report is not None
        yield report


def min_norms() -> Iterator[Report]:
    yield kernels.min_norm([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]], [2.0, 4.0])
    yield kernels.min_norm([[1.0, 1.0]], [[2.0, 1 / 3, 0.0]])


def bounds() -> Iterator[Report]:
    yield rademacher.Bound(1 / 3, n=7, convention="zhang")


def estimates() -> Iterator[Report]:
    yield rademacher.linear(np.eye(4), draws=3)
    yield rademacher.linear(np.eye(4), draws=3, gaussian=True)


def trained_estimates() -> Iterator[Report]:
    yield rademacher.network(linear(), POINTS, recipe=RECIPE, draws=3)


def spectra() -> Iterator[Report]:
    yield rademacher.bartlett_spectral(linear(), POINTS)


def risks() -> Iterator[Report]:
    yield rademacher.risk_bound(0.1, rademacher.Bound(0.02, n=100, convention="zhang"))


EXAMPLES: dict[type[Any], Callable[[], Iterator[Report]]] = {
    cl.FitReport: fits,
    cl.ReplicasReport: replicas,
    cl.HeadsReport: heads,
    cl.RandomizationReport: randomization_tests,
    experiments.SeedsReport: seeds,
    experiments.LearnerReport: learners,
    experiments.PermutationTest: permutation_tests,
    cl.MemorizationReport: memorization_reports,
    experiments.AuditReport: audits,
    cl.SweepReport: sweeps,
    experiments.Reproduction: reproductions,
    capacity.Memorization: memorizations,
    capacity.Stability: stabilities,
    capacity.EffectiveCapacity: capacities,
    capacity.CriticalSamples: critical_samples,
    capacity.Shattering: shatterings,
    capacity.InterpolationReport: interpolations,
    kernels.MinNorm: min_norms,
    rademacher.Bound: bounds,
    rademacher.Estimate: estimates,
    rademacher.TrainedEstimate: trained_estimates,
    rademacher.SpectralComplexity: spectra,
    rademacher.RiskBound: risks,
}

# `KernelFit` is a function, and a measurement has a strict reader of its own.
NO_REPORTS = {kernels.KernelFit, paper.Measurement}


@functools.cache
def examples(kind: Any) -> tuple[Any, ...]:
    return tuple(EXAMPLES[kind]())


every_report = pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)


def subclasses(kind: Any) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_report_has_an_example_here() -> None:
    assert set(subclasses(Report)) == set(EXAMPLES)


def test_every_public_result_is_a_report() -> None:
    """What notes the environment it was computed in, or becomes a dictionary but is no argument."""
    results = set()
    for each in documented_names():
        kind = each.values[0]
        if inspect.isclass(kind) and dataclasses.is_dataclass(kind):
            names = [field.name for field in dataclasses.fields(kind)]
            if "environment" in names and not issubclass(kind, Record):
                results.add(kind)
    assert results == NO_REPORTS


def test_kinds_differ() -> None:
    assert len({kind._kind for kind in EXAMPLES}) == len(EXAMPLES)


# ------------------------------------------------------------------------------------------ laws


def check_same(one: Any, other: Any, place: str = "report") -> None:
    """Assert that two values are of the same types and hold the same numbers, bit for bit."""
    if isinstance(one, OwnNoise | cl.GivenLabels | cl.ResampledValues):  # kept as text
        assert repr(one) == repr(other), place
        return
    assert type(one) is type(other), place
    if isinstance(one, np.ndarray | torch.Tensor):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), place
        assert np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True), place
    elif isinstance(one, Mapping):
        assert list(one) == list(other), place
        for key in one:
            check_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            check_same(a, b, f"{place}[{i}]")
    elif dataclasses.is_dataclass(one) and not isinstance(one, paper.Exhibit):
        for field in dataclasses.fields(one):
            if not field.name.startswith("_"):
                a, b = getattr(one, field.name), getattr(other, field.name)
                check_same(a, b, f"{place}.{field.name}")
    else:
        assert repr(one) == repr(other), place


@every_report
def test_what_comes_back_from_a_dictionary_is_what_went_in(kind: Any) -> None:
    for report in examples(kind):
        values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert values == report.to_dict()
        check_same(report, kind.from_dict(values))
        assert kind.from_dict(values).to_dict() == values
        assert repr(kind.from_dict(values)) == repr(report)
        assert str(kind.from_dict(values)) == str(report)


@every_report
def test_what_comes_back_from_a_file_is_what_went_in(kind: Any, tmp_path: Path) -> None:
    for i, report in enumerate(examples(kind)):
        path = tmp_path / f"{i}.json"
        assert report.save(str(path)) == path
        check_same(report, kind.load(path))
    assert len(list(tmp_path.iterdir())) == len(examples(kind))


@every_report
def test_another_kind_or_version_is_refused(kind: Any, tmp_path: Path) -> None:
    (report, *_), path = examples(kind), tmp_path / "report.json"
    values = report.to_dict()
    for changed in ({"kind": "novel"}, {"schema": 999}, {"schema": None}):
        ((name, value),) = changed.items()
        with pytest.raises(
            ValueError,
            match=rf"^`values` must have the {name} .* of a {kind.__name__}, got {value!r}\.$",
        ):
            kind.from_dict({**values, **changed})
        path.write_text(json.dumps({**values, **changed}))
        with pytest.raises(DataFileError, match=rf"expected a saved {kind.__name__} .*{value!r}"):
            kind.load(path)


@every_report
def test_a_truncated_file_is_refused(kind: Any, tmp_path: Path) -> None:
    path = examples(kind)[0].save(tmp_path / "report.json")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataFileError, match="found a file that is damaged, or another"):
        kind.load(path)


@every_report
def test_a_value_that_is_missing_or_of_another_type_is_named(kind: Any) -> None:
    values = examples(kind)[0].to_dict()
    fields = [each for each in dataclasses.fields(kind) if each.name in values]
    for field in fields:
        if field.default is field.default_factory is dataclasses.MISSING:
            less = {name: value for name, value in values.items() if name != field.name}
            with pytest.raises(ValueError, match=f"^`values` must name {field.name}, got "):
                kind.from_dict(less)
        if "back" not in field.metadata and field.name not in ("recipe", "execution"):
            with pytest.raises(TypeError, match=rf"^`values\.{field.name}` must be .*, got <"):
                kind.from_dict({**values, field.name: Ellipsis_()})


class Ellipsis_:  # noqa: N801  # what no JSON file holds
    def __repr__(self) -> str:
        return "<nothing>"


@every_report
def test_data_frame_and_notebook_have_a_row_for_each_result(kind: Any) -> None:
    pandas = pytest.importorskip("pandas", exc_type=ImportError)
    for report in examples(kind):
        frame, page = report.to_frame(), report._repr_html_()
        assert isinstance(frame, pandas.DataFrame)
        assert len(frame) > 0
        assert page.count("<tr>") == 1 + len(frame)
        for name in frame.columns:
            assert f"<th>{name}</th>" in page
        assert not set(frame.dtypes.astype(str)) - {"int64", "float64", "bool", "object", "str"}


@every_report
def test_text_in_a_notebook_is_escaped(kind: Any) -> None:
    tags = {"table", "caption", "tr", "th", "td"}
    for report in examples(kind):
        page = report._repr_html_()
        for tag in tags:
            page = page.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
        assert not set("<>") & set(page)


def test_a_long_table_in_a_notebook_is_cut() -> None:
    report = rademacher.linear(np.eye(4), draws=1000)
    page = report._repr_html_()
    assert page.count("<tr>") == 1 + 21
    assert '<td colspan="2">980 more rows</td>' in page
    assert "<td>0</td>" in page
    assert "<td>999</td>" in page


def test_rows_with_different_numbers_keep_their_columns() -> None:
    (report,) = examples(experiments.Reproduction)
    one, other = report.measurements
    fewer = dataclasses.replace(other, measured={"test": 0.5})
    page = dataclasses.replace(report, measurements=(one, fewer))._repr_html_()
    head, first, second = (re.findall(">([^<]*)</t[hd]>", row) for row in page.splitlines()[2:5])
    assert len(head) == len(first) == len(second)
    at, steps = head.index("test"), head.index("steps")
    assert (first[at], first[steps], second[at], second[steps]) == ("nan", "3", "0.5", "-")


def test_without_pandas_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"^`pandas` is not installed; .*: pip install pandas\.$"):
        examples(rademacher.Bound)[0].to_frame()


# ------------------------------------------------------------------------------------ foreign files


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "something else"),
        ("{}", "something else"),
        ("3", "something else"),
        ('{"kind": "fit"}', r"kind 'fit', schema None"),
        ('{"kind": "audit", "schema": 1}', r"kind 'audit', schema 1"),
        ('{"kind": "bound", "schema": 1}', r"kind 'bound', schema 1: `values` must name value"),
        ("", r"a file that is damaged, or another \("),
        ("\x80", r"a file that is damaged, or another \("),
        ('{"kind": NaN}', r"a file that is damaged, or another \(JSON has no number NaN\)"),
    ],
)
def test_a_foreign_file_is_one_line(text: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(
        DataFileError,
        match=rf"^.*report\.json: expected a saved Bound \(kind 'bound', schema 1\), found {found}",
    ) as caught:
        rademacher.Bound.load(path)
    assert "\n" not in str(caught.value)


WRONG: list[Any] = [
    None, [], {}, "x", -1, 10**400, [[1], [1, 2]], {"$float": "x"}, {"kind": 3}, 10**30, True,
    {"$float": "nan"}, ["x"], [1.5],
]  # fmt: skip


def places(values: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in JSON: every key, and the first item of every list."""
    if at:
        yield at
    keys = list(values)[:1] and [0] if isinstance(values, list) else []
    for key in values if isinstance(values, dict) else keys:
        yield from places(values[key], (*at, key))


def path_of(at: tuple[Any, ...]) -> str:
    return "values" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in at)


def check_refused_or_shown(kind: Any, values: Any, at: tuple[Any, ...]) -> None:
    """Check that values are refused with a part of the path, or make a report that is shown."""
    try:
        report = kind.from_dict(values)
    except (TypeError, ValueError) as error:
        message, path = str(error), path_of(at)
        quoted = message.split("`")[1]
        assert "\n" not in message
        if quoted == "values":  # several fields contradict one another, or a report is another one
            assert "fields that fit together" in message or at[-1] in ("kind", "schema")
        else:
            named = path.startswith(quoted) or quoted.startswith(path)
            assert named or quoted == at[0], message
        return
    assert repr(report)
    assert str(report)
    assert json.dumps(report.to_dict(), allow_nan=False)
    if kind is not cl.SweepReport or at != ("out",):  # whose rows are in a folder
        assert report._repr_html_()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, for means of nothing
@every_report
def test_a_report_with_a_wrong_value_is_refused_or_shown(kind: Any) -> None:
    """Every value of the examples in turn, each by one of all wrong ones."""
    seen: set[tuple[Any, ...]] = set()
    for example in examples(kind):
        text = json.dumps(example.to_dict())
        for at in places(json.loads(text)):
            if at[-3:] in seen:  # the recipe of every row, for instance
                continue
            seen.add(at[-3:])
            values = json.loads(text)
            inner = functools.reduce(operator.getitem, at[:-1], values)
            inner[at[-1]] = WRONG[len(seen) % len(WRONG)]
            check_refused_or_shown(kind, values, at)


@pytest.mark.parametrize(
    ("kind", "at", "message"),
    [
        (
            cl.RandomizationReport,
            ("rows", 0, "setting", "label"),
            r"^`values\.rows\[0\]\.setting` must be as .*: `label` must be a string, got 3\.$",
        ),
        (
            cl.FitReport,
            ("recipe", "epochs"),
            r"^`values\.recipe` must be as .*: `epochs` must be at least 1, got -1\.$",
        ),
        (
            experiments.SeedsReport,
            ("reports", 0, "rows", 0, "seconds"),
            r"^`values\.reports\[0\]\.rows\[0\]\.seconds` must be a number, got '3'\.$",
        ),
        (
            experiments.Reproduction,
            ("measurements", 0, "measured"),
            r"^`values\.measurements` must be as .*: `measured` must be .*, got nan\.$",
        ),
        (
            capacity.Shattering,
            ("n",),
            r"^`n` must lie in 1 \.\. 12 if `exhaustive`, got 1000000000000\.$",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_value_is_named_by_its_path(kind: Any, at: tuple[Any, ...], message: str) -> None:
    wrong = {"label": 3, "epochs": -1, "seconds": "3", "measured": {"$float": "nan"}, "n": 10**12}
    values = json.loads(json.dumps(examples(kind)[0].to_dict()))
    functools.reduce(operator.getitem, at[:-1], values)[at[-1]] = wrong[at[-1]]
    with pytest.raises((TypeError, ValueError), match=message):
        kind.from_dict(values)


def test_fields_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    (example, *_) = examples(cl.capacity.Memorization)
    values = example.to_dict() | {"in_counts": []}
    message = r"^`values` must hold fields that fit together, .*, got the error: "
    with pytest.raises(ValueError, match=message):
        type(example).from_dict(values)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(values))
    with pytest.raises(DataFileError, match="that fit together"):
        type(example).load(path)


def test_a_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"found no such file\.$"):
        rademacher.Bound.load(tmp_path / "none.json")
    with pytest.raises(DataFileError, match=r"found a folder\.$"):
        rademacher.Bound.load(tmp_path)


def test_a_value_that_the_class_refuses_is_named_with_the_file(tmp_path: Path) -> None:
    path = examples(rademacher.Bound)[0].save(tmp_path / "report.json")
    path.write_text(path.read_text().replace('"n": 7', '"n": 0'))
    with pytest.raises(DataFileError, match=r"report\.json: .*: `n` must be at least 1, got 0\.$"):
        rademacher.Bound.load(path)


def test_a_file_that_cannot_be_replaced_keeps_the_old_report(tmp_path: Path) -> None:
    path = examples(rademacher.Bound)[0].save(tmp_path / "report.json")
    before = path.read_bytes()
    report = dataclasses.replace(examples(rademacher.Bound)[0])
    object.__setattr__(report, "source", object())  # what JSON cannot hold
    with pytest.raises(TypeError, match="must hold JSON values"):
        report.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_whole_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = examples(rademacher.Bound)[0].save(tmp_path / "report.json")
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        examples(rademacher.Estimate)[0].save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_array_of_nothing_keeps_its_type() -> None:
    baseline = experiments.Baseline("none", np.empty(0), None)
    assert baseline.from_dict(baseline.to_dict()).statistics.dtype == np.float64


def test_numbers_that_no_type_holds_are_named() -> None:
    values = examples(cl.ReplicasReport)[0].to_dict()
    with pytest.raises(TypeError, match=r"^`values\.epochs` must be a list of int64, got \[1000"):
        cl.ReplicasReport.from_dict({**values, "epochs": [10**400]})
    bound = examples(rademacher.Bound)[0].to_dict()
    with pytest.raises(ValueError, match=r"^`value` must be finite, got inf\.$"):
        rademacher.Bound.from_dict({**bound, "value": 10**400})


def test_names_that_are_not_fields_are_ignored() -> None:
    report = examples(rademacher.Bound)[0]
    assert rademacher.Bound.from_dict({**report.to_dict(), "later": 1}) == report


def test_a_tensor_that_is_damaged_is_named() -> None:
    values = examples(kernels.MinNorm)[0].to_dict()
    for changed in ({"dtype": "float99"}, {"shape": [99]}, {"base64": "?"}):
        with pytest.raises(TypeError, match=r"^`values\.weights` must be a tensor: dtype, shape"):
            kernels.MinNorm.from_dict({**values, "weights": {**values["weights"], **changed}})


def test_numbers_stand_in_one_line(tmp_path: Path) -> None:
    report = rademacher.linear(np.eye(4), draws=3)
    assert '"sups": [0.5, 0.5, 0.5]' in report.save(tmp_path / "report.json").read_text()


def test_a_loaded_report_of_replicas_has_no_networks() -> None:
    found = cl.ReplicasReport.from_dict(examples(cl.ReplicasReport)[0].to_dict())
    for call in (
        lambda: found.model(0),
        lambda: found.logits(POINTS),
        lambda: found.accuracy(POINTS, torch.tensor(LABELS)),
    ):
        with pytest.raises(ValueError, match="need the networks, which files do not hold"):
            call()


def test_a_corruption_of_which_only_the_text_is_known_is_not_applied() -> None:
    setting = cl.Setting(name="given", corruptions=(cl.GivenLabels([0, 1]),))
    again = cl.Setting.from_dict(setting.to_dict())
    assert repr(again) == repr(setting)
    assert cl.Setting.from_dict(again.to_dict()) == again
    with pytest.raises(
        ValueError, match="`corruptions` must hold the noise itself, got GivenLabels"
    ):
        cl.randomization_test(linear(), DATA[:2], recipe=RECIPE, settings=[again])


@pytest.mark.parametrize("kind", ["corrupt", "Manifest", "Corrupted", "CorruptedStream", "Nothing"])
def test_a_file_calls_nothing_but_corruptions(kind: str) -> None:
    values = {"name": "x", "corruptions": [{"kind": kind, "dataset": []}]}
    (corruption,) = cl.Setting.from_dict(values).corruptions
    assert repr(corruption) == f"{kind}(dataset=[])"


@pytest.mark.parametrize(
    ("values", "message"),
    [({"label": "x"}, "must name name"), ({"name": "x", "color": 1}, "must only name .*'color'")],
)
def test_values_that_make_no_setting_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^`values` {message}"):
        cl.Setting.from_dict(values)


# --------------------------------------------------------------------------------------- figures

DRAWN = [kind for kind in EXAMPLES if hasattr(kind, "plot")]
ARGUMENTS: dict[Any, tuple[Any, ...]] = {cl.SweepReport: ("p", "loss")}


@pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.__name__)
def test_every_figure_is_drawn_into_the_axes_that_are_given(kind: Any) -> None:
    figures = pytest.importorskip("matplotlib.figure")
    arguments = ARGUMENTS.get(kind, ())
    assert inspect.signature(kind.plot).parameters["ax"].default is None
    report = examples(kind)[0]
    alone = report.plot(*arguments)
    assert isinstance(alone, figures.Figure)
    figure = figures.Figure()
    axes = figure.subplots(1, 2)
    assert report.plot(*arguments, ax=axes[1]) is figure
    assert not axes[0].has_data()
    assert axes[1].has_data()
    assert axes[1].get_xlabel() == alone.axes[0].get_xlabel()
    inner = figures.Figure().subfigures()
    assert report.plot(*arguments, ax=inner.subplots()) is inner.figure
    with pytest.raises(TypeError, match=r"^`ax` must be axes of matplotlib, got Figure\.$"):
        report.plot(*arguments, ax=figure)


@pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.__name__)
def test_the_old_name_of_a_figure_warns(kind: Any) -> None:
    pytest.importorskip("matplotlib")
    if hasattr(kind, "figure"):
        with pytest.warns(DeprecationWarning, match="^`figure` is now called `plot`"):
            assert examples(kind)[0].figure().axes


def test_reports_that_had_a_figure_still_have_one() -> None:
    old = {kind.__name__ for kind in DRAWN if hasattr(kind, "figure")}
    assert old == {"HeadsReport", "MemorizationReport", "RandomizationReport", "Reproduction"}
    new = {"FitReport", "PermutationTest", "SeedsReport", "SweepReport"}
    assert new == {kind.__name__ for kind in DRAWN} - old


def test_several_panels_do_not_fit_into_one() -> None:
    axes = pytest.importorskip("matplotlib.figure").Figure().subplots()
    with pytest.raises(ValueError, match=r"^`ax` must be None for several panels, got axes for 2"):
        examples(cl.SweepReport)[0].plot("p", ["loss", "nothing"], ax=axes)


def test_a_fit_without_a_step_has_no_figure() -> None:
    report = dataclasses.replace(examples(cl.FitReport)[0], losses=())
    with pytest.raises(ValueError, match=r"^`losses` must hold the loss of a step to draw"):
        report.plot()


def test_a_report_of_an_older_version_is_read() -> None:
    path = Path(__file__).parent / "experiments" / "randomization" / "report_of_0_1.json"
    report = cl.RandomizationReport.load(path)
    assert [row.name for row in report.rows] == ["true", "gaussian", "given"]
    assert report["gaussian"].setting.corruptions == (
        cl.GaussianPixels(mean=0.25, std=0.4330127018922193, dtype="float32"),
    )
    old, new = json.loads(path.read_text()), report.to_dict()
    assert {name: new[name] for name in old if name != "rows"} == {
        name: old[name] for name in old if name != "rows"
    }


def test_a_report_with_infinite_numbers_can_be_what_a_trial_returns() -> None:
    report = examples(capacity.InterpolationReport)[1]
    assert report.smallest_gap == decode(encode(report, "result"))["smallest_gap"] == math.inf


# ------------------------------------------------------------------------------------ rows by name

NAMED = [kind for kind in EXAMPLES if issubclass(kind, Rows)]


def test_reports_of_named_rows() -> None:
    tests = {"RandomizationReport", "LearnerReport", "SeedsReport"}
    others = {"AuditReport", "Reproduction", "SweepReport"}
    assert {kind.__name__ for kind in NAMED} == tests | others


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
def test_rows_are_found_by_name_and_in_order(kind: Any) -> None:
    for report in examples(kind):
        named = report._named()
        assert len(report) == len(named) == len(list(report)) > 0
        for name, row in zip(named, report, strict=True):
            for typed in (name, name.replace("-", "_"), name.replace("-", " "), name.upper()):
                assert typed in report
                assert report[typed] == row
        assert "nothing" not in report
        with pytest.raises(KeyError, match=r"`name` must be among the rows \(.*\), got 'nothing'"):
            report["nothing"]


def test_the_exact_name_of_a_row_comes_first() -> None:
    (report,) = examples(experiments.LearnerReport)
    one, other = report.rows
    twin = dataclasses.replace(other, setting=cl.Setting(name="random_labels"))
    both = dataclasses.replace(report, rows=(one, other, twin))
    assert both["random-labels"] is other
    assert both["random_labels"] is twin


def test_a_name_close_to_that_of_a_row_is_asked_for() -> None:
    with pytest.raises(KeyError, match=r"got 'random-label'\. Did you mean 'random-labels'\?"):
        examples(experiments.LearnerReport)[0]["random-label"]


def test_a_report_without_rows_is_true() -> None:
    report = dataclasses.replace(examples(cl.RandomizationReport)[0], rows=())
    assert report
    assert (len(report), list(report)) == (0, [])
    with pytest.raises(KeyError, match=r"among the rows \(none\), got 'true'"):
        report["true"]


def test_rows_of_a_sweep_are_its_finished_trials() -> None:
    (report,) = examples(cl.SweepReport)
    assert list(report) == [{"p": 0.5, "loss": 0.5, "nothing": math.inf}]
    assert report[report.ids[0]] == next(iter(report))


def test_rows_of_a_reproduction_are_measurements_of_all_seeds() -> None:
    (report,) = examples(experiments.Reproduction)
    assert [each.seed for each in report["small-inception true"]] == [1, 2]


# ---------------------------------------------------------------------------------------- plurals


def singular(report: Any) -> str:
    return f"{report!r}\n{report}\n{report.environment if hasattr(report, 'environment') else ''}"


@every_report
def test_one_thing_is_no_plural(kind: Any) -> None:
    """With every number of the report as 1, as far as it is a report then."""
    for report in examples(kind):
        ones = {
            field.name: 1
            for field in dataclasses.fields(kind)
            if isinstance(getattr(report, field.name), int)
            and not isinstance(getattr(report, field.name), bool)
        }
        for changed in (report, dataclasses.replace(report, **ones)):
            found = re.findall(
                r"(?<![\d.,/^*-])\b1 (?:(?:training|test|random|held-out) )?[a-z]{2,}s\b",
                singular(changed),
            )
            assert [each for each in found if each not in NO_PLURALS] == []


NO_PLURALS = {"1 class"}
