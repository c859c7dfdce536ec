"""Which examples become canaries, which labels they get, and what stays as it was."""

import pickle
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

from corruptlab import Draws, SymmetricLabels, corrupt, memorization_report
from corruptlab.corruptions import Corrupted
from corruptlab.experiments import Fitted, MemorizationReport

from .cases import CLASSES, clusters, run


@dataclass(frozen=True)
class Planted:
    """What a training function gets, and what docs/randomness.md says about the rest."""

    report: MemorizationReport
    train: Corrupted
    planted: NDArray[np.bool_]  # which examples of `train` are canaries
    held_out: NDArray[np.int64]  # numbers of the held-out canaries
    labels: NDArray[np.int64]  # and their random labels


def planting(train: Any = None, *, seed: int = 0, **changes: Any) -> Planted:
    """Keep what is trained on; the canaries are the documented words once more, by hand."""
    kept: list[Corrupted] = []

    def train_function(dataset: Corrupted, epoch_end: Any) -> Any:
        kept.append(dataset)
        return lambda x: np.zeros(len(x), np.int64)

    report = run(train_function, train, seed=seed, **changes)
    (data,) = kept
    whole = corrupt(clusters() if train is None else train, seed=seed)
    words = Draws(seed).words("memorization_report/canary", whole.ids)[:, 0]
    order = whole.ids[np.lexsort((whole.ids, words))]
    out = order[report.canaries : report.canaries + report.held_out]
    assert sorted([*data.ids, *out]) == sorted(whole.ids)
    return Planted(
        report=report,
        train=data,
        planted=np.isin(data.ids, order[: report.canaries]),
        held_out=out,
        labels=Draws(seed).integers("memorization_report/label", out, report.num_classes),
    )


def planted_ids(data: Planted) -> set[int]:
    return set(data.train.ids[data.planted].tolist())


def test_canaries_are_part_of_the_training_data_or_held_out_and_the_rest_is_all_there() -> None:
    data = planting(held_out=40)
    report = data.report
    assert len(data.train) == report.n_train == 360
    assert (report.canaries, report.held_out) == (60, 40)
    groups = report.final.planted, report.final.held_out, report.final.clean
    assert [group.total for group in groups] == [60, 40, 300]


def test_only_canaries_are_relabelled_and_inputs_are_those_of_their_numbers() -> None:
    data, whole = planting(), clusters()
    for i in range(len(data.train)):
        x, y = data.train[i]
        assert torch.equal(x, whole[data.train.ids[i]][0])
        assert y == data.train.targets[i]
    rest = ~data.planted
    np.testing.assert_array_equal(data.train.targets[rest], data.train.ids[rest] % CLASSES)
    np.testing.assert_array_equal(data.train.clean_targets, data.train.ids % CLASSES)
    assert data.report.final.clean.total == rest.sum()
    assert data.report.noisy == 0


@pytest.mark.slow
def test_canary_labels_are_uniform_whatever_the_true_label() -> None:
    counts = np.zeros((2, CLASSES, CLASSES))
    for seed in range(60):
        data = planting(seed=seed)
        some = data.planted
        np.add.at(counts[0], (data.train.clean_targets[some], data.train.targets[some]), 1)
        np.add.at(counts[1], (data.held_out % CLASSES, data.labels), 1)
    assert counts.sum() == 2 * 60 * 60
    for table in counts:
        for row in table:
            assert stats.chisquare(row).pvalue > 1e-4


@pytest.mark.slow
def test_every_example_is_planted_and_held_out_equally_often() -> None:
    planted, out = np.zeros(40), np.zeros(40)
    seeds = 200
    for seed in range(seeds):
        data = planting(clusters(40), canaries=10, held_out=6, seed=seed)
        planted[data.train.ids[data.planted]] += 1
        out[data.held_out] += 1
    for counts, share in ((planted, 10 / 40), (out, 6 / 40)):
        # The counts of one seed sum to a constant, which scales the variance by n / (n - 1).
        spread = ((counts - seeds * share) ** 2).sum() / (seeds * share * (1 - share)) * 39 / 40
        assert 1e-4 < stats.chi2.sf(spread, 39) < 1 - 1e-4


def test_more_canaries_keep_the_first_ones_with_their_labels() -> None:
    few, many = planting(canaries=20), planting(canaries=60)
    assert planted_ids(few) < planted_ids(many)
    labels = dict(zip(many.train.ids.tolist(), many.train.targets.tolist(), strict=True))
    for i in np.flatnonzero(few.planted):
        assert labels[int(few.train.ids[i])] == few.train.targets[i]


def test_number_held_out_does_not_change_what_is_planted() -> None:
    assert planted_ids(planting(held_out=2)) == planted_ids(planting(held_out=200))


def test_canaries_follow_the_examples_and_not_their_order() -> None:
    whole = corrupt(clusters())
    shuffled = Subset(whole, np.random.default_rng(0).permutation(400).tolist())
    one, two = planting(whole), planting(shuffled)
    assert planted_ids(one) == planted_ids(two)
    assert set(one.held_out) == set(two.held_out)
    assert dict(zip(one.train.ids, one.train.targets, strict=True)) == dict(
        zip(two.train.ids, two.train.targets, strict=True)
    )


def test_noise_elsewhere_is_the_same_as_without_canaries() -> None:
    noisy = corrupt(clusters(), SymmetricLabels(rate=0.3), seed=0)
    data = planting(noisy)
    rest = ~data.planted
    np.testing.assert_array_equal(data.train.targets[rest], noisy.targets[data.train.ids[rest]])
    np.testing.assert_array_equal(data.train.clean_targets, data.train.ids % CLASSES)
    wrong = data.train.targets != data.train.clean_targets
    assert data.report.noisy == data.report.final.noisy.total == (rest & wrong).sum()
    assert data.report.final.clean.total == (rest & ~wrong).sum()


def test_seed_decides_everything() -> None:
    one, again, other = planting(), planting(), planting(seed=1)
    assert one.train.fingerprint == again.train.fingerprint != other.train.fingerprint
    assert planted_ids(one) != planted_ids(other)


def test_canaries_and_labels_are_the_documented_words() -> None:
    data = planting(seed=3, held_out=40)
    labels = Draws(3).integers("memorization_report/label", np.arange(400), CLASSES)
    at = {tuple(x.tolist()): i for i, x in enumerate(clusters().tensors[0])}
    final = run(
        lambda *_: lambda x: [labels[at[tuple(each.tolist())]] for each in x],
        seed=3,
        held_out=40,
    ).final
    assert final.planted == Fitted(60, 60)
    assert final.held_out == Fitted(40, 40)
    canaries = data.train.ids[data.planted]
    np.testing.assert_array_equal(data.train.targets[data.planted], labels[canaries])


def test_share_is_rounded_to_a_number_of_examples() -> None:
    assert planting(canaries=0.1).planted.sum() == 40
    assert planting(canaries=0.0063).planted.sum() == 3


def test_what_is_trained_on_pickles_and_is_read_by_workers_alike() -> None:
    data = planting(canaries=20)
    copy = pickle.loads(pickle.dumps(data.train))
    assert copy.fingerprint == data.train.fingerprint
    loader: DataLoader[Any] = DataLoader(copy, batch_size=100, num_workers=1)
    labels = torch.cat([y for _, y in loader])
    np.testing.assert_array_equal(labels, data.train.targets)


class Pet(NamedTuple):
    image: torch.Tensor
    weight: float
    species: int


def test_items_keep_their_structure() -> None:
    kept: list[Corrupted] = []

    def train_function(dataset: Corrupted, epoch_end: Any) -> Any:
        kept.append(dataset)
        return lambda x: np.zeros(len(x), np.int64)

    words = [{"text": torch.tensor([float(i)]), "mood": i % 3, "id": i} for i in range(30)]
    run(train_function, words, canaries=5, input_key="text", label_key="mood")
    item = kept[0][0]
    assert set(item) == {"text", "mood", "id"}
    assert item["mood"] == kept[0].targets[0]
    pets = [Pet(torch.zeros(1) + i, 1.5, i % 2) for i in range(30)]
    run(train_function, pets, canaries=5, label_key="species")
    animal = kept[1][3]
    assert isinstance(animal, Pet)
    assert animal.weight == 1.5


def test_own_fields_reach_the_predictor() -> None:
    words = [{"text": torch.tensor([float(i)]), "mood": i % 3, "id": i} for i in range(60)]
    report = memorization_report(
        lambda data, _: lambda x: x[:, 0].long() % 3,
        words,
        canaries=10,
        input_key="text",
        label_key="mood",
    )
    assert report.final.held_out_true.share == report.final.clean.share == 1.0


def test_the_data_set_is_not_changed() -> None:
    data = clusters()
    before = [tensor.clone() for tensor in data.tensors]
    noisy = corrupt(data, SymmetricLabels(rate=0.3), seed=0)
    fingerprint = noisy.fingerprint
    run(train=noisy)
    assert all(map(torch.equal, before, data.tensors))
    assert noisy.fingerprint == fingerprint
    assert len(noisy) == 400


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"canaries": 1}, ValueError, r"`canaries` must be at least 2, got 1\."),
        ({"canaries": -3}, ValueError, r"`canaries` must be at least 2, got -3\."),
        (
            {"canaries": 0.001},
            ValueError,
            r"`canaries` must come to at least 2, got 0\.001 of 400 examples, which is 0\.",
        ),
        (
            {"canaries": 1.5},
            ValueError,
            r"`canaries` must be a number of examples or a share in \(0, 1\), got 1\.5\.",
        ),
        (
            {"canaries": float("nan")},
            ValueError,
            r"`canaries` must be a number of examples or a share in \(0, 1\), got nan\.",
        ),
        ({"canaries": "all"}, TypeError, r"`canaries` must be a number, got 'all'\."),
        ({"canaries": True}, TypeError, r"`canaries` must be a number, got True\."),
        ({"held_out": 1}, ValueError, r"`held_out` must be at least 2, got 1\."),
        ({"held_out": 2.0}, TypeError, r"`held_out` must be an integer, got 2\.0\."),
        (
            {"canaries": 200},
            ValueError,
            r"`canaries` and `held_out` must leave at least one of 400 examples, got 200 and 200\.",
        ),
        ({"seed": -1}, ValueError, r"`seed` must be at least 0, got -1\."),
    ],
)
def test_bad_numbers_are_quoted(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"^{message}$"):
        run(**changes)


def test_one_example_besides_the_canaries_is_enough() -> None:
    data = planting(clusters(11), canaries=5)
    assert data.report.final.clean.total == 1


def test_labels_of_one_class_are_refused() -> None:
    one = TensorDataset(torch.zeros(20, 1), torch.zeros(20, dtype=torch.int64))
    message = r"^`num_classes` must be at least 2 for labels to be random, got 1\.$"
    with pytest.raises(ValueError, match=message):
        run(train=one, canaries=4)
    assert run(train=one, canaries=4, num_classes=3).num_classes == 3


def test_example_that_is_there_twice_is_refused() -> None:
    twice = Subset(clusters(), [*range(30), 7])
    message = r"^`train` must hold every example once, .*, got example 7 2 times\.$"
    with pytest.raises(ValueError, match=message):
        run(train=twice, canaries=4)
    joined: ConcatDataset[Any] = ConcatDataset([clusters(30), clusters(30, seed=1)])
    assert run(train=joined, canaries=4).n_train == 56
