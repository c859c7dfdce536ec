"""A permutation test against scikit-learn's, which fits one model at a time."""

import os
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks._comparing import Compare
from benchmarks._limits import Rates, training_flops, update_bytes
from benchmarks.conftest import Scale

WIDTH, FOLDS = 128, 5


@pytest.mark.parametrize("batch", [32, 200])  # a common one, and scikit-learn's default
def test_digits(
    compare: Compare, rates: Rates, scale: Scale, device: torch.device, batch: int
) -> None:
    """MLP 64-128-10 on 1,797 digits: the same folds, steps, batches, and plain SGD in both.

    scikit-learn uses a process of one thread on each core, and this library one program.
    """
    permutations, epochs = scale((19, 2), (199, 10))
    datasets = pytest.importorskip("sklearn.datasets")
    selection = pytest.importorskip("sklearn.model_selection")
    networks = pytest.importorskip("sklearn.neural_network")
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    held_out = np.arange(len(x)) % FOLDS
    classifier = networks.MLPClassifier(
        (WIDTH,),
        solver="sgd",
        alpha=0.0,
        batch_size=batch,
        learning_rate_init=0.1,
        momentum=0.9,
        nesterovs_momentum=False,
        max_iter=epochs,
        n_iter_no_change=epochs,
        tol=0.0,
        random_state=0,
    )
    recipe = cl.Recipe(learning_rate=0.1, decay=1.0, epochs=epochs, batch_size=batch, whiten=False)
    data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    found: dict[str, Any] = {}

    def ours() -> None:
        found["ours"] = cl.permutation_test(
            cl.mlp(WIDTH, input_shape=(64,)),
            data,
            folds=held_out,
            recipe=recipe,
            permutations=permutations,
            stop=(),
            device=device,
        )

    def theirs() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that so few epochs have not converged
            found["theirs"] = selection.permutation_test_score(
                classifier,
                x,
                y,
                cv=selection.PredefinedSplit(held_out),
                n_permutations=permutations,
                n_jobs=os.cpu_count(),
                random_state=0,
            )

    model, steps = cl.mlp(WIDTH, input_shape=(64,)), epochs * FOLDS * -(-len(x) * 4 // (5 * batch))
    seen = (permutations + 1) * epochs * (FOLDS - 1) * len(x)
    comparing = compare(
        f"`permutation_test`, {permutations} permutations of {len(x):,} digits, {FOLDS} folds, "
        f"{epochs} epochs, batch {batch}",
        ours,
        theirs,
        than="scikit-learn's `permutation_test_score` with `MLPClassifier` on all cores",
        rounds=1,
        warm_up=False,  # the real one takes minutes
        limit=rates.limit(
            flops=seen * training_flops(model, data.tensors[0][:8]) / 8,
            moved=(permutations + 1)
            * steps
            * update_bytes(sum(each.numel() for each in model.parameters())),
        ),
    )
    score, _, p = found["theirs"]
    own = found["ours"]
    comparing.note(
        f"accuracy {own.observed:.4g}, p = {own.p_value:.4g}; "
        f"scikit-learn's {score:.4g}, p = {p:.4g}"
    )
    assert abs(own.observed - score) < 0.05
    assert own.p_value == pytest.approx(p)  # the smallest there is
