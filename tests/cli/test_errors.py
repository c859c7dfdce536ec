"""Errors of the library are told in one line, in the words of the command line."""

import pytest

from corruptlab._cli._errors import MISTAKES, UserError, as_user_errors, in_options
from corruptlab._errors import MissingExtraError


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("`seeds` must be 1 or 2, got 3.", "--seeds must be 1 or 2, got 3."),
        ("`p` must lie below `p`, got 1.", "--p must lie below `p`, got 1."),
        ("`levels` must be 1, got 2.", "`levels` must be 1, got 2."),
        ("All of `p` must be 1.", "All of `p` must be 1."),
    ],
)
def test_the_argument_that_a_message_starts_with_is_told_as_its_option(
    message: str, told: str
) -> None:
    assert in_options(message) == told


def test_a_mistake_is_told_in_one_line_and_knows_where_it_came_from() -> None:
    error = ValueError("`p` must be\n    1.")
    with pytest.raises(UserError, match=r"^--p must be 1\.$") as caught, as_user_errors(ValueError):
        raise error
    assert caught.value.__cause__ is error


def test_errors_of_other_kinds_pass_as_they_are() -> None:
    with pytest.raises(TypeError, match=r"^`p` must be 1\.$"), as_user_errors(ValueError):
        raise TypeError("`p` must be 1.")


@pytest.mark.parametrize("kind", [ValueError, TypeError, FileNotFoundError, MissingExtraError])
def test_what_cannot_be_done_as_asked_is_a_mistake_whatever_its_kind(kind: type[Exception]) -> None:
    with pytest.raises(UserError, match=r"^no$"), as_user_errors(*MISTAKES):
        raise kind("no")


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, AssertionError])
def test_bugs_are_no_mistakes_of_the_user(kind: type[Exception]) -> None:
    with pytest.raises(kind), as_user_errors(*MISTAKES):
        raise kind("a bug")
