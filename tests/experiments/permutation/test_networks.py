"""Networks that `fit` trains one by one: options, executors, folders, and real-valued targets."""

import copy
import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import corruptlab as cl
from corruptlab.training import Execution, stopping

from .problem import D, network, permuted_by_hand, points

X, Y = points(40).tensors
FOLDS = np.arange(40) % 2
RECIPE = cl.Recipe(learning_rate=0.1, epochs=5, batch_size=10, whiten=False)
ADAM = functools.partial(torch.optim.Adam, lr=0.05)
TARGETS = X[:, 0] + 0.5 * torch.randn(40, generator=torch.Generator().manual_seed(9))
FORTY = 40 * TARGETS.double() + 300  # on a scale that no network starts from


def brier(outputs: Tensor, labels: Tensor) -> Tensor:
    return ((outputs.softmax(1) - torch.eye(2)[labels]) ** 2).sum(1).mean()


def by_hand(statistic: Any = None, **options: Any) -> list[float]:
    """Return the mean accuracy over FOLDS of single fits."""
    found = []
    for row in permuted_by_hand(Y.numpy(), numbers=range(4)):
        labels, shares = torch.from_numpy(row), []
        for k in range(2):
            own = copy.deepcopy(network())
            train = TensorDataset(X[k != FOLDS], labels[k != FOLDS])
            cl.fit(own, train, recipe=RECIPE, measure="loss", **options)
            with torch.no_grad():
                scores = own.eval()(X[k == FOLDS])
            shares.append(float((scores.argmax(1) == labels[k == FOLDS]).double().mean()))
        found.append(float(np.mean(shares)))
    return found


def measured(data: Any = None, **options: Any) -> cl.experiments.PermutationTest:
    given = {"folds": FOLDS, "permutations": 3, "level": 0.5, "recipe": RECIPE, **options}
    model = given.pop("model", None) or network()
    return cl.permutation_test(model, TensorDataset(X, Y) if data is None else data, **given)


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": ADAM},
        {"loss": brier},
        {"stop": (stopping.target(0.8), stopping.interpolated())},
        {"execution": Execution(deterministic=True)},
    ],
    ids=["optimizer", "loss", "stop", "execution"],
)
def test_options_of_fit_give_what_single_fits_give(options: dict[str, Any]) -> None:
    found = measured(**options)
    assert_allclose([found.observed, *found.null], by_hand(**options))
    assert (found.recipe, found.learner) == (RECIPE, None)


@pytest.mark.parametrize("statistic", ["log-likelihood", "auroc", "accuracy"])
def test_single_fits_give_what_replicas_give(statistic: Any) -> None:
    expected = measured(statistic=statistic)
    found = measured(statistic=statistic, execution=Execution())
    assert_allclose(found.null, expected.null, rtol=1e-4)
    assert found.observed == pytest.approx(expected.observed, rel=1e-4)
    assert found.recipe == expected.recipe


def test_a_test_set_and_baselines_are_measured_as_with_replicas() -> None:
    options: dict[str, Any] = {
        "folds": None,
        "test": points(30, seed=1),
        "baselines": [cl.ShuffledPixels()],
        "repeats": 2,
        "statistic": "log-likelihood",
    }
    expected, found = measured(**options), measured(**options, execution=Execution())
    assert_allclose(found.null, expected.null, rtol=1e-4)
    assert_allclose(found.baselines[0].statistics, expected.baselines[0].statistics, rtol=1e-4)
    assert found.baselines[0].specification == expected.baselines[0].specification


@pytest.mark.slow
def test_executors_and_folders_give_what_this_process_gives(tmp_path: Path) -> None:
    expected = measured(execution=Execution())
    with ThreadPoolExecutor(2) as executor:
        assert_array_equal(measured(executor=executor).null, expected.null)
    assert_array_equal(measured(out=tmp_path).null, expected.null)
    assert len(list((tmp_path / "trials").iterdir())) == 4
    assert_array_equal(measured(out=tmp_path).null, expected.null)
    assert len(list((tmp_path / "trials").iterdir())) == 4
    for change in (
        {"model": cl.mlp(input_shape=(D,), num_classes=2, seed=1)},
        {"recipe": cl.Recipe(learning_rate=0.2, epochs=5, batch_size=10, whiten=False)},
        {"stop": ()},
        {"optimizer": ADAM},
        {"loss": brier},
        {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)},
        {"execution": Execution(deterministic=True)},
    ):
        with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone"):
            measured(out=tmp_path, **change)


def test_the_network_is_not_changed_and_no_generator_moves() -> None:
    model = network()
    kept, before = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    measured(model=model, execution=Execution())
    assert all(torch.equal(kept[name], each) for name, each in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


class Items:
    """A data set whose fields have names that nobody knows, beside those that everybody knows."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        decoy = {"image": torch.zeros(3), "label": 0}
        return {**decoy, "point": X[index], "kind": int(Y[index]), "value": float(FORTY[index])}


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("options", [{}, {"execution": Execution()}], ids=["replicas", "fit"])
def test_fields_are_those_that_the_keys_name(options: dict[str, Any]) -> None:
    keys = {"input_key": "point", "label_key": "kind"}
    found = measured(Items(), baselines=[cl.ShuffledPixels()], repeats=1, **keys, **options)
    expected = measured(baselines=[cl.ShuffledPixels()], repeats=1, **options)
    assert_array_equal(found.null, expected.null)
    assert_array_equal(found.baselines[0].statistics, expected.baselines[0].statistics)


def test_several_fields_are_for_replicas_alone() -> None:
    data = [{"a": x, "b": x, "label": int(y)} for x, y in zip(X, Y, strict=True)]
    with pytest.raises(TypeError, match=r"^`train` must have inputs of one field where `fit` tra"):
        measured(data, input_key=["a", "b"], execution=Execution())


# ------------------------------------------------------------------------------ real-valued targets


def line() -> nn.Module:
    return cl.mlp(input_shape=(D,), num_classes=1)


def fitted_by_hand(x: Tensor, targets: Tensor, mean: float, scale: float) -> nn.Module:
    """Train on the mean squared error of standardized targets with plain PyTorch."""
    own = copy.deepcopy(line())
    optimizer = torch.optim.SGD(own.parameters(), lr=0.1, momentum=0.9)
    wanted = ((targets - mean) / scale).float()
    for epoch in range(5):
        order = torch.from_numpy(cl.Draws(0).permutations("fit/order", [epoch], len(x))[0])
        for at in order.reshape(-1, 10):
            optimizer.zero_grad()
            ((own(x[at])[:, 0] - wanted[at]) ** 2).mean().backward()
            optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= RECIPE.decay
    return own


def r2(targets: Tensor, outputs: Tensor) -> float:
    residual = ((targets - outputs) ** 2).sum()
    return float(1 - residual / ((targets - targets.mean()) ** 2).sum())


def test_regression_of_a_network_equals_a_loop_in_plain_pytorch() -> None:
    mean, scale = float(FORTY.mean()), float(FORTY.std(correction=0))
    expected = []
    for row in permuted_by_hand(np.arange(40), numbers=range(4)):
        targets, scores = FORTY[torch.from_numpy(row)], []
        for k in range(2):
            own = fitted_by_hand(X[k != FOLDS], targets[k != FOLDS], mean, scale)
            with torch.no_grad():
                outputs = own(X[k == FOLDS])[:, 0].double() * scale + mean
            scores.append(r2(targets[k == FOLDS], outputs))
        expected.append(float(np.mean(scores)))
    found = measured((X, FORTY), model=line())
    assert_allclose([found.observed, *found.null], expected, rtol=1e-3, atol=1e-3)
    assert (found.statistic, found.learner) == ("r2", None)
    assert found.observed > 0.5 > found.null.max()


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize(
    "data",
    [
        (X.numpy(), FORTY.numpy()),
        (X, FORTY[:, None]),
        TensorDataset(X, FORTY),
        [(x, float(y)) for x, y in zip(X, FORTY, strict=True)],
        [(x, torch.tensor([float(y)])) for x, y in zip(X, FORTY, strict=True)],
    ],
    ids=["arrays", "column", "TensorDataset", "items", "tensors of one number"],
)
def test_targets_of_every_form_give_the_same(data: Any) -> None:
    assert_allclose(
        measured(data, model=line()).null, measured((X, FORTY), model=line()).null, rtol=1e-4
    )


def test_targets_are_found_by_their_key() -> None:
    found = measured(Items(), model=line(), input_key="point", label_key="value")
    assert_allclose(found.null, measured((X, FORTY), model=line()).null, rtol=1e-6)


@pytest.mark.slow(seconds=1)
def test_the_scale_of_targets_does_not_matter() -> None:
    one, other = measured((X, TARGETS), model=line()), measured((X, FORTY), model=line())
    assert_allclose(one.null, other.null, rtol=1e-3, atol=1e-4)


def test_a_network_with_outputs_of_one_axis_and_a_test_set() -> None:
    options: dict[str, Any] = {"folds": None, "test": (X[30:], FORTY[30:])}
    found = measured((X[:30], FORTY[:30]), model=nn.Sequential(line(), nn.Flatten(0)), **options)
    expected = measured((X[:30], FORTY[:30]), model=line(), **options)
    assert_array_equal(found.null, expected.null)
    assert found.folds is None


def mean_error(outputs: Tensor, targets: Tensor) -> float:
    return -float((outputs - targets).abs().mean())


def test_a_function_gets_numbers_on_the_scale_of_the_targets() -> None:
    found = measured((X, FORTY), model=line(), statistic=mean_error)
    assert -40 < found.observed < -1


@pytest.mark.slow
def test_regression_stops_where_every_output_is_closest_to_its_own_target() -> None:
    x, y = X[:4], torch.tensor([0.0, 1.0, 2.0, 3.0])
    long = cl.Recipe(learning_rate=0.02, decay=1.0, epochs=150, batch_size=4, whiten=False)
    model = cl.mlp(32, input_shape=(D,), num_classes=1)
    seen: list[float] = []

    def spy(outputs: Tensor, targets: Tensor) -> float:
        seen.append(float((outputs - targets).abs().max()))
        return 0.0

    options: dict[str, Any] = {"folds": None, "test": (x, y), "permutations": 1, "model": model}
    measured((x, y), statistic=spy, recipe=long, stop=stopping.interpolated(), **options)
    early, seen[:] = list(seen), []
    measured((x, y), statistic=spy, recipe=long, stop=(), **options)
    assert 0.01 < early[0] < 0.5  # half the distance of two targets
    assert seen[0] < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": network()},
            r"^`model` must have one output for real-valued targets \(integers are classes\), got "
            r"outputs of shape \(2, 2\) for 2 inputs\.$",
        ),
        ({"loss": brier}, r"^`loss` must be left out with real-valued targets, whose loss is the"),
        ({"statistic": "accuracy"}, r"^`statistic` must be 'r2' or a function for real-valued"),
        (
            {"data": (X, torch.where(FORTY > 300, FORTY, torch.nan))},
            r"^`train` must have finite labels, got nan at position \d+\.$",
        ),
        ({"data": (X, torch.ones(40))}, r"^`train` must have different labels within a group"),
    ],
)
def test_bad_regressions_are_refused(options: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"data": (X, FORTY), "model": line(), **options}
    with pytest.raises(ValueError, match=message):
        measured(**given)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"optimizer": 3}, TypeError, r"^`optimizer` must be a function that makes one from"),
        ({"loss": "mse"}, TypeError, r"^`loss` must be a function of outputs and labels, "),
        ({"execution": 3}, TypeError, r"^`execution` must be an Execution, got int\.$"),
        ({"stop": 3}, TypeError, r"^`stop` must hold stopping rules, .* got 3\.$"),
        ({"optimizer": lambda p: ADAM(p), "out": "x"}, TypeError, r"^`model` must be picklable"),
        (
            {"data": (X, 2 * Y), "execution": Execution()},
            ValueError,
            r"^`train` labels must lie in 0 \.\. 1, .* got 2\.$",
        ),
    ],
)
def test_bad_options_are_refused(
    options: dict[str, Any], kind: type[Exception], message: str, tmp_path: Path
) -> None:
    if "out" in options:
        options["out"] = tmp_path
    with pytest.raises(kind, match=message):
        measured(**options)


@pytest.mark.parametrize(
    "option",
    [{"optimizer": ADAM}, {"loss": brier}, {"execution": 1}],
    ids=lambda option: next(iter(option)),
)
def test_options_of_fit_are_refused_with_other_learners(option: dict[str, Any]) -> None:
    name = next(iter(option))
    with pytest.raises(ValueError, match=rf"^`{name}` must be left out with an estimator or a f"):
        measured(model=lambda data, *, seed: network(), recipe=None, **option)


def test_ctrl_c_in_a_fit_ends_the_test_and_keeps_what_is_finished() -> None:
    fits: list[Any] = []

    def optimizer(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        fits.append(parameters)
        return ADAM(parameters)

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        if len(fits) == 5:  # of 2 folds for each permutation: the third one
            fits.append(None)  # pressed once
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(outputs, labels)

    found = measured(loss=loss, optimizer=optimizer, permutations=19)
    assert found.interrupted
    assert_array_equal(found.null, measured(optimizer=ADAM).null[:1])


class Logits(nn.Module):
    """A network whose output is a dictionary."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"logits": self.network(inputs)}


@pytest.mark.slow(seconds=1)
def test_numbers_may_be_the_logits_of_an_output() -> None:
    torch.manual_seed(0)
    network, x = nn.Linear(3, 1), torch.randn(20, 3)
    recipe = cl.Recipe(learning_rate=0.1, epochs=2, batch_size=10, whiten=False)
    found, bare = (
        cl.permutation_test(model, (x, x[:, 0].double()), recipe=recipe, permutations=19, folds=2)
        for model in (Logits(network), network)
    )
    assert found.observed == bare.observed
