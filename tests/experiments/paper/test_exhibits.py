"""What is published here is what the paper printed, and each recipe is that of its row."""

import inspect
import json
import re
from typing import Any

import pytest

import corruptlab as cl
from corruptlab.experiments import paper

# Typed from the paper once more, by hand: (train, test), or train alone.
TABLE_1 = """
small-inception crop weight-decay    100.0  89.05
small-inception crop                 100.0  89.31
small-inception weight-decay         100.0  86.03
small-inception plain                100.0  85.75
small-inception random-labels        100.0   9.78
small-inception-no-bn weight-decay   100.0  83.00
small-inception-no-bn plain          100.0  82.00
small-inception-no-bn random-labels  100.0  10.12
small-alexnet crop weight-decay       99.90 81.22
small-alexnet crop                    99.82 79.66
small-alexnet weight-decay           100.0  77.36
small-alexnet plain                  100.0  76.07
small-alexnet random-labels           99.82  9.86
mlp-3x512 weight-decay               100.0  53.35
mlp-3x512 plain                      100.0  52.39
mlp-3x512 random-labels              100.0  10.48
mlp-1x512 weight-decay                99.80 50.39
mlp-1x512 plain                      100.0  50.51
mlp-1x512 random-labels               99.34 10.61
"""
TABLE_2 = """
inception-v3 true augment dropout weight-decay   92.18 99.21 77.84 93.92
inception-v3 true augment                        92.33 99.17 72.95 90.43
inception-v3 true weight-decay                   90.60 100.0 67.18 86.44 72.57 91.31
inception-v3 true plain                          99.53 100.0 59.80 80.38 63.16 84.49
inception-v3 random-labels dropout weight-decay  91.18 97.95  0.09  0.49
inception-v3 random-labels weight-decay          87.81 96.15  0.12  0.50
inception-v3 random-labels plain                 95.20 99.14  0.11  0.56
"""
TABLE_4 = {
    "small-inception weight-decay": 100.0,
    "small-alexnet weight-decay": "failed to converge",
    "mlp-3x512 weight-decay": 100.0,
    "mlp-1x512 weight-decay": 99.21,
    "small-inception crop": 99.93,
    "small-inception augmentation": 99.28,
}


def typed(table: str) -> dict[str, list[float]]:
    """Names and numbers of a table that was typed; numbers begin after two blanks."""
    found = {}
    for line in table.strip().splitlines():
        name, numbers = re.split(r"\s{2,}", line, maxsplit=1)
        found[name] = [float(number) for number in numbers.split()]
    return found


def published(name: str) -> dict[str, list[Any]]:
    return {row.name: list(row.published.values()) for row in paper.exhibit(name).rows}


def fits(name: str) -> list[Any]:
    rows = paper.exhibit(name).rows
    return [pytest.param(row, id=row.name) for row in rows if "recipe" in row.parameters]


def test_table_1_is_the_paper_s() -> None:
    assert published("table1") == typed(TABLE_1)
    assert list(published("table1")) == list(typed(TABLE_1))


def test_table_2_is_the_paper_s_top_1_before_top_5() -> None:
    assert published("table2") == typed(TABLE_2)
    names = ["train_top1", "train_top5", "test_top1", "test_top5"]
    best = ["best_test_top1", "best_test_top5"]
    for row in paper.exhibit("table2").rows:
        assert list(row.published) in (names, names + best)


def test_table_3_is_the_paper_s() -> None:
    rows = paper.exhibit("table3").rows
    errors = {row.name: row.published["test_error"] for row in rows}
    assert errors == {
        "mnist": 1.2, "mnist-gabor": 0.6, "cifar10": 46.0, "cifar10-conv": 17.0,
        "cifar10-conv ridge": 15.0,
    }  # fmt: skip
    norms = [row.published.get("norm") for row in rows]
    assert norms == ["about 220", "about 390", None, None, None]
    assert paper.exhibit("table3")["mnist"].parameters["gamma"] == 0.02
    assert {row.name for row in rows if row.parameters.get("ridge")} == {"cifar10-conv ridge"}
    assert {row.parameters.get("filters") for row in rows} == {None, 32_000}


def test_table_4_is_the_paper_s() -> None:
    found = {row.name: row.published["train"] for row in paper.exhibit("table4").rows}
    assert found == TABLE_4


def test_fig_1a_has_the_numbers_of_the_rerun_and_says_so() -> None:
    found = {row.name.split()[1]: row.published for row in paper.exhibit("fig1a").rows}
    assert found == {
        "true": {"steps": 5700, "test": 86.7},
        "random-labels": {"steps": 17_700, "test": 10.3},
        "shuffled-pixels": {"steps": 6700},
        "random-pixels": {"steps": 13_000},
        "gaussian": {"steps": 9900},
    }
    assert "another public reproduction" in paper.exhibit("fig1a").source


@pytest.mark.parametrize("name", ["fig1b", "fig1c"])
def test_fig_1b_and_1c_publish_words_and_no_invented_digits(name: str) -> None:
    for row in paper.exhibit(name).rows:
        assert all(isinstance(value, str) for value in row.published.values())


def test_fig_1b_and_1c_are_read_off_the_same_trainings() -> None:
    for b, c in zip(paper.exhibit("fig1b").rows, paper.exhibit("fig1c").rows, strict=True):
        assert (b.name, b.parameters, b.work) == (c.name, c.parameters, c.work)


def test_fig_2_has_the_numbers_of_the_tables_that_hold_its_ends() -> None:
    tables = {**published("table1"), **published("table2")}
    for row in paper.exhibit("fig2").rows:
        part, name = row.name.split(maxsplit=1)
        if part == "fig2a":
            _, _, test, _, *best = tables[name]
            assert list(row.published.values()) == [test, *best[:1]]
        else:
            assert row.published == {"test": tables[f"{name} plain"][1]}


def test_fig_2_has_the_accuracies_of_tables_1_and_2_and_trains_to_the_end() -> None:
    found = {row.name: list(row.published.values()) for row in paper.exhibit("fig2").rows}
    table_1, table_2 = typed(TABLE_1), typed(TABLE_2)
    one = "inception-v3 true augment dropout weight-decay"
    two, three = "inception-v3 true weight-decay", "inception-v3 true plain"
    assert found == {
        f"fig2a {one}": [table_2[one][2]],
        f"fig2a {two}": [table_2[two][2], table_2[two][4]],
        f"fig2a {three}": [table_2[three][2], table_2[three][4]],
        "fig2b small-inception": [table_1["small-inception plain"][1]],
        "fig2b small-inception-no-bn": [table_1["small-inception-no-bn plain"][1]],
    }
    *imagenet, with_bn, without_bn = paper.exhibit("fig2").rows
    assert all(row.parameters["by_epoch"] for row in imagenet)
    for row in (with_bn, without_bn):
        asked = [row.parameters[name] for name in ("model", "setting", "stop", "record")]
        assert asked == [row.name.split()[1], "true", {}, "accuracies"]


def test_what_counts_as_fitted_and_as_reproduced() -> None:
    stops = {
        name: [row.parameters["stop"] for row in paper.exhibit(name).rows]
        for name in ("table4", "fig1a", "fig1b")
    }
    assert stops == {
        "table4": [{"accuracy": 1.0}] * 6,
        "fig1a": [{"loss": 0.01}] * 5,
        "fig1b": [{"accuracy": 0.99}] * 18,
    }
    aims = {each.name: [q.tolerance for q in each.quantities] for each in paper.EXHIBITS.values()}
    assert aims.pop("table1") == [0.7, 2.0]
    assert not any(any(tolerances) for tolerances in aims.values())


def test_fig_1c_ends_at_the_error_of_chance() -> None:
    for model in ("small-inception", "small-alexnet", "mlp-1x512"):
        assert paper.exhibit("fig1c")[f"{model} p=1"].published == {"test_error": "90"}


def test_theorem_1_promises_2n_plus_d_weights() -> None:
    row = paper.exhibit("theorem1")["depth 2"]
    assert row.published["weights"] == 103_072
    assert [each.parameters["depth"] for each in paper.exhibit("theorem1").rows] == [2, 3, 11, 101]


def test_there_are_as_many_rows_as_in_the_paper() -> None:
    counts = {name: len(each.rows) for name, each in paper.EXHIBITS.items()}
    assert counts == {
        "table1": 19, "table2": 7, "table3": 5, "table4": 6,
        "fig1a": 5, "fig1b": 18, "fig1c": 18, "fig2": 5, "theorem1": 4,
    }  # fmt: skip


@pytest.mark.parametrize("name", list(paper.EXHIBITS))
def test_rows_have_names_of_their_own_parameters_of_their_trials_and_known_columns(
    name: str,
) -> None:
    exhibit = paper.exhibit(name)
    assert len({row.name for row in exhibit.rows}) == len(exhibit.rows)
    columns = {quantity.name for quantity in exhibit.quantities}
    for row in exhibit.rows:
        assert set(row.published) <= columns
        assert json.loads(json.dumps(dict(row.parameters))) == row.parameters
        given = {**row.parameters, "data": "x", "seed": 0, "device": "cpu"}
        inspect.signature(row.work.trial).bind(**given)
        inspect.signature(row.work.seconds).bind(**given)


@pytest.mark.parametrize("row", fits("table1") + fits("table4"))
def test_the_recipe_of_a_row_has_the_regularizers_of_its_name(row: paper.Row) -> None:
    recipe = cl.Recipe.from_dict(row.parameters["recipe"])
    model, *words = row.name.split()
    assert row.parameters["model"] == model
    decay = {"mlp": 1e-4, "small": 5e-4}[model.split("-")[0]]
    assert recipe.weight_decay == (decay if "weight-decay" in words else 0)
    changes = recipe.augmentation
    assert (changes is not None and changes.random_crop) == ("crop" in words)
    assert (changes is not None and changes.flip) == ("augmentation" in words)
    assert recipe.learning_rate == (0.1 if "inception" in model else 0.01)
    assert recipe.crop == 28
    assert recipe.whiten


@pytest.mark.parametrize("row", fits("table1"))
def test_true_labels_do_all_epochs_and_random_ones_stop_when_fitted(row: paper.Row) -> None:
    random = row.name.endswith("random-labels")
    assert row.parameters["setting"] == ("random-labels" if random else "true")
    assert row.parameters["stop"] == ({"accuracy": 1.0} if random else {})


@pytest.mark.parametrize("row", fits("table4"))
def test_table_4_has_random_labels_and_decays_slowly_where_the_paper_does(row: paper.Row) -> None:
    assert row.parameters["setting"] == "random-labels"
    slow = "weight-decay" not in row.name
    assert row.parameters["recipe"]["decay"] == (0.999 if slow else 0.95)
    assert row.parameters["recipe"]["epochs"] > 100 or not slow


@pytest.mark.parametrize("row", fits("table2"))
def test_table_2_has_the_regularizers_of_its_rows(row: paper.Row) -> None:
    recipe, words = row.parameters["recipe"], row.name.split()
    assert recipe["weight_decay"] == (4e-5 if "weight-decay" in words else 0)
    assert recipe["dropout"] == (0.2 if "dropout" in words else 0)
    assert row.parameters["augment"] == ("augment" in words)
    assert row.parameters["random_labels"] == ("random-labels" in words)


def test_a_row_is_picked_by_its_very_name_by_words_or_by_parts_of_words() -> None:
    table = paper.exhibit("table1")

    def names(*patterns: str) -> list[str]:
        return [row.name for row in table.picked(patterns)]

    assert names("small-inception crop") == ["small-inception crop"]
    assert names("small-inception") == list(published("table1"))[:5]  # not those without
    assert len(names("mlp")) == 6
    assert names("MLP-1x512  Random-Labels") == ["mlp-1x512 random-labels"]
    assert names("mlp-1x512 random", "small-alexnet plain") == [
        "small-alexnet plain", "mlp-1x512 random-labels",
    ]  # fmt: skip
    assert table.picked(None) == table.rows


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            ["resnet"],
            r"^`rows` must be among small-inception crop weight-decay, .*, got 'resnet'\.",
        ),
        (["mlp-2x512 plain"], r"got 'mlp-2x512 plain'\. Did you mean 'mlp-[13]x512 plain'\?$"),
        ([], r"^`rows` must name at least one of small-inception .*, got none\.$"),
        ([""], r"got ''\.$"),
    ],
)
def test_an_unknown_row_is_quoted_and_the_others_are_listed(
    patterns: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        paper.exhibit("table1").picked(patterns)


@pytest.mark.parametrize(("rows", "got"), [("mlp", "'mlp'"), ([3], "3")])
def test_rows_of_another_kind_are_refused(rows: Any, got: str) -> None:
    with pytest.raises(TypeError, match=rf"^`rows` must .*, got {got}\.$"):
        paper.exhibit("table1").picked(rows)


def test_an_unknown_exhibit_or_row_is_named() -> None:
    with pytest.raises(ValueError, match=r"^`what` must be one of table1, .*, got 'table9'\.$"):
        paper.exhibit("table9")
    with pytest.raises(KeyError, match=r"`name` must be one of depth 2, .*, got 'depth 4'"):
        paper.exhibit("theorem1")["depth 4"]
