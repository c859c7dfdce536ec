"""A permutation test of 199 exchanges against scikit-learn's, which fits one model at a time."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import corruptlab as cl
from benchmarks.conftest import Comparison, tell

WIDTH, EPOCHS, FOLDS, PERMUTATIONS = 128, 10, 5, 199


@pytest.mark.parametrize("batch", [32, 200])  # a common one, and scikit-learn's default
def test_digits(compare: Comparison, batch: int) -> None:
    """MLP 64-128-10 on 1,797 digits: the same folds, steps, batches, and plain SGD in both.

    scikit-learn uses two processes of one thread each, and this library one program of two threads.
    """
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
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        tol=0.0,
        random_state=0,
    )
    recipe = cl.Recipe(learning_rate=0.1, decay=1.0, epochs=EPOCHS, batch_size=batch, whiten=False)
    data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    found: dict[str, Any] = {}

    def ours() -> None:
        found["ours"] = cl.permutation_test(
            cl.mlp(WIDTH, input_shape=(64,)),
            data,
            folds=held_out,
            recipe=recipe,
            permutations=PERMUTATIONS,
            stop=(),
        )

    def theirs() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that so few epochs have not converged
            found["theirs"] = selection.permutation_test_score(
                classifier,
                x,
                y,
                cv=selection.PredefinedSplit(held_out),
                n_permutations=PERMUTATIONS,
                n_jobs=2,
                random_state=0,
            )

    compare(
        f"{PERMUTATIONS} permutations of {len(x)} digits, {FOLDS} folds, {EPOCHS} epochs, batch {batch}",
        ours,
        theirs,
        than="scikit-learn's permutation_test_score with MLPClassifier on both cores",
        rounds=1,
        warm_up=False,  # it takes a minute
    )
    score, _, p = found["theirs"]
    tell(f"  {found['ours']!r}; scikit-learn: accuracy {score:.4g}, p = {p:.4g}")
