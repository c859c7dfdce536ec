"""Checkpoints tell what the bits of a fit depend on, and a fit that goes on elsewhere warns."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from corruptlab import fit
from corruptlab.datasets import DataFileError
from tests.training.cases import RECIPE, network, points


def rewritten(folder: Path, changes: dict[str, object], without: tuple[str, ...] = ()) -> None:
    """Write a checkpoint again, with other values and without some."""
    path = folder / "fit.pt"
    kept = {**torch.load(path, weights_only=True), **changes}
    torch.save({name: value for name, value in kept.items() if name not in without}, path)


def bits_of(folder: Path) -> dict[str, object]:
    bits: dict[str, object] = torch.load(folder / "fit.pt", weights_only=True)["bits"]
    return bits


@pytest.mark.slow
def test_a_checkpoint_says_what_its_bits_depend_on(tmp_path: Path) -> None:
    fit(network(), points(), recipe=RECIPE, stop=(), checkpoint=tmp_path)
    assert bits_of(tmp_path) == {
        "torch": str(torch.__version__),
        "device": "cpu",
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "processes": 1,
    }


@pytest.mark.parametrize(
    ("name", "value"), [("threads", 97), ("torch", "1.0"), ("cpu", "ABACUS"), ("device", "Z9")]
)
def test_a_fit_that_goes_on_elsewhere_warns_that_its_bits_differ(
    tmp_path: Path, name: str, value: object
) -> None:
    fit(network(), points(), recipe=replace(RECIPE, epochs=1), stop=(), checkpoint=tmp_path)
    rewritten(tmp_path, {"bits": {**bits_of(tmp_path), name: value}})
    with pytest.warns(
        UserWarning, match=rf"was written with {name} {value}, not .*: the fit goes on, but not to"
    ) as found:
        fit(network(), points(), recipe=replace(RECIPE, epochs=2), stop=(), checkpoint=tmp_path)
    assert [each.filename for each in found] == [__file__]
    fit(network(), points(), recipe=replace(RECIPE, epochs=3), stop=(), checkpoint=tmp_path)


def test_a_checkpoint_of_an_earlier_version_goes_on_without_a_word(tmp_path: Path) -> None:
    whole = network()
    fit(whole, points(), recipe=replace(RECIPE, epochs=2), stop=())
    fit(network(), points(), recipe=replace(RECIPE, epochs=1), stop=(), checkpoint=tmp_path)
    rewritten(tmp_path, {}, without=("bits", "standardize"))
    parts = network()
    fit(parts, points(), recipe=replace(RECIPE, epochs=2), stop=(), checkpoint=tmp_path)
    pairs = zip(whole.parameters(), parts.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"bits": 3},
        {"bits": {"threads": [1]}},
        {"bits": {1: "AVX2"}},
        {"standardize": 3},
        {"standardize": {"mean": [0.0]}},
        {"standardize": {"mean": [0.0], "std": ["x"]}},
    ],
)
def test_damage_to_what_bits_depend_on_names_the_file(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    recipe = replace(RECIPE, epochs=1, standardize="channels")
    fit(network(), points(), recipe=recipe, stop=(), checkpoint=tmp_path)
    rewritten(tmp_path, changes)
    with pytest.raises(DataFileError, match=r"fit\.pt: expected a checkpoint of `fit`, found"):
        fit(network(), points(), recipe=recipe, stop=(), checkpoint=tmp_path)
