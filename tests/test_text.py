"""Columns line up whatever stands in them, and prose is no wider than a terminal."""

import pytest

from corruptlab._text import (
    aligned,
    facts,
    grouped,
    paragraphs,
    percent,
    ruled,
)

GROUPS = (("", ("name",)), ("accuracy", ("train", "test")))


def test_names_are_flush_left_and_numbers_flush_right() -> None:
    lines = [("name", "n"), ("a longer one", "1"), ("b", "1,000")]
    assert aligned(lines) == [
        "name              n",
        "a longer one      1",
        "b             1,000",
    ]
    assert aligned(lines, left=0)[2] == "           b  1,000"
    assert aligned(lines, left=2)[1] == "a longer one  1"  # nothing at the end of a line


def test_no_lines_at_all_are_no_lines() -> None:
    assert aligned([]) == []


def test_a_rule_is_as_long_as_the_longest_line() -> None:
    assert ruled(["a", "bcd", "ef"]) == ["a", "---", "bcd", "ef"]


def test_titles_of_groups_stand_flush_right_over_their_columns() -> None:
    assert grouped(GROUPS, [("mlp", "100.0%", "9.5%")], least=(5, 7, 0)) == [
        "            accuracy",
        "name     train  test",
        "--------------------",
        "mlp     100.0%  9.5%",
    ]


def test_a_title_wider_than_its_columns_widens_the_first_of_them() -> None:
    groups = (("", ("row",)), ("a long title", ("a", "b")), ("", ("c",)))
    assert grouped(groups, [("1", "2", "3", "4")], least=(0, 0, 0, 0), left=0) == [
        "     a long title",
        "row          a  b  c",
        "--------------------",
        "  1          2  3  4",
    ]


def test_facts_stand_below_one_another_and_go_on_below_themselves() -> None:
    short, long = facts({"run": "seed 0", "data": "word " * 30})
    assert short == "run     seed 0"
    assert [line[:12] for line in long.splitlines()] == ["data    word", "        word"]
    assert max(map(len, long.splitlines())) <= 98


def test_paragraphs_are_broken_between_words() -> None:
    short, long = paragraphs(["short", "word " * 30])
    assert short == "short"
    assert [line.split() for line in long.splitlines()] == [["word"] * 19, ["word"] * 11]


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100.0%"), (0.99996, "99.9%"), (0.9984, "99.8%"), (0.0, "0.0%"), (None, "-")],
)
def test_only_a_perfect_score_is_shown_as_100_percent(share: float | None, text: str) -> None:
    assert percent(share) == text
