"""Bad input of one kind is one clear error, whatever is called with it."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

import corruptlab as cl
from corruptlab.capacity import memorization, rademacher
from corruptlab.capacity.kernels import GaussianKernel
from tests.training import cases

RECIPE = replace(cases.RECIPE, epochs=1)
X = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(60) % 3
BOTH = torch.stack([Y, Y])


def network(outputs: int = 3) -> nn.Module:
    return nn.Linear(5, outputs)


def permuted(model: Any, *data: Any, **options: Any) -> Any:
    return cl.permutation_test(
        model, *data, recipe=RECIPE, permutations=3, level=0.3, **{"folds": 2, **options}
    )


# ------------------------------------------------------------------------ tensors without values

READERS: dict[str, Callable[[Any], Any]] = {
    "fit": lambda x: cl.fit(network(), (x, Y), recipe=RECIPE),
    "fit_replicas": lambda x: cl.fit_replicas(network(), x, BOTH, recipe=RECIPE),
    "permutation_test": lambda x: permuted(network(), (x, Y)),
    "memorization": lambda x: memorization(network(), x, Y, recipe=RECIPE),
    "rademacher.linear": rademacher.linear,
    "rademacher, blocks": lambda x: rademacher.linear([x]),
    "interpolate": lambda x: cl.interpolate(x, Y, num_classes=3),
    "kernel": lambda x: cl.KernelInterpolant(GaussianKernel(gamma=1.0)).fit(x, Y, num_classes=3),
    "statistics": replace(RECIPE, standardize="features").with_statistics_of,
    "corrupt": lambda x: cl.corrupt((x, Y), cl.ShuffledPixels())[0],
}
LABEL_READERS: dict[str, Callable[[Any], Any]] = {
    "fit": lambda y: cl.fit(network(), (X, y), recipe=RECIPE),
    "fit_replicas": lambda y: cl.fit_replicas(network(), X, torch.stack([y, y]), recipe=RECIPE),
    "memorization": lambda y: memorization(network(), X, y, recipe=RECIPE),
    "targets": lambda y: cl.corrupt(TensorDataset(X, Y), targets=y),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("kind", "found"),
    [("meta", "a meta tensor"), ("coo", r"a tensor of layout torch\.sparse_coo")],
)
def test_inputs_without_dense_values_are_one_error(name: str, kind: str, found: str) -> None:
    inputs = torch.empty(60, 5, device="meta") if kind == "meta" else X.to_sparse()
    with pytest.raises(TypeError, match=rf"must hold dense tensors with values, got {found}"):
        READERS[name](inputs)


@pytest.mark.parametrize("name", LABEL_READERS)
@pytest.mark.parametrize("kind", ["meta", "coo"])
def test_labels_without_dense_values_are_one_error(name: str, kind: str) -> None:
    labels = torch.empty(60, dtype=torch.long, device="meta") if kind == "meta" else Y.to_sparse()
    with pytest.raises(TypeError, match="must hold dense tensors with values, got a"):
        LABEL_READERS[name](labels)


def test_a_network_without_values_is_one_error() -> None:
    calls: list[Callable[[nn.Module], Any]] = [
        lambda m: cl.fit(m, TensorDataset(X, Y), recipe=RECIPE),
        lambda m: cl.fit_replicas(m, X, BOTH, recipe=RECIPE),
        lambda m: cl.randomization_test(m, TensorDataset(X, Y), recipe=RECIPE),
        lambda m: permuted(m, TensorDataset(X, Y)),
        lambda m: memorization(m, X, Y, recipe=RECIPE),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"^`model` must have weights with values, got some"):
            call(nn.Linear(5, 3, device="meta"))


# --------------------------------------------------------------------------- nothing is trained


class Detached(nn.Module):
    """A network that gives scores without a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.layer(inputs)
        return scores.detach()


@pytest.mark.parametrize("strategy", ["auto", "vmap", "loop"])
def test_a_network_without_a_gradient_is_refused_by_every_strategy(strategy: Any) -> None:
    with pytest.raises(ValueError, match=r"^`model` and `loss` must compute a loss that depends"):
        cl.fit_replicas(Detached(), X, BOTH, recipe=RECIPE, strategy=strategy)


def test_a_network_without_a_gradient_is_refused_by_fit() -> None:
    with pytest.raises(ValueError, match=r"^`model` and `loss` must compute a loss that depends"):
        cl.fit(Detached(), TensorDataset(X, Y), recipe=RECIPE)


def test_a_loss_that_does_not_depend_on_the_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^`model` and `loss` must compute a loss that depends"):
        cl.fit(network(), TensorDataset(X, Y), recipe=RECIPE, loss=lambda *_: torch.tensor(1.0))


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("n", [2, 3, 4, 60])
def test_a_loss_of_other_shapes_is_refused_however_many_classes_and_examples(
    classes: int, n: int
) -> None:
    data = TensorDataset(X[:n], Y[:n] % 2)
    with pytest.raises(ValueError, match=r"^`loss` must take outputs \(b, num_classes\)"):
        cl.fit(network(classes), data, recipe=RECIPE, loss=nn.MSELoss())


# ------------------------------------------------------------------------------------ data sets


class Changing(Dataset[Any]):
    """A data set that is longer every time one asks."""

    def __init__(self) -> None:
        self.asked = 0

    def __len__(self) -> int:
        self.asked += 1
        return 40 + self.asked

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return X[index % 60], index % 3


@pytest.mark.parametrize("data", ["device", "stream"])
def test_a_length_that_changes_is_refused_however_data_are_read(data: Any) -> None:
    with pytest.raises(ValueError, match=r"^`train` must keep its length, got 41 at first and"):
        cl.fit(network(), Changing(), recipe=RECIPE, execution=cl.Execution(data=data))


def test_audit_finds_a_length_that_changes() -> None:
    report = cl.audit(Changing(), workers=0)
    assert not report.ok
    found = [finding for finding in report.findings if finding.check == "train: length"]
    assert [finding.status for finding in found] == ["error"]
    assert cl.audit(TensorDataset(X, Y), workers=0).ok


@pytest.mark.parametrize("folds", [2, 5])
def test_an_input_that_is_not_finite_has_its_own_number_in_folds(folds: int) -> None:
    bad = X.clone()
    bad[37, 2] = math.nan
    data = TensorDataset(bad, Y)
    with pytest.raises(ValueError, match=r"^`train` must hold finite inputs, .* in example 37\.$"):
        permuted(network(), data, folds=folds)
    with pytest.raises(ValueError, match=r"^`test` must hold finite inputs, .* in example 37\.$"):
        permuted(network(), TensorDataset(X, Y), data, folds=None)
