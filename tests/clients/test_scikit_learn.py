"""Estimators of scikit-learn, against its own permutation test and metrics."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import corruptlab as cl

sklearn = pytest.importorskip("sklearn")
datasets = pytest.importorskip("sklearn.datasets")
from sklearn import (  # noqa: E402
    base,
    ensemble,
    linear_model,
    model_selection,
    pipeline,
    preprocessing,
    svm,
)

FOLDS = np.arange(150) % 5


def irises() -> Any:
    x, y = datasets.load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(150)
    return x[order], y[order]


def scaled(estimator: Any) -> Any:
    return pipeline.make_pipeline(preprocessing.StandardScaler(), estimator)


def run(model: Any, data: Any, **options: Any) -> cl.experiments.PermutationTest:
    given: dict[str, Any] = {"folds": FOLDS, "permutations": 19, **options}
    return cl.permutation_test(model, data, **given)


def split() -> Any:
    return model_selection.PredefinedSplit(FOLDS)


SCORINGS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "log-likelihood": "neg_log_loss",
    "auroc": "roc_auc_ovr",
}


@pytest.mark.parametrize("statistic", SCORINGS)
def test_observed_value_is_that_of_permutation_test_score(statistic: Any) -> None:
    x, y = irises()
    model = scaled(linear_model.LogisticRegression())
    score, null, _ = model_selection.permutation_test_score(
        model, x, y, cv=split(), n_permutations=19, scoring=SCORINGS[statistic], random_state=0
    )
    found = run(model, (x, y), statistic=statistic)
    assert found.observed == pytest.approx(score)
    assert found.p_value == 0.05
    assert abs(found.null.mean() - null.mean()) < 4 * null.std() / np.sqrt(19) + 0.02


@pytest.mark.parametrize("statistic", ["auroc", "accuracy"])
def test_what_has_a_decision_function_alone_has_areas(statistic: Any) -> None:
    x, y = irises()
    x, y = x[y > 0], y[y > 0]
    folds = np.arange(100) % 4
    found = run(scaled(svm.LinearSVC()), (x, y), folds=folds, statistic=statistic)
    scoring = {"auroc": "roc_auc"}.get(statistic, statistic)
    expected = model_selection.cross_val_score(
        scaled(svm.LinearSVC(random_state=0)),
        x,
        y,
        cv=model_selection.PredefinedSplit(folds),
        scoring=scoring,
    )
    assert found.observed == pytest.approx(expected.mean())
    with pytest.raises(TypeError, match=r"predict_proba .* got Pipeline\(StandardScaler, LinearSV"):
        run(scaled(svm.LinearSVC()), (x, y), folds=folds, statistic="log-likelihood")


def test_diabetes_have_a_p_value() -> None:
    x, y = datasets.load_diabetes(return_X_y=True)
    found = run(scaled(linear_model.Ridge()), (x, y), folds=np.arange(len(x)) % 5)
    expected = model_selection.cross_val_score(
        scaled(linear_model.Ridge()), x, y, cv=model_selection.PredefinedSplit(np.arange(442) % 5)
    )
    assert (found.statistic, found.p_value) == ("r2", 0.05)
    assert found.observed == pytest.approx(expected.mean())
    assert found.learner == "Pipeline(StandardScaler, Ridge)"


def test_diabetes_have_a_p_value_with_a_network_too() -> None:
    x, y = datasets.load_diabetes(return_X_y=True)
    recipe = cl.Recipe(learning_rate=0.02, epochs=20, batch_size=64, standardize="features")
    line = cl.mlp(input_shape=(10,), num_classes=1)
    found = cl.permutation_test(
        line, (x.astype(np.float32), y), folds=5, recipe=recipe, permutations=19
    )
    ridge = run(scaled(linear_model.Ridge()), (x, y), folds=np.arange(len(x)) % 5)
    assert (found.statistic, found.p_value) == ("r2", 0.05)
    assert found.observed == pytest.approx(ridge.observed, abs=0.05)


def test_data_frames_of_mixed_columns_and_names_as_labels() -> None:
    pandas = pytest.importorskip("pandas")
    compose = pytest.importorskip("sklearn.compose")
    x, y = irises()
    frame = pandas.DataFrame({"length": x[:, 0], "colour": np.where(x[:, 2] > 3, "red", "blue")})
    names = pandas.Series(np.array(["setosa", "versicolor", "virginica"])[y])
    columns = compose.make_column_transformer(
        (preprocessing.StandardScaler(), ["length"]), (preprocessing.OneHotEncoder(), ["colour"])
    )
    model = pipeline.make_pipeline(columns, linear_model.LogisticRegression())
    found = run(model, (frame, names))
    expected = model_selection.cross_val_score(model, frame, names, cv=split())
    assert found.observed == pytest.approx(expected.mean())


def test_every_random_state_that_is_none_is_the_seed_and_nothing_else_is_touched() -> None:
    x, y = irises()
    forest = ensemble.RandomForestClassifier(n_estimators=3)
    model = scaled(forest)
    one, two, other = (run(model, (x, y), permutations=1, level=0.5, seed=s) for s in (1, 1, 2))
    assert one.observed == two.observed
    assert_array_equal(one.null, two.null)
    assert (one.observed, one.null[0]) != (other.observed, other.null[0])
    assert forest.random_state is None
    assert not hasattr(forest, "estimators_")
    seeded = scaled(ensemble.RandomForestClassifier(n_estimators=3, random_state=1))
    expected = model_selection.cross_val_score(seeded, x, y, cv=split())
    assert one.observed == pytest.approx(expected.mean())


def test_searches_and_classifiers_with_floats_as_labels() -> None:
    x, y = irises()
    search = model_selection.GridSearchCV(
        scaled(linear_model.LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2
    )
    found = run(search, (x, y.astype(float)), permutations=2, level=0.5)
    assert found.statistic == "accuracy"
    assert found.observed > 0.9


def test_a_metric_of_torchmetrics_is_a_statistic() -> None:
    torchmetrics = pytest.importorskip("torchmetrics")
    x, y = irises()
    model = scaled(linear_model.LogisticRegression())
    metric = torchmetrics.classification.MulticlassAUROC(num_classes=3)
    found = run(model, (x, y), statistic=metric)
    assert found.statistic == "MulticlassAUROC"
    assert_allclose(found.null, run(model, (x, y), statistic="auroc").null, rtol=1e-5)
    two = x[y > 0], y[y > 0] - 1
    folds = np.arange(100) % 5
    for name in ("BinaryAUROC", "BinaryAccuracy"):
        metric = getattr(torchmetrics.classification, name)()
        expected = "auroc" if name == "BinaryAUROC" else "accuracy"
        found = run(model, two, folds=folds, statistic=metric)
        assert_allclose(
            found.null, run(model, two, folds=folds, statistic=expected).null, rtol=1e-5
        )
    loss = torchmetrics.classification.MulticlassHammingDistance(num_classes=3, average="micro")
    found = run(model, (x, y), statistic=loss)
    assert found.statistic == "-MulticlassHammingDistance"
    assert_allclose(found.null, run(model, (x, y)).null - 1, atol=1e-6)


def test_a_metric_of_torchmetrics_is_known_again(tmp_path: Any) -> None:
    torchmetrics = pytest.importorskip("torchmetrics")
    x, y = irises()
    model = scaled(linear_model.LogisticRegression())

    def kept(**settings: Any) -> Any:
        metric = torchmetrics.classification.MulticlassF1Score(num_classes=3, **settings)
        return run(model, (x, y), statistic=metric, permutations=2, level=0.5, out=tmp_path)

    assert_array_equal(kept().null, kept().null)
    with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone"):
        kept(average="micro")


def test_nearest_neighbours_have_the_capacity_and_the_memory_of_closed_forms() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    x = 2.0 ** np.arange(8)[:, None]
    y = np.array(["a", "a", "b", "b", "a", "b", "b", "a"])
    nearest = neighbors.KNeighborsClassifier(1)
    assert cl.effective_capacity(nearest, x, replicas=3).bracket == (8, None)
    found = cl.memorization(nearest, x, y, replicas=80, share=7 / 8)
    assert_array_equal(found.scores, (y != y[[1, 0, 1, 2, 3, 4, 5, 6]]).astype(float))
    plane = linear_model.LogisticRegression(C=1e6)  # of a line, which parts 2 (d + 1) = 4 points
    assert 2 <= cl.effective_capacity(plane, np.arange(64.0)[:, None], replicas=21).value <= 6
    fresh, held_out = (x[:3], y[:3]), (x, y)
    forest = ensemble.RandomForestClassifier(5)
    stable = cl.stability(forest, x, y, fresh=fresh, positions=[0, 1, 2], held_out=held_out)
    assert stable.max == 0.0  # every example is replaced by itself, and the seed is the same


def test_rare_classes_are_told_by_the_likelihood() -> None:
    """The figures of docs/permutation.md: 6% positives with a planted signal."""
    generator = np.random.default_rng(0)
    y = (np.arange(300) < 18).astype(int)
    x = generator.normal(size=(300, 5))
    x[:, 0] += y
    p = {
        name: cl.permutation_test(
            scaled(linear_model.LogisticRegression()),
            (x, y),
            folds=5,
            permutations=99,
            statistic=name,
        ).p_value
        for name in ("accuracy", "log-likelihood", "auroc")
    }
    assert p["accuracy"] > 0.5
    assert max(p["log-likelihood"], p["auroc"]) <= 0.05


def test_resuming_finds_a_pipeline_again_in_another_process(tmp_path: Any) -> None:
    x, y = irises()
    model = scaled(ensemble.RandomForestClassifier(n_estimators=2))
    whole = run(model, (x, y), permutations=3, level=0.5, out=tmp_path)
    assert len(list((tmp_path / "trials").iterdir())) == 4
    again = run(base.clone(model), (x, y), permutations=3, level=0.5, out=tmp_path)
    assert_array_equal(again.null, whole.null)
    assert len(list((tmp_path / "trials").iterdir())) == 4
    other = scaled(ensemble.RandomForestClassifier(n_estimators=3))
    with pytest.raises(ValueError, match=r"^`out` must be a folder of this sweep alone"):
        run(other, (x, y), permutations=3, level=0.5, out=tmp_path)
