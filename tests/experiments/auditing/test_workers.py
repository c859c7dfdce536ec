"""The same items in a second pass, in batches, in workers, and in new processes."""

import pytest
import torch

from corruptlab import corrupt
from corruptlab.experiments import AuditReport, audit

from . import cases
from .cases import FORKS, HALF, Local, Pictures, finding, tensors


def test_labels_redrawn_with_every_reading_are_an_error() -> None:
    found = finding("train: passes", cases.Redrawn())
    assert found.status == "error"
    assert "have a different label in a second pass; item " in found.message


def test_labels_that_depend_on_the_order_of_access_are_found() -> None:
    class Ordered(Pictures):
        last = -1

        def label(self, index: int) -> int:
            rising, self.last = index > self.last, index
            return (index + rising) % 3

    assert finding("train: passes", Ordered()).status == "error"


def test_random_inputs_are_a_warning_and_labels_stay_fine() -> None:
    report = audit(cases.Augmented(), cases.Augmented(), workers=0)
    assert report["train: passes"].status == "warning"
    assert report["train: passes"].message.startswith(
        "60 of 60 sampled items have a different input "
    )
    assert report["train: classes"].message == "3 classes with 20 examples each."
    assert report.ok
    for check in ("train: duplicates", "both: overlap"):
        assert report[check].status == "skipped"
        assert "inputs of the training set differ between passes" in report[check].message


def test_batches_that_disagree_with_items_are_found() -> None:
    assert finding("train: batches", cases.BadBatches()).status == "error"
    assert finding("train: batches", corrupt(tensors(), HALF)).status == "ok"
    assert finding("train: batches", Pictures()).message == "Pictures has no __getitems__."


@pytest.mark.slow(seconds=1)
@pytest.mark.skipif(not FORKS, reason="processes are not forked here")
def test_labels_and_inputs_that_depend_on_the_worker_are_found() -> None:
    report = audit(Local(cases.WorkerNoise()), Local(cases.WorkerInputs()))
    assert report["train: workers"].status == "error"
    assert "have a different label in 2 forked workers" in report["train: workers"].message
    assert report["test: workers"].status == "warning"
    assert "60 of 60 sampled items have a different input" in report["test: workers"].message


@pytest.mark.skipif(not FORKS, reason="processes are not forked here")
def test_items_that_only_workers_cannot_read_are_found() -> None:
    class Fragile(Pictures):
        def image(self, index: int) -> torch.Tensor:
            if torch.utils.data.get_worker_info() is not None and index == 5:
                raise OSError("handle is closed")
            return super().image(index)

    found = audit(Local(Fragile()))["train: workers"]
    assert found.status == "error"
    assert "1 of 60 sampled items that can be read cannot be read in 2 f" in found.message
    assert "item 5: OSError: handle is closed" in found.message


@pytest.mark.slow
def test_labels_that_a_spawned_process_does_not_keep_are_found(
    broken_and_good: AuditReport,
) -> None:
    found = broken_and_good["train: spawn"]
    assert found.status == "error"
    assert "60 of 60 sampled items have a different label in " in found.message
    assert broken_and_good["train: pickling"].status == "ok"
    assert broken_and_good["train: workers"].status == ("ok" if FORKS else "skipped")


@pytest.mark.slow
def test_corrupted_data_sets_serve_the_same_in_spawned_processes(
    broken_and_good: AuditReport,
) -> None:
    found = broken_and_good["test: spawn"]
    assert found.status == "ok"
    assert "60 sampled items have the same labels and inputs in 1 spawned worker." in found.message
