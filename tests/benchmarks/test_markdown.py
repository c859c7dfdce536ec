"""Tables: every number where a reader looks for it, and no column without any."""

from dataclasses import replace

import pytest

from benchmarks import _markdown
from benchmarks._paper import SAID
from benchmarks._summary import Skipped
from corruptlab.experiments.paper import exhibit
from tests.benchmarks.cases import comparison, made, times


def rows(text: str) -> list[list[str]]:
    """The cells of all lines of tables."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_comparison_is_a_row_with_ratio_range_and_limit() -> None:
    head, rule, row = rows(_markdown.tables([comparison()], "training"))
    assert dict(zip(head, row, strict=True)) == {
        "work": "an epoch",
        "how fast": "2.5 times (2 to 3)",
        "than": "a loop",
        "rounds": "3",
        "seconds": "4, not 10",
        "limit": "2 s: products 1.5 s at 178 GFLOP/s, random words 0.5 s at 110 Mwords/s",
        "over the limit": "2 times",
        "besides": "seen",
    }
    assert set(rule) == {"---"}


def test_part_of_a_work_is_a_share_of_the_limit_in_a_table_of_its_own() -> None:
    part = comparison(
        name="another epoch", than="its products", part=True,
        ratio=0.4, lowest=0.354, highest=1.25, theirs=1.6,
    )  # fmt: skip
    text = _markdown.tables([part, comparison()], "training")
    _, _, rival, head, _, row = rows(text)
    assert rival[:3] == ["an epoch", "2.5 times (2 to 3)", "a loop"]
    assert dict(zip(head, row, strict=True)) == {
        "work": "another epoch",
        "share of the limit": "40.0% (35.4% to 125.0%)",
        "limit": "its products",
        "rounds": "3",
        "seconds": "4, limit 1.6",
        "limit at full rates": "2 s: products 1.5 s at 178 GFLOP/s, "
        "random words 0.5 s at 110 Mwords/s",
        "over that": "2 times",
        "besides": "seen",
    }
    assert text.index("| a loop |") < text.index(_markdown.PARTS) < text.index("| its products |")
    assert text.count("Measured 2026-11-21") == 1


def test_page_without_parts_does_not_speak_of_them() -> None:
    assert _markdown.PARTS not in _markdown.tables([comparison()], "training")


def test_line_of_a_run_has_name_ratio_and_alternative() -> None:
    assert _markdown.line(comparison()) == "an epoch: 2.5 times (2 to 3) as fast as a loop"
    part = comparison(part=True, ratio=0.4, rounds=1)
    assert _markdown.line(part) == "an epoch: share of the limit 40.0%, a loop"
    assert _markdown.line(times()) == (
        "mlp-1x512 on some data, steps over true labels: true labels 1.00 (1.00 to 1.00); "
        "random labels 3.00 (1.10 to 8.21); Gaussian not within 30 epochs"
    )


def test_limit_of_one_part_is_told_once() -> None:
    entry = comparison(limit=comparison().limit[:1])
    assert "| products 1.5 s at 178 GFLOP/s | 2.67 times |" in _markdown.tables([entry], "training")


def test_column_without_any_cell_is_left_out() -> None:
    bare = comparison(ratio=None, ours=None, limit=(), notes=())
    head, _, _ = rows(_markdown.tables([bare], "training"))
    assert head == ["work", "than", "rounds"]


def test_cells_of_rows_with_gaps_stay_under_their_heads() -> None:
    bare = comparison(name="bare", ratio=None, ours=None, limit=(), notes=())
    head, _, _, gaps = rows(_markdown.tables([comparison(), bare], "training"))
    assert len(gaps) == len(head) == 8
    assert gaps[:3] == ["bare", "", "a loop"]


def test_single_round_has_no_range() -> None:
    assert "| 2.5 times |" in _markdown.tables([comparison(rounds=1)], "training")


def test_bar_in_a_name_does_not_end_its_cell() -> None:
    assert "| a\\|b |" in _markdown.tables([comparison(name="a|b")], "training")


def test_line_above_says_machine_versions_day_and_command() -> None:
    line = _markdown.tables([comparison()], "training").splitlines()[0]
    assert line == (
        "A processor, 2 cores: cpu, 2 threads, Linux x86_64, corruptlab 0.1.0, torch 2.13.0, "
        "numpy 2.4.6, Python 3.11.7. Measured 2026-11-21 by "
        "`pytest benchmarks/test_training.py --full`."
    )


def test_several_days_are_a_span_and_none_is_said() -> None:
    days = [comparison(name=day, made=made(date=day)) for day in ("2026-12-01", "2026-11-21")]
    assert "Measured 2026-11-21 to 2026-12-01 by" in _markdown.tables(days, "training")
    never = comparison(made=made(date=None))
    assert "Measured on a day not kept by" in _markdown.tables([never], "training")


def test_each_machine_has_a_table_of_its_own() -> None:
    there = comparison(made=made(machine="Another"))
    text = _markdown.tables([comparison(), there, comparison(name="second")], "training")
    assert text.count("| work |") == 2
    assert text.index("Another:") > text.index("second") > text.index("A processor")


def test_group_without_entries_says_so() -> None:
    assert _markdown.tables([comparison()], "kernels") == "Not measured yet."


def test_times_to_interpolation_stand_beside_the_papers() -> None:
    head, _, true, random, gaussian = rows(_markdown.tables([times()], "interpolation_time"))
    assert head[-2:] == ["the paper's (Fig. 1)", "another rerun's"]
    ones = ["1.00 (1.00 to 1.00)"] * 2
    assert true == ["true labels", "3 of 3", "10, 20, 40", *ones, "1", "1.0"]
    assert random[:4] == ["random labels", "3 of 3", "20, 60, 180", "3.00 (1.10 to 8.21)"]
    assert random[-2:] == ["roughly 2 to 4", "3.1"]
    late = ["not within 30 epochs"] * 2
    assert gaussian[:5] == ["Gaussian", "2 of 3", "5, -, 1,200", *late]


def test_reruns_are_told_for_the_settings_that_they_had() -> None:
    # Thousands of steps until the training loss is 0.01, as Fig. 1a of the paper has them too.
    steps = {row.name.split()[1]: row.published["steps"] for row in exhibit("fig1a").rows}
    for setting, said in SAID.items():
        rerun = None if said.rerun is None else said.rerun * float(steps["true"])
        assert rerun == (pytest.approx(steps[setting]) if setting in steps else None)


def test_true_labels_that_were_not_interpolated_are_said_to_be_so() -> None:
    entry = times()
    true = replace(entry.rows[0], steps=(10, None, 40), seconds=(1.0, None, 4.0))
    text = _markdown.tables([replace(entry, rows=(true, *entry.rows[1:]))], "interpolation_time")
    assert rows(text)[3][3:5] == ["true labels were not interpolated"] * 2


def test_each_command_has_a_table_of_its_own() -> None:
    other = comparison(name="other", made=made(command="pytest benchmarks/test_training.py"))
    text = _markdown.tables([comparison(), other], "training")
    assert text.count("| work |") == 2


def test_page_has_the_groups_in_order_and_what_was_skipped() -> None:
    text = _markdown.page([comparison(), times()], [Skipped("test_x", "no GPU")])
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == ["# Benchmarks", "## Time to interpolation", "## Training", "## Skipped"]
    assert "- test_x: no GPU" in text


def test_page_of_nothing_skipped_does_not_say_skipped() -> None:
    assert "Skipped" not in _markdown.page([comparison()])
