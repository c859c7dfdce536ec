"""The randomization test: six settings, one network, one recipe, and an honest report."""

import copy
import json
import signal
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Subset, TensorDataset

from corruptlab import (
    GaussianPixels,
    RandomizationReport,
    RandomLabels,
    Recipe,
    ResampledValues,
    Setting,
    SymmetricLabels,
    corrupt,
    fit,
)
from corruptlab.experiments import (
    SETTINGS,
    TOKEN_SETTINGS,
    iter_randomization_test,
    paper_settings,
    token_settings,
)
from corruptlab.experiments.randomization import Pair

from .cases import RECIPE, bars, network, run


@pytest.fixture(scope="module")
def report() -> RandomizationReport:
    return run()


def test_all_six_settings_are_interpolated(report: RandomizationReport) -> None:
    assert tuple(row.name for row in report.rows) == SETTINGS
    assert [row.train_accuracy for row in report.rows] == [1.0] * 6
    assert all(row.interpolated for row in report.rows)
    assert not report.interrupted
    assert report.remaining == ()


def test_only_true_signal_generalizes(report: RandomizationReport) -> None:
    for name, low, high in (
        ("true", 0.95, 1.0),
        ("random-labels", 0.2, 0.8),
        ("gaussian", 0.3, 0.7),
    ):
        assert low <= (report[name].test_accuracy or 0) <= high
    assert (report["shuffled-pixels"].test_accuracy or 0) > 0.95


def test_ratios_are_over_true_labels(report: RandomizationReport) -> None:
    base = report["true"].fit
    assert report["true"].steps_ratio == report["true"].seconds_ratio == 1.0
    for row in report.rows:
        assert row.fit.steps_to_interpolation is not None
        assert base.steps_to_interpolation is not None
        assert row.steps_ratio == row.fit.steps_to_interpolation / base.steps_to_interpolation
        gap = row.train_accuracy - (row.test_accuracy or 0)
        assert row.generalization_gap == pytest.approx(gap)
    assert (report["random-labels"].steps_ratio or 0) > 1


def test_rows_equal_fits_made_by_hand(report: RandomizationReport) -> None:
    by_hand = fit(network(), corrupt(bars(), RandomLabels(), seed=0), recipe=RECIPE)
    assert report["random-labels"].fit.losses == by_hand.losses
    assert report["random-labels"].labels_changed == corrupt(bars(), RandomLabels()).realized_rate


def test_the_model_is_never_changed_and_every_setting_starts_alike() -> None:
    model = network()
    kept = copy.deepcopy(model.state_dict())
    result = run(model=model, settings=["true", Setting(name="again", corruptions=())][:1])
    for name, value in model.state_dict().items():
        assert torch.equal(value, kept[name])
    made = run(model=network, settings=["true"])
    assert result["true"].fit.losses == made["true"].fit.losses


def test_a_function_that_draws_its_weights_makes_the_same_network_each_time() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 2))

    before = torch.get_rng_state()
    one, two = (run(model=make, settings=["true"], seed=4) for _ in range(2))
    assert one["true"].fit.losses == two["true"].fit.losses
    assert torch.equal(torch.get_rng_state(), before)


def test_seed_decides_everything() -> None:
    one, same, other = (run(settings=["random-labels"], seed=s) for s in (1, 1, 2))
    assert one.rows[0].fit.losses == same.rows[0].fit.losses
    assert one.rows[0].fingerprint == same.rows[0].fingerprint != other.rows[0].fingerprint


def served(setting: str, seed: int = 0) -> tuple[Any, Any]:
    pair = Pair.of(bars(), bars(40, seed=1), seed=seed, num_classes=None)
    chosen = next(s for s in paper_settings() if s.name == setting)
    train, test, _ = pair.corrupted(chosen)
    assert test is not None
    return train, test


@pytest.mark.parametrize("setting", SETTINGS)
def test_test_labels_stay_clean(setting: str) -> None:
    _, test = served(setting)
    assert test.targets.tolist() == (np.arange(40) % 2).tolist()


def test_train_and_test_share_the_shuffled_pixels() -> None:
    train, test = served("shuffled-pixels")
    for data, clean in ((train, bars()), (test, bars(40, seed=1))):
        assert all((data[i][0] != clean[i][0]).any() for i in range(5))
    ramp = TensorDataset(torch.arange(36).reshape(1, 1, 6, 6), torch.tensor([0]))
    one, two, _ = Pair.of(ramp, ramp, seed=3, num_classes=2).corrupted(paper_settings()[3])
    assert two is not None
    assert torch.equal(one[0][0], two[0][0])


@pytest.mark.parametrize("setting", ["random-pixels", "gaussian"])
def test_test_inputs_get_draws_of_their_own(setting: str) -> None:
    chosen = next(s for s in paper_settings() if s.name == setting)
    train, test, _ = Pair.of(bars(), bars(), seed=0, num_classes=None).corrupted(chosen)
    assert test is not None
    assert all(not torch.equal(train[i][0], test[i][0]) for i in range(60))


def test_gaussian_test_inputs_have_the_moments_of_the_training_set() -> None:
    train, test = served("gaussian")
    assert train.corruptions == test.corruptions
    values = bars().tensors[0].double()
    noise = train.corruptions[0]
    assert isinstance(noise, GaussianPixels)
    assert noise.mean == pytest.approx(values.mean().item())
    assert noise.std == pytest.approx(values.std(correction=0).item())
    drawn = torch.stack([x for x, _ in train])  # as they are drawn, not clipped like bytes
    assert drawn.dtype is torch.float32
    assert drawn.min() < 0


def test_own_settings_run_beside_the_paper_s() -> None:
    own = Setting(name="few-wrong", corruptions=(SymmetricLabels(rate=0.1, drawing="exact"),))
    result = run(settings=[own, "true"])
    assert [row.name for row in result.rows] == ["true", "few-wrong"]
    assert result["few-wrong"].labels_changed == 0.1
    assert result["few-wrong"].steps_ratio is not None


def test_p_is_that_of_partial_labels() -> None:
    result = run(settings=["partial-labels"], p=0.0)
    assert result.rows[0].labels_changed == 0
    assert "p=0" in result.rows[0].setting.label


def test_ratios_are_absent_without_true_labels_or_interpolation() -> None:
    alone = run(settings=["random-labels"])
    assert alone.rows[0].steps_ratio is None
    short = run(
        settings=["true", "random-labels"],
        recipe=Recipe(learning_rate=0.05, epochs=1, whiten=True, decay=0.95),
    )
    assert short["random-labels"].steps_ratio is None
    assert short["random-labels"].fit.steps_to_interpolation is None
    assert "not interpolated within 1 epoch." in str(short)
    line = next(line for line in str(short).splitlines() if line.startswith("random labels"))
    assert line.split()[-4:] == ["-", "-", "-", "-"]


def test_no_test_set_means_no_test_accuracy() -> None:
    result = run(test=None, settings=["true"])
    assert result.rows[0].test_accuracy is None
    assert result.rows[0].generalization_gap is None
    assert result.n_test == 0


def test_table_is_aligned_and_says_what_made_it(report: RandomizationReport) -> None:
    lines = str(report).splitlines()
    rule = next(i for i, line in enumerate(lines) if set(line) == {"-"})
    rows = lines[rule + 1 : rule + 7]
    assert [
        row[: len(setting.label)] for row, setting in zip(rows, paper_settings(), strict=True)
    ] == [setting.label for setting in paper_settings()]
    assert {len(row) for row in rows} == {len(lines[rule])}
    text = "\n".join(lines)
    for fact in (
        "100.0%",
        "1.00x",
        "seed 0",
        torch.__version__,
        "60 training and 200 test",
        "2,498",
    ):
        assert fact in text


def test_dictionary_survives_json_and_has_what_is_needed(report: RandomizationReport) -> None:
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (values["kind"], values["schema"], values["complete"]) == ("randomization_test", 1, True)
    assert Recipe.from_dict(values["recipe"]) == RECIPE
    assert [row["setting"]["name"] for row in values["rows"]] == list(SETTINGS)
    partial = values["rows"][1]["setting"]["corruptions"]
    assert partial == [{"kind": "UniformLabels", "p": 0.5, "drawing": "independent"}]
    gaussian = values["rows"][5]["setting"]["corruptions"][0]
    assert gaussian["kind"] == "GaussianPixels"
    assert gaussian["mean"] > 0
    assert values["rows"][0]["fit"]["losses"] == list(report.rows[0].fit.losses)
    assert values["environment"]["torch"] == torch.__version__


def test_figure_has_a_curve_for_each_setting_true_labels_first(report: RandomizationReport) -> None:
    pytest.importorskip("matplotlib")
    axes = report.plot().axes[0]
    legend = axes.get_legend() or report.plot().legends[0]
    names = {text.get_text() for text in legend.get_texts()}
    assert names == {setting.label for setting in paper_settings()}
    assert legend.get_texts()[0].get_text() == "true labels"


def test_unknown_row_lists_those_there_are(report: RandomizationReport) -> None:
    with pytest.raises(KeyError, match=r"must be among the rows \(true, .*\), got 'wrong'"):
        report["wrong"]


class Interrupting(nn.Module):
    """A network that presses Ctrl-C in a training pass, counted over all its copies."""

    passes = 0

    def __init__(self, at: int) -> None:
        super().__init__()
        self.body, self.at = network(), at
        Interrupting.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            Interrupting.passes += 1
            if Interrupting.passes == self.at:
                signal.raise_signal(signal.SIGINT)
        out: Tensor = self.body(x)
        return out


def test_ctrl_c_keeps_what_is_done(report: RandomizationReport) -> None:
    first = report["true"].fit.steps
    cut = run(model=Interrupting(first + 3), settings=["true", "random-labels", "gaussian"])
    assert cut.interrupted
    assert [row.name for row in cut.finished] == ["true"]
    assert cut["true"].fit.losses == report["true"].fit.losses
    assert cut["random-labels"].fit.steps == 2
    assert [setting.name for setting in cut.remaining] == ["random-labels", "gaussian"]
    assert not cut.to_dict()["complete"]
    assert "Not run: Gaussian." in str(cut)
    assert "Interrupted: random labels, after 0 epochs (2 steps)." in str(cut)


def test_ctrl_c_before_the_first_step_leaves_no_row() -> None:
    cut = run(model=Interrupting(1))
    assert cut.rows == ()
    assert cut.interrupted
    assert str(cut)


def test_reports_come_one_by_one() -> None:
    reports = list(
        iter_randomization_test(
            network(), bars(), recipe=RECIPE, settings=["true", "random-labels"]
        )
    )
    assert [len(each.rows) for each in reports] == [1, 2]
    assert [len(each.remaining) for each in reports] == [1, 0]


def words(n: int = 40) -> TensorDataset:
    """Return sentences of three words, numbers of a vocabulary."""
    return TensorDataset(torch.arange(3 * n).reshape(n, 3) % 7, torch.arange(n) % 2)


def test_a_setting_that_does_not_suit_is_found_before_the_first_fit() -> None:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 2))
    recipe = Recipe(learning_rate=0.1, epochs=1, whiten=False, decay=0.95)

    def refused(kind: type[Exception], message: str, **changes: Any) -> None:
        given = {"settings": SETTINGS, "model": model, "train": words(), "recipe": recipe}
        given |= changes
        with pytest.raises(kind, match=message) as caught:
            run(**{"test": None, **given})
        assert not hasattr(caught.value, "report")

    text = "`settings` must serve what `model` and `recipe` accept, got 'gaussian', for which "
    refused(ValueError, rf"^{text}`model` must accept inputs of shape")
    suited = run(model=model, train=words(), test=None, recipe=recipe, settings=SETTINGS[:4])
    assert len(suited.rows) == 4
    # With true labels of two of three classes, and an output for each of these two.
    refused(ValueError, r"got 'partial-labels', for which `train` labels must", num_classes=3)
    # What does not suit the clean data is no setting's fault.
    refused(ValueError, r"^`model` must accept inputs of shape", train=bars())
    refused(TypeError, r"^`recipe\.whiten` must be False", recipe=RECIPE)


def test_rows_of_integers_get_the_settings_for_tokens() -> None:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 2))
    recipe = Recipe(learning_rate=0.1, epochs=2, whiten=False, decay=0.95)
    report = run(model=model, train=words(), test=words(60), recipe=recipe)
    assert tuple(row.name for row in report.rows) == TOKEN_SETTINGS
    assert [row.labels_changed > 0 for row in report.rows] == [False, True, True] + 3 * [False]
    (resampled,) = report["resampled-tokens"].setting.corruptions
    assert isinstance(resampled, ResampledValues)
    assert resampled.is_estimated
    lines = report.plot().axes[0].get_lines()
    assert len({line.get_color() for line in lines}) == 6


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (torch.zeros(4, 3, dtype=torch.int32), "tokens, as inputs are int32 of shape (3,)"),
        (torch.zeros(4, 3, dtype=torch.uint8), "numbers, as inputs are uint8 of shape (3,)"),
        (torch.zeros(4, 3), "numbers, as inputs are float32 of shape (3,)"),
        (torch.zeros(4, 1, 3, 3).long(), "numbers, as inputs are int64 of shape (1, 3, 3)"),
    ],
)
def test_settings_are_chosen_by_the_type_of_the_inputs(inputs: Tensor, expected: str) -> None:
    class Summing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.last(x.flatten(1).float().sum(1, keepdim=True))
            return out

    data = TensorDataset(inputs, torch.arange(4) % 2)
    recipe = Recipe(learning_rate=0.1, epochs=1, whiten=False)
    first = next(iter_randomization_test(Summing(), data, recipe=recipe))
    names = [row.name for row in first.rows] + [setting.name for setting in first.remaining]
    assert tuple(names) == (TOKEN_SETTINGS if expected.startswith("tokens") else SETTINGS)
    assert first.default_settings == f"Default settings for {expected}."
    assert first.default_settings in str(first).splitlines()
    assert first.to_dict()["default_settings"] == first.default_settings
    given = next(iter_randomization_test(Summing(), data, recipe=recipe, settings=names[:1]))
    assert given.default_settings == ""
    assert "Default settings" not in str(given)


def test_settings_of_tokens_have_names_and_keep_what_they_are_told() -> None:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 2))
    recipe = Recipe(learning_rate=0.1, epochs=1, whiten=False, decay=0.95)
    kept = token_settings(keep=(0,))[-1]
    named = ["true", "random-positions", kept]
    report = run(model=model, train=words(), test=None, recipe=recipe, settings=named)
    assert [row.name for row in report.rows] == ["true", "random-positions", "resampled-tokens"]
    (resampled,) = report.rows[-1].setting.corruptions
    assert isinstance(resampled, ResampledValues)
    assert 0 not in resampled.values.array


class Failing(Interrupting):
    """A network that fails where the other one is interrupted."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and Interrupting.passes == self.at - 1:
            raise ZeroDivisionError("mine")
        Interrupting.passes += self.training
        out: Tensor = self.body(x)
        return out


def test_an_error_in_a_fit_keeps_what_was_finished(report: RandomizationReport) -> None:
    first = report["true"].fit.steps
    settings = ["true", "random-labels", "gaussian"]
    with pytest.raises(ZeroDivisionError, match=r"^mine$") as caught:
        run(model=Failing(first + 3), settings=settings)
    kept: RandomizationReport = caught.value.report  # type: ignore[attr-defined]  # attached
    assert kept["true"].fit.losses == report["true"].fit.losses
    assert [setting.name for setting in kept.remaining] == settings[1:]
    assert not kept.to_dict()["complete"]
    with pytest.raises(ZeroDivisionError) as caught:
        run(model=Failing(1), settings=settings)
    assert not hasattr(caught.value, "report")


def test_ctrl_c_while_settings_are_tried_leaves_no_row() -> None:
    class Stopping(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyboardInterrupt

    cut = run(model=Stopping(), settings=["gaussian"])
    assert cut.interrupted
    assert cut.rows == ()


@pytest.mark.filterwarnings("ignore:`train` serves other inputs")
def test_the_global_generators_stay_where_they_were() -> None:
    class Jittered(torch.utils.data.Dataset[Any]):
        targets = (0, 1) * 10

        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> Any:
            return torch.rand(36) + index % 2, index % 2

    before = torch.get_rng_state()
    run(
        train=Jittered(),
        test=None,
        recipe=Recipe(learning_rate=0.1, epochs=1, whiten=True, decay=0.95),
    )
    assert torch.equal(torch.get_rng_state(), before)


def never() -> nn.Module:
    pytest.fail("nothing may be trained before all is checked")


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"settings": ["true", "randomlabels"]},
            ValueError,
            r"^`settings` must be among true, .* got 'randomlabels'\. Did you mean 'random-labels'",
        ),
        (
            {"settings": []},
            ValueError,
            r"^`settings` must name at least one of true, .*, got none\.$",
        ),
        (
            {"settings": ["true", "true"]},
            ValueError,
            r"^`settings` must differ in name, got 'true' tw",
        ),
        (
            {"settings": "true"},
            TypeError,
            r"^`settings` must be a list of names, got the string 'tru",
        ),
        (
            {"settings": [3]},
            TypeError,
            r"^`settings` must hold names or `Setting` objects, got 3\.$",
        ),
        ({"p": 1.5}, ValueError, r"^`p` must lie in \[0, 1\], got 1\.5\.$"),
        ({"seed": -1}, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (
            {"recipe": None},
            TypeError,
            r"^`recipe` must be given with a torch\.nn\.Module, got None\.$",
        ),
        ({"recipe": 3}, TypeError, r"^`recipe` must be a Recipe, got int\.$"),
        ({"train": Subset(bars(), [])}, ValueError, r"^`dataset` must hold at least one example"),
        (
            {"model": 3},
            TypeError,
            r"^`model` must be a torch\.nn\.Module or a function .* got int\.$",
        ),
        ({"model": dict}, TypeError, r"^`model` must make a torch\.nn\.Module .* makes dict\.$"),
    ],
)
def test_bad_input_is_refused_before_any_training(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        run(**changes)


def test_settings_check_themselves() -> None:
    with pytest.raises(ValueError, match=r"^`name` must not be empty, got ''\.$"):
        Setting(name="")
    with pytest.raises(TypeError, match=r"^`corruptions` must hold corruptions, got 3\.$"):
        Setting(name="x", corruptions=(3,))  # type: ignore[arg-type]
