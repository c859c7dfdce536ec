"""Whatever happened to a file, a reader returns what it can vouch for or raises `DataFileError`."""

import contextlib
import gzip
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from corruptlab.datasets import DataFileError, cifar10, cifar_n, clothing1m, idx, label_file
from tests.datasets.trees import write_cifar10, write_idx

LABELS = np.arange(40) % 7


def idx_plain(folder: Path) -> tuple[Path, Callable[[], Any]]:
    write_idx(folder, packed=False)
    return folder / "train-images-idx3-ubyte", lambda: idx(folder, split="train")


def idx_packed(folder: Path) -> tuple[Path, Callable[[], Any]]:
    write_idx(folder)
    return folder / "train-images-idx3-ubyte.gz", lambda: idx(folder, split="train")


def cifar_binary(folder: Path) -> tuple[Path, Callable[[], Any]]:
    write_cifar10(folder, ["test_batch.bin"])
    return folder / "test_batch.bin", lambda: cifar10(folder, split="test")


def human(folder: Path) -> tuple[Path, Callable[[], Any]]:
    path = folder / "CIFAR-10_human.pt"
    clean = (np.arange(50_000) % 10).astype(np.uint8)
    torch.save({"clean_label": clean, "worse_label": clean}, path)
    return path, lambda: cifar_n(path, which="worst")


def clothes(folder: Path) -> tuple[Path, Callable[[], Any]]:
    (folder / "noisy_label_kv.txt").write_text("a.jpg 3\nc.jpg 11\n")
    (folder / "clean_label_kv.txt").write_text("a.jpg 3\nb.jpg 9\nc.jpg 8\n")
    (folder / "clean_train_key_list.txt").write_text("c.jpg\nb.jpg\na.jpg\n")
    return folder / "clean_label_kv.txt", lambda: clothing1m(folder, split="clean_train")


def photograph(folder: Path) -> tuple[Path, Callable[[], Any]]:
    image = pytest.importorskip("PIL.Image")
    clothes(folder)
    image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(folder / "a.png")
    (folder / "a.png").rename(folder / "c.jpg")
    data = clothing1m(folder, split="clean_train")
    return folder / "c.jpg", lambda: data[0]


def npy(folder: Path) -> tuple[Path, Callable[[], Any]]:
    np.save(folder / "x.npy", LABELS)
    return folder / "x.npy", lambda: label_file(folder / "x.npy")


def npz(folder: Path) -> tuple[Path, Callable[[], Any]]:
    np.savez_compressed(folder / "x.npz", labels=LABELS)
    return folder / "x.npz", lambda: label_file(folder / "x.npz")


def table(folder: Path) -> tuple[Path, Callable[[], Any]]:
    (folder / "x.csv").write_text("index,label\n" + "".join(f"{i},{i % 7}\n" for i in range(40)))
    return folder / "x.csv", lambda: label_file(folder / "x.csv")


def names(folder: Path) -> tuple[Path, Callable[[], Any]]:
    files = [f"{i % 7}/{i}.jpg" for i in range(40)]
    (folder / "x.tsv").write_text("".join(f"{path}\t{i % 7}\n" for i, path in enumerate(files)))
    return folder / "x.tsv", lambda: label_file(folder / "x.tsv", match=files)


def objects(folder: Path) -> tuple[Path, Callable[[], Any]]:
    (folder / "x.json").write_text(json.dumps({str(i): i % 7 for i in range(40)}))
    return folder / "x.json", lambda: label_file(folder / "x.json")


KINDS = (
    idx_plain, idx_packed, cifar_binary, human, clothes, photograph, npy, npz, table, names,
    objects,
)  # fmt: skip
EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def attempt(read: Callable[[], Any]) -> None:
    with contextlib.suppress(DataFileError):
        read()


def damaged(whole: bytes, rng: np.random.Generator) -> Iterator[bytes]:
    """Flips, cuts, gaps, and repeats, most of them near the ends, where headers are."""
    n = len(whole)
    large = n > 1_000_000
    for _ in range(5 if large else 60):
        at = int(rng.integers(min(n, 300))) * int(rng.choice([1, -1]))
        changed = bytearray(whole)
        changed[at % n] ^= int(rng.integers(1, 256))
        yield bytes(changed)
    for _ in range(1 if large else 15):
        cut, again = sorted(rng.integers(0, n, 2).tolist())
        yield whole[:cut]
        yield whole[:cut] + whole[again:]
        yield whole[:again] + whole[cut:]


@pytest.mark.slow
@EVERY
def test_flips_and_cuts_are_refused_or_harmless(tmp_path: Path, kind: Any) -> None:
    path, read = kind(tmp_path)
    read()
    rng = np.random.default_rng(0)
    for content in damaged(path.read_bytes(), rng):
        path.write_bytes(content)
        attempt(read)


OTHERS = {
    "nothing": b"",
    "zeros": bytes(1000),
    "text": b"once upon a time\n" * 20,
    "a number": b"1" * 5_000,
    "bad bytes": bytes(range(256)) * 4,
    "nested": b"[" * 3_000 + b"]" * 3_000,
    "deeper": b'{"0":' * 50_000,
    "gzip": gzip.compress(b"1\n2\n" * 9),
    "gzip of nothing": gzip.compress(b""),
    "0-d": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<i8', 'shape': ()}".ljust(118) + bytes(8),
    "2-d": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<i8', 'shape': (2, 2)}".ljust(118) + bytes(32),
    "8 TiB": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<i8', 'shape': (1 << 40,)}".ljust(118),
    "8 TiB too": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|i1', 'shape': (8796093022208,)}",
    "objects": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'shape': (2,)}".ljust(118) + bytes(9),
}


@EVERY
@pytest.mark.parametrize("other", OTHERS)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, kind: Any, other: str) -> None:
    path, read = kind(tmp_path)
    path.write_bytes(OTHERS[other])
    with pytest.raises(DataFileError):
        read()


@EVERY
def test_an_archive_of_the_wrong_things_is_refused(tmp_path: Path, kind: Any) -> None:
    path, read = kind(tmp_path)
    for name, content in (("labels.npy", OTHERS["nothing"]), ("archive/data.pkl", b"."), ("", b"")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name or "a", content)
        with pytest.raises(DataFileError):
            read()


@pytest.mark.parametrize("kind", [npz, human], ids=["npz", "human"])
def test_an_encrypted_archive_is_refused(tmp_path: Path, kind: Any) -> None:
    path, read = kind(tmp_path)
    whole = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := whole.find(mark, at + 1)) >= 0:
            whole[at + place] |= 1
    path.write_bytes(whole)
    with pytest.raises(DataFileError):
        read()


@EVERY
@pytest.mark.parametrize("what", ["nothing", "folder", "pipe", "dangling link", "loop"])
def test_what_is_no_file_is_refused_and_never_waited_for(
    tmp_path: Path, kind: Any, what: str
) -> None:
    path, read = kind(tmp_path)
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "dangling link":
        path.symlink_to(tmp_path / "gone")
    elif what == "loop":
        path.symlink_to(path)
    with pytest.raises(DataFileError):
        read()
