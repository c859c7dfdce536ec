"""Given labels are those of the right examples, or are refused; manifests survive the trip."""

import hashlib
import json
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from corruptlab import (
    Draws,
    ExchangedLabels,
    GivenLabels,
    PMDLabels,
    RandomLabels,
    UniformLabels,
    corrupt,
)
from corruptlab.corruptions import Manifest
from corruptlab.datasets import DataFileError

from .cases import tensors

CLEAN = np.arange(60) % 10
NEW = (CLEAN * 3 + 1) % 10
HALF = UniformLabels(p=0.5)


def test_given_labels_are_served() -> None:
    assert_array_equal(corrupt(tensors(), GivenLabels(NEW, clean=CLEAN)).targets, NEW)


def test_given_labels_follow_the_example() -> None:
    picked = [7, 59, 7, 0]
    cut = corrupt(Subset(tensors(), picked), GivenLabels(NEW, clean=CLEAN))
    assert_array_equal(cut.targets, NEW[picked])


def test_order_of_the_given_does_not_matter_when_numbered() -> None:
    order = np.random.default_rng(0).permutation(60)
    shuffled = GivenLabels(NEW[order], clean=CLEAN[order], ids=order)
    assert shuffled == GivenLabels(NEW, clean=CLEAN)
    assert hash(shuffled) == hash(GivenLabels(NEW, clean=CLEAN))
    assert shuffled != GivenLabels(NEW)


def test_labels_of_the_whole_suit_its_parts() -> None:
    given = GivenLabels(NEW)
    assert_array_equal(corrupt(Subset(tensors(), [1, 1]), given).targets, NEW[[1, 1]])
    assert_array_equal(corrupt(Subset(corrupt(tensors(), HALF), [4]), given).targets, NEW[[4]])
    numbered = corrupt(tensors(2), given, ids=[13, 5], num_classes=10)
    assert_array_equal(numbered.targets, NEW[[13, 5]])
    assert_array_equal(corrupt(numbered, given).targets, NEW[[13, 5]])
    first, second = Subset(tensors(), range(20)), Subset(tensors(), range(50))
    joined = GivenLabels(np.concatenate([NEW, CLEAN]))
    both = corrupt(ConcatDataset([first, second]), joined)
    assert_array_equal(both.targets, np.concatenate([NEW[:20], CLEAN[:50]]))


def given_for(dataset: Any, **arguments: Any) -> Any:
    return lambda: corrupt(dataset, GivenLabels(**arguments))


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            given_for(tensors(), given=NEW, clean=NEW),
            ValueError,
            r"^`dataset` must have the clean .* got 0 instead of 1 for example 0 \(60 of 60 differ",
        ),
        (
            given_for(tensors(), given=NEW[:50]),
            ValueError,
            r"^`given` must have a label for every example, got none for 50 \(and 9 more\)\.$",
        ),
        (
            given_for(tensors(), given=NEW + 5),
            ValueError,
            r"^`given` must lie in 0 \.\. 9, got 5 \.\. 14; .*, pass num_classes=\.$",
        ),
        (
            given_for(tensors(), given=NEW, clean=CLEAN[:5]),
            ValueError,
            r"^`clean` must have as many entries as `given`, 60, got 5\.$",
        ),
        (
            given_for(tensors(), given=[1, 2], ids=[3, 3]),
            ValueError,
            r"^`ids` must name every example once, got 3 twice\.$",
        ),
        (
            given_for(tensors(), given=NEW * 0.5),
            TypeError,
            r"^`given` must be one integer for each example, got float64 of shape \(60,\)\.$",
        ),
        (
            given_for(tensors(), given=np.append(NEW, 1)),
            ValueError,
            r"^`given` must have .* alone, got 61 labels, the last for example 60, and 60 examples",
        ),
        (
            given_for(Subset(tensors(), [7, 7, 9]), given=np.append(NEW, 1)),
            ValueError,
            r"^`given` must have .* got 61 labels, the last for example 60, and 60 examples",
        ),
        (
            given_for(ConcatDataset([tensors(20), tensors(30)]), given=NEW),
            ValueError,
            r"^`given` must have .* got 60 labels, the last for example 59, and 50 examples",
        ),
        (
            given_for(corrupt(tensors(), HALF), given=np.append(NEW, 1)),
            ValueError,
            r"^`given` must have .* got 61 labels, the last for example 60, and 60 examples",
        ),
        (
            given_for(tensors(3), given=[1, 2, 0, 1], ids=[0, 2, 1, 70]),
            ValueError,
            r"^`given` must have .* got 4 labels, the last for example 70, and 3 examples",
        ),
        (
            lambda: GivenLabels(NEW).labels(CLEAN[:59], num_classes=10, draws=Draws(0)),
            ValueError,
            r"^`given` must have .* got 60 labels, the last for example 59, and 59 examples",
        ),
        (
            lambda: corrupt(tensors(2), PMDLabels(np.full((3, 2), 0.5), kind="I")),
            ValueError,
            r"^`eta` must have a row for each example of `dataset`, got 3 rows and 2 examples",
        ),
        (given_for(tensors(), given=[]), TypeError, r"^`given` must be one integer for each"),
    ],
)
def test_labels_that_do_not_fit_are_refused(act: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        act()


def test_a_manifest_brings_the_same_labels_elsewhere(tmp_path: Path) -> None:
    noisy = corrupt(tensors(), HALF, seed=3)
    path = noisy.manifest().save(tmp_path / "noise.npz")
    shared = corrupt(tensors(), GivenLabels.from_manifest(path))
    assert_array_equal(shared.targets, noisy.targets)
    loaded = Manifest.load(path)
    assert (loaded.corruption, loaded.seed, loaded.algorithm) == ("UniformLabels(p=0.5)", 3, 1)
    assert loaded.num_classes == 10
    assert loaded.digest == noisy.manifest().digest


def test_digests_are_those_of_the_first_day(tmp_path: Path) -> None:
    noisy = corrupt(tensors(), HALF, seed=3).manifest()
    whole = np.stack([noisy.ids, noisy.clean_targets, noisy.targets])
    assert noisy.digest == hashlib.sha256(b"<i8(3, 60)" + whole.tobytes()).hexdigest()[:16]
    assert Manifest.load(noisy.save(tmp_path / "noise.npz")).digest == noisy.digest


def test_a_manifest_of_a_part_serves_that_part(tmp_path: Path) -> None:
    part = corrupt(Subset(tensors(), [9, 4]), RandomLabels(), seed=3)
    shared = GivenLabels.from_manifest(part.manifest().save(tmp_path / "part.npz"))
    assert_array_equal(corrupt(Subset(tensors(), [4]), shared).targets, part.targets[1:])
    with pytest.raises(ValueError, match=r"^`given` must have a label for every example, got none"):
        corrupt(tensors(), shared)


def test_a_manifest_of_other_labels_is_refused() -> None:
    noisy = corrupt(tensors(), HALF, seed=3)
    shared = GivenLabels.from_manifest(noisy.manifest())
    with pytest.raises(ValueError, match=r"^`dataset` must have the clean labels that the given"):
        corrupt(TensorDataset(torch.zeros(60, 1), torch.arange(1, 61) % 10), shared)


def test_a_manifest_is_small() -> None:
    labels = np.arange(50_000) % 10
    noisy = corrupt([(0, y) for y in labels.tolist()], RandomLabels())
    assert noisy.manifest().digest != corrupt(tensors(), HALF).manifest().digest


def test_a_saved_manifest_is_small(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 10, 50_000)
    noisy = corrupt([(0, y) for y in labels.tolist()], RandomLabels())
    assert noisy.manifest().save(tmp_path / "noise.npz").stat().st_size < 200_000


def test_saving_replaces_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "noise.npz"
    path.write_text("old")
    corrupt(tensors(), HALF).manifest().save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["noise.npz"]
    assert len(Manifest.load(path).targets) == 60


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def hostile_npz(path: Path, mark: Path) -> None:
    good = corrupt(tensors(), HALF).manifest().save(path)
    with np.load(good) as arrays:
        parts = dict(arrays)
    parts["targets"] = np.array([Hostile(mark)], object)
    np.savez(path, **parts)


def test_a_file_with_code_does_not_run_it(tmp_path: Path) -> None:
    path, mark = tmp_path / "noise.npz", tmp_path / "mark"
    for write in (
        lambda: hostile_npz(path, mark),
        lambda: path.write_bytes(pickle.dumps(Hostile(mark))),
    ):
        write()
        with pytest.raises(
            DataFileError, match=r"noise\.npz: expected a corruptlab manifest, found"
        ):
            Manifest.load(path)
        assert not mark.exists()


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "noise.npz"
    with pytest.raises(DataFileError, match=r"noise\.npz: .* found no such file\.$"):
        Manifest.load(path)
    whole = corrupt(tensors(), HALF).manifest().save(path).read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(
            DataFileError, match=r"expected a corruptlab manifest, found what cannot"
        ):
            Manifest.load(path)
    np.savez(path, something=np.zeros(3))
    with pytest.raises(DataFileError, match=r"expected a corruptlab manifest, found what cannot"):
        Manifest.load(path)
    with pytest.raises(DataFileError, match=r"expected a corruptlab manifest, found what cannot"):
        Manifest.load(tmp_path)


def test_changed_labels_are_noticed(tmp_path: Path) -> None:
    path = corrupt(tensors(), HALF).manifest().save(tmp_path / "noise.npz")
    with np.load(path) as arrays:
        parts = dict(arrays)
    parts["targets"] = (parts["targets"] + 1) % 10
    np.savez(path, **parts)
    with pytest.raises(DataFileError, match=r"found one of .* with another digest: it was changed"):
        Manifest.load(path)


@pytest.mark.parametrize(
    ("descr", "shape"),
    [("<i8", "(1099511627776,)"), ("<i8", "(100000000,)"), ("<f8", "(60,)"), ("|O", "(60,)"),
     ("<i8", "()"), ("<i8", "(30, 2)")],
)  # fmt: skip
def test_an_array_of_another_size_or_kind_is_refused_before_memory_is_taken(
    tmp_path: Path, descr: str, shape: str
) -> None:
    path = corrupt(tensors(), HALF).manifest().save(tmp_path / "noise.npz")
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    members["targets.npy"] = b"\x93NUMPY\x01\x00v\x00" + text.encode() + bytes(480)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    tracemalloc.start()
    try:
        with pytest.raises(DataFileError, match=r"expected a corruptlab manifest, found what can"):
            Manifest.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.slow
def test_a_changed_byte_is_a_data_file_error_or_harmless(tmp_path: Path) -> None:
    noisy = corrupt(tensors(), HALF, seed=3)
    path = noisy.manifest().save(tmp_path / "noise.npz")
    whole = path.read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 255
        path.write_bytes(changed)
        try:
            loaded = Manifest.load(path)
        except DataFileError:
            continue
        assert_array_equal(loaded.targets, noisy.targets)


def header_of(**changes: Any) -> Any:
    def write(path: Path) -> None:
        with np.load(path) as arrays:
            parts = dict(arrays)
        header = json.loads(parts["header"].tobytes())
        header = {**header, **changes} if changes else [header]
        parts["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez(path, **parts)

    return write


@pytest.mark.parametrize(
    "write",
    [
        header_of(),
        header_of(seed="3"),
        header_of(seed=True),
        header_of(num_classes=-1),
        header_of(version=None),
        header_of(corruption=["UniformLabels"]),
        header_of(more=1),
        lambda path: path.write_bytes(b"[" * 100_000),
        lambda path: np.savez(path, header=np.frombuffer(b"[" * 100_000, np.uint8)),
        lambda path: np.savez(path, header=np.frombuffer(b"\xff\xfe", np.uint8)),
    ],
)
def test_a_header_of_another_kind_is_refused(tmp_path: Path, write: Any) -> None:
    path = corrupt(tensors(), HALF).manifest().save(tmp_path / "noise.npz")
    write(path)
    with pytest.raises(DataFileError, match=r"expected a corruptlab manifest, found what cannot"):
        Manifest.load(path)


@pytest.mark.parametrize("what", ["folder", "pipe", "dangling link"])
def test_what_is_no_file_is_no_manifest_and_never_waited_for(tmp_path: Path, what: str) -> None:
    path = tmp_path / "noise.npz"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "gone")
    with pytest.raises(DataFileError, match=r"expected a corruptlab manifest, found "):
        Manifest.load(path)


@pytest.mark.parametrize("name", ["noise.json", "noise", "noise.npy"])
def test_a_manifest_is_saved_as_what_it_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^`path` must end in \.npz, got '{name}'\.$"):
        corrupt(tensors(), HALF).manifest().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_exchanging_keeps_every_count_and_loses_the_pairing() -> None:
    noisy = corrupt(tensors(), ExchangedLabels(), seed=1)
    assert_array_equal(np.bincount(noisy.targets), np.bincount(CLEAN))
    assert 0.6 < noisy.realized_rate < 1
    assert noisy.nominal_rate is None


def test_exchanging_makes_all_orders_equally_likely() -> None:
    from scipy.stats import chisquare

    clean = np.arange(4)
    seen = [
        tuple(ExchangedLabels().labels(clean, num_classes=4, draws=Draws(seed)).tolist())
        for seed in range(4800)
    ]
    counts = [seen.count(order) for order in set(seen)]
    assert len(counts) == 24
    assert chisquare(counts).pvalue > 1e-4
