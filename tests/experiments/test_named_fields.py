"""Fields that were named to `corrupt` are known wherever its data set goes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from corruptlab import (
    Corrupted,
    ExchangedLabels,
    RandomLabels,
    RandomPixels,
    Recipe,
    ShuffledPixels,
    corrupt,
    fit,
    materialize,
    memorization_report,
    mlp,
    permutation_test,
    randomization_test,
)
from corruptlab.corruptions import served_labels
from corruptlab.experiments import audit
from corruptlab.training import Execution

N = 24
GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (N, 1, 4, 4), generator=GENERATOR).to(torch.uint8)
LABELS = torch.arange(N) * 5 % 3
RECIPE = Recipe(learning_rate=0.05, epochs=3, batch_size=8, whiten=True, decay=0.95)
NOISE = RandomLabels(), RandomPixels()

Wrap = Callable[..., Corrupted]


def dictionaries(*corruptions: Any) -> Corrupted:
    """Keep the data under names that nobody knows, beside a decoy that everybody knows."""
    items = [{"pic": x, "label": -1, "kind": int(y)} for x, y in _pairs()]
    return corrupt(items, *corruptions, input_key="pic", label_key="kind")


def label_first(*corruptions: Any) -> Corrupted:
    """Keep the label where others keep the input."""
    items = [(int(y), x, "text") for x, y in _pairs()]
    return corrupt(items, *corruptions, input_key=1, label_key=0)


def listed(*corruptions: Any) -> Corrupted:
    """Keep the label first in tensors, where it is found without reading any item."""
    return corrupt(TensorDataset(LABELS, IMAGES), *corruptions, input_key=1, label_key=0)


def plain(*corruptions: Any) -> Corrupted:
    """Keep the same data as others do."""
    return corrupt(TensorDataset(IMAGES, LABELS), *corruptions)


def _pairs() -> list[tuple[Tensor, Tensor]]:
    return list(zip(IMAGES, LABELS, strict=True))


def itself(whole: Any) -> Any:
    return whole


def cut(whole: Any) -> Any:
    return Subset(whole, [5, 0, 5, 11, 2, 3])


def joined(whole: Any) -> Any:
    return ConcatDataset([whole, Subset(whole, [3, 1])])


def wrapped_again(whole: Any) -> Any:
    return corrupt(whole, ShuffledPixels(), ExchangedLabels(), seed=1)


def cut_from_a_join(whole: Any) -> Any:
    return Subset(ConcatDataset([Subset(whole, range(9)), whole]), [20, 3, 9, 8])


wraps = pytest.mark.parametrize("wrap", [dictionaries, label_first, listed])


@wraps
@pytest.mark.parametrize("view", [itself, cut, joined, wrapped_again, cut_from_a_join])
def test_views_of_named_fields_hold_what_views_of_plain_ones_hold(
    wrap: Wrap, view: Callable[[Any], Any]
) -> None:
    named, usual = view(wrap(*NOISE)), view(plain(*NOISE))
    for found, expected in zip(materialize(named), materialize(usual), strict=True):
        assert torch.equal(found, expected)
    assert served_labels(named, [3, 0]) == [usual[3][1], usual[0][1]]


@wraps
def test_a_second_corruption_serves_the_structure_of_the_first(wrap: Wrap) -> None:
    once, twice = wrap(), wrapped_again(wrap())
    key = "kind" if isinstance(once[0], dict) else 0
    for i in range(N):
        assert type(twice[i]) is type(once[i])
        assert twice[i][key] == twice.targets[i]
    assert_array_equal(twice.targets, wrapped_again(plain()).targets)


def test_keys_may_be_named_again_but_not_changed() -> None:
    for view in (itself, cut, joined):
        whole = view(label_first())
        assert (
            materialize(corrupt(whole, label_key=0))[1].tolist() == corrupt(whole).targets.tolist()
        )
        message = (
            r"^`input_key` and `label_key` must name the fields that the data set was corrupted "
            r"with, Fields\(input=1, label=0\), got Fields\(input=2, label=0\)\.$"
        )
        with pytest.raises(ValueError, match=message):
            corrupt(whole, input_key=2)


def test_keys_are_for_the_parts_that_nobody_named_fields_of() -> None:
    unnamed: Any = [(int(y), x, "") for x, y in _pairs()]
    mixed: Any = ConcatDataset([label_first(), unnamed])
    whole = corrupt(mixed, input_key=1, label_key=0)
    assert torch.equal(materialize(whole)[0], torch.cat([IMAGES, IMAGES]))
    assert whole.targets.tolist() == LABELS.tolist() * 2


@pytest.mark.parametrize("data", ["device", "stream"])
@wraps
def test_a_fit_reads_named_fields(wrap: Wrap, data: Any) -> None:
    def losses(dataset: Any) -> Any:
        model = mlp(8, input_shape=(1, 4, 4), num_classes=3)
        execution = Execution(data=data)
        report = fit(model, dataset, test=cut(dataset), recipe=RECIPE, execution=execution)
        return report.losses, report.test_accuracy

    assert losses(wrap(*NOISE)) == losses(plain(*NOISE))
    assert losses(joined(wrap())) == losses(joined(plain()))


@wraps
def test_a_permutation_test_reads_named_fields(wrap: Wrap) -> None:
    def p_value(whole: Any, **other: Any) -> Any:
        model = mlp(8, input_shape=(1, 4, 4), num_classes=3)
        test = permutation_test(model, whole, recipe=RECIPE, permutations=5, level=0.5, **other)
        return test.observed, test.null.tolist(), test.p_value

    for view in (itself, joined):
        assert p_value(view(wrap()), folds=2) == p_value(view(plain()), folds=2)
    assert p_value(wrap(), test=cut(wrap())) == p_value(plain(), test=cut(plain()))


@pytest.mark.slow(seconds=1)
@wraps
def test_a_randomization_test_reads_named_fields(wrap: Wrap) -> None:
    def losses(whole: Any) -> Any:
        model = mlp(8, input_shape=(1, 4, 4), num_classes=3)
        report = randomization_test(model, whole, cut(whole), recipe=RECIPE)
        return [row.fit.losses for row in report.rows]

    assert losses(wrap()) == losses(plain())


@wraps
def test_a_memorization_report_and_an_audit_read_named_fields(wrap: Wrap) -> None:
    def train(dataset: Corrupted, epoch_end: Any) -> Any:
        inputs, labels = materialize(dataset)

        def nearest(x: Tensor) -> Tensor:
            return labels[torch.cdist(x.flatten(1).double(), inputs.flatten(1).double()).argmin(1)]

        return nearest

    found, expected = (
        memorization_report(train, whole, canaries=5).epochs for whole in (wrap(), plain())
    )
    assert found == expected
    for view in (itself, cut, joined):
        assert audit(view(wrap(RandomLabels())), workers=0)["train: items"].status == "ok"


def test_parts_that_keep_their_fields_elsewhere_are_one_error() -> None:
    mixed: Any = ConcatDataset([label_first(), TensorDataset(IMAGES, LABELS)])
    message = (
        r"^`dataset` must join parts that keep input and label in the same fields, got "
        r"Fields\(input=1, label=0\) and Fields\(input=0, label=1\); wrap each part with "
        r"corrupt\(part, input_key=\.\.\., label_key=\.\.\.\)\.$"
    )
    for read in (materialize, corrupt):
        with pytest.raises(ValueError, match=message):
            read(mixed)


def test_parts_nobody_named_fields_of_may_stand_beside_corrupted_ones() -> None:
    plain_parts: Any = [plain(), TensorDataset(IMAGES, LABELS), Subset(label_first(), [])]
    inputs, labels = materialize(ConcatDataset(plain_parts))
    assert torch.equal(inputs, torch.cat([IMAGES, IMAGES]))
    assert torch.equal(labels, torch.cat([LABELS, LABELS]))
