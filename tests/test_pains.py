"""What trips users today, one trouble a test: each is a promise of the corruptions."""

import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset, random_split

import corruptlab as cl

N = 2_000
IMAGES = (torch.arange(N * 64) * 7919 % 251).to(torch.uint8).reshape(N, 1, 8, 8)
LABELS = torch.arange(N) % 10
DATA = TensorDataset(IMAGES, LABELS)
DISTINCT = TensorDataset(
    torch.from_numpy(np.random.default_rng(0).normal(size=(300, 1, 8, 8))), LABELS[:300]
)
NOISE = cl.UniformLabels(p=0.5)
ALL = (NOISE, cl.ShuffledPixels(), cl.RandomPixels())


def labels(dataset: Any) -> list[int]:
    return [int(dataset[i][1]) for i in range(len(dataset))]


def test_pain_1_the_nominal_rate_is_not_the_actual_one() -> None:
    uniform, symmetric = cl.UniformLabels(p=0.5), cl.SymmetricLabels(rate=0.5, drawing="exact")
    assert cl.corrupt(DATA, uniform).nominal_rate == pytest.approx(0.45)
    exact = cl.corrupt(DATA, symmetric)
    assert exact.realized_rate == exact.nominal_rate == 0.5
    assert "50.00% of labels changed, 50.00% expected" in repr(exact)
    assert exact.transition_matrix.shape == (10, 10)


def test_pain_2_flips_cascade_in_place() -> None:
    swapped = cl.corrupt(DATA, cl.AsymmetricLabels(classes="cifar10", rate=1.0))
    assert set(swapped.targets[swapped.clean_targets == 3]) == {5}
    assert set(swapped.targets[swapped.clean_targets == 5]) == {3}


def test_pain_3_cifar100_asymmetric_noise_means_three_things() -> None:
    hundred = np.arange(100)
    made = {
        name: tuple(
            cl.AsymmetricLabels(classes=name, rate=1.0)
            .labels(hundred, num_classes=100, draws=cl.Draws(0))
            .tolist()
        )
        for name in ("cifar100_superclass", "cifar100_block", "cifar100_pair")
    }
    assert len(set(made.values())) == 3


def test_pain_4_nobody_can_share_the_noise(tmp_path: Path) -> None:
    noisy = cl.corrupt(DATA, NOISE, seed=3)
    shared = cl.GivenLabels.from_manifest(noisy.manifest().save(tmp_path / "noise.npz"))
    assert_array_equal(cl.corrupt(DATA, shared).targets, noisy.targets)
    with pytest.raises(ValueError, match="must have the clean labels that the given"):
        cl.corrupt(TensorDataset(IMAGES, LABELS.flip(0)), shared)


def test_pain_5_a_stale_file_is_silently_reused(tmp_path: Path) -> None:
    path = tmp_path / "noise.npz"
    old = cl.corrupt(DATA, NOISE, seed=0).manifest()
    new = cl.corrupt(DATA, NOISE, seed=1).manifest()
    assert old.digest != new.digest
    loaded = cl.corruptions.Manifest.load(old.save(path))
    assert (loaded.seed, loaded.corruption) == (0, "UniformLabels(p=0.5)")


def test_pain_6_the_seed_is_ignored() -> None:
    one, same, other = (cl.corrupt(DATA, *ALL, seed=s) for s in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert (one.targets != other.targets).mean() > 0.4
    assert not torch.equal(one[0][0], other[0][0])


def test_pain_7_test_labels_are_corrupted_and_permutations_differ() -> None:
    ramp = TensorDataset(torch.arange(64).reshape(1, 1, 8, 8), torch.tensor([0]))
    train, test = (cl.corrupt(ramp, cl.ShuffledPixels(), seed=4) for _ in range(2))
    assert torch.equal(train[0][0], test[0][0])
    report = cl.audit(cl.corrupt(DATA, NOISE), cl.corrupt(DATA, NOISE), sample=8, workers=0)
    assert any(f.check == "test: clean labels" and f.status == "error" for f in report.findings)


@pytest.mark.slow(seconds=1)
def test_pain_8_targets_and_items_disagree() -> None:
    assert labels(cl.corrupt(DATA, *ALL)) == cl.corrupt(DATA, *ALL).targets.tolist()


def test_pain_9_subsets_redraw_or_return_whole_set_labels() -> None:
    whole = cl.corrupt(DATA, *ALL)
    parts = random_split(DATA, [500, 1500], generator=torch.Generator().manual_seed(0))
    for part in parts:
        assert_array_equal(cl.corrupt(part, *ALL).targets, whole.targets[part.indices])
    joined: ConcatDataset[Any] = ConcatDataset([cl.corrupt(part, NOISE) for part in parts])
    order = [*parts[0].indices, *parts[1].indices]
    assert_array_equal(cl.corrupt(joined).targets, whole.targets[order])


@pytest.mark.slow(seconds=1)
def test_pain_10_workers_and_epochs_get_other_noise() -> None:
    noisy = cl.corrupt(DATA, *ALL)
    loader = DataLoader(noisy, batch_size=500, num_workers=2)
    for _ in range(2):
        inputs, served = (torch.cat(parts) for parts in zip(*loader, strict=True))
        assert_array_equal(served, noisy.targets)
        assert torch.equal(inputs[1234], noisy[1234][0])


def test_pain_11_resuming_redraws_the_noise() -> None:
    before = cl.corrupt(DATA, *ALL, seed=9)
    after = pickle.loads(pickle.dumps(cl.corrupt(DATA, *ALL, seed=9)))
    assert before.fingerprint == after.fingerprint
    assert torch.equal(before[7][0], after[7][0])


def test_pain_12_global_generators_are_moved() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
    cl.materialize(cl.corrupt(DATA, *ALL, cl.GaussianPixels()))
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.slow
def test_pain_13_wrappers_do_not_survive_spawned_workers() -> None:
    noisy = cl.corrupt(DATA, *ALL)
    loader = DataLoader(noisy, batch_size=N, num_workers=1, multiprocessing_context="spawn")
    ((inputs, served),) = loader
    assert torch.equal(inputs, torch.stack([noisy[i][0] for i in range(N)]))
    assert_array_equal(served, noisy.targets)


@pytest.mark.slow(seconds=1)
def test_pain_14_memory_doubles() -> None:
    large = TensorDataset(torch.zeros(500, 3, 224, 224, dtype=torch.uint8), torch.zeros(500).long())
    noisy = cl.corrupt(large, *ALL)
    assert noisy.dataset is large
    assert len(pickle.dumps(noisy)) - len(pickle.dumps(large)) < 32 * 500 + 10_000


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_pain_15_a_downloaded_file_is_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "CIFAR-10_human.pt", tmp_path / "mark"
    torch.save({"clean_label": Hostile(mark)}, path)
    with pytest.raises(cl.datasets.DataFileError):
        cl.datasets.cifar_n(path, which="worst")
    path.write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(cl.datasets.DataFileError):
        cl.corruptions.Manifest.load(path)
    assert not mark.exists()


def test_pain_16_cifar_n_has_key_names_and_an_order_of_its_own(shared_data: Path) -> None:
    people = cl.datasets.cifar_n(shared_data / "cifar-n", which="worst")
    assert people.noise_rate == pytest.approx(0.4021, abs=1e-4)
    shuffled = TensorDataset(torch.zeros(50_000, 1), torch.arange(50_000) % 10)
    with pytest.raises(ValueError, match="must have the clean labels that the given"):
        cl.corrupt(shuffled, cl.GivenLabels(people.noisy, clean=people.clean))


def test_pain_17_nobody_says_which_accuracy_is_reported() -> None:
    model, held_out = cl.mlp(16, input_shape=(1, 8, 8)), Subset(DATA, range(100))
    recipe = cl.Recipe(learning_rate=0.05, epochs=3, whiten=True, decay=0.95)
    report = cl.fit(model, DATA, held_out, recipe=recipe)  # the last state, not the best one
    outputs = model(cl.training.whiten(IMAGES[:100])).argmax(dim=1)
    assert report.test_accuracy == pytest.approx((outputs == LABELS[:100]).float().mean().item())


def test_pain_18_nan_goes_on_unnoticed() -> None:
    with pytest.raises(cl.training.NonFiniteLossError, match=r"at step \d+: the learning rate"):
        cl.fit(
            cl.mlp(16, input_shape=(1, 8, 8)),
            DATA,
            recipe=cl.Recipe(learning_rate=1e20, epochs=3, whiten=True, decay=0.95),
        )


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        ("weight_decay", {"weight_decay": 0.3}),
        ("learning_rate_too_low", {"learning_rate": 1e-5}),
        ("too_few_epochs", {"epochs": 2}),
    ],
)
def test_pain_19_random_labels_do_not_fit_and_nobody_knows_why(
    cause: str, changes: dict[str, Any]
) -> None:
    values: dict[str, Any] = {"learning_rate": 0.05, "decay": 0.99, "epochs": 40, **changes}
    noisy = cl.corrupt(DISTINCT, cl.RandomLabels(), seed=0)
    report = cl.fit(cl.mlp(64, input_shape=(1, 8, 8)), noisy, recipe=cl.Recipe(**values))
    assert report.train_accuracy < 1
    assert report.diagnosis[0].name == cause


def test_pain_19_copies_of_an_image_with_other_labels_cannot_be_fitted() -> None:
    twice: ConcatDataset[Any] = ConcatDataset([DISTINCT, DISTINCT])
    noisy = cl.corrupt(twice, cl.RandomLabels(), seed=0)
    report = cl.fit(
        cl.mlp(64, input_shape=(1, 8, 8)),
        noisy,
        recipe=cl.Recipe(learning_rate=0.05, epochs=10, whiten=True, decay=0.95),
    )
    assert report.diagnosis[0].name == "conflicting_duplicates"


def test_pain_20_a_permutation_p_value_is_zero_or_misread() -> None:
    recipe = cl.Recipe(learning_rate=0.3, decay=1.0, epochs=5, batch_size=20, whiten=False)
    corners = TensorDataset(torch.eye(2).repeat(20, 1), torch.arange(40) % 2)
    model = cl.mlp(input_shape=(2,), num_classes=2)
    found = cl.permutation_test(model, corners, folds=2, recipe=recipe, permutations=39)
    assert found.exceedances == 0  # nothing did as well, and yet
    assert found.p_value == (0 + 1) / (39 + 1)
    assert "p = 0.025 (95% interval 0 to 0.09), 39 permutations" in repr(found)


noises = st.lists(
    st.one_of(
        st.builds(cl.UniformLabels, p=st.floats(0, 1)),
        st.builds(cl.SymmetricLabels, rate=st.floats(0, 1)),
        st.builds(cl.PairFlipLabels, rate=st.floats(0, 1)),
        st.builds(cl.RandomPixels, move=st.sampled_from(["pixels", "values"])),
        st.just(cl.ShuffledPixels()),
        st.just(cl.GaussianPixels(mean=100.0, std=40.0)),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@given(noises, st.integers(0, 2**64), st.lists(st.integers(0, N - 1), min_size=1, max_size=30))
def test_whatever_is_done_follows_the_example(made: list[Any], seed: int, at: list[int]) -> None:
    whole = cl.corrupt(DATA, *made, seed=seed)
    cut = cl.corrupt(Subset(DATA, at), *made, seed=seed)
    batch = whole.__getitems__(at)
    inputs, served = cl.materialize(cut)
    for k, i in enumerate(at):  # one by one, in a batch, in a cut, in one piece
        for image, label in (whole[i], batch[k], cut[k], (inputs[k], int(served[k]))):
            assert torch.equal(image, whole[i][0])
            assert label == whole.targets[i]
