"""Values as JSON read back, and equal texts mean equal values."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from corruptlab._json import canonical, decode, encode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text().filter(lambda k: not k.startswith("$")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_encoding_reads_back(value: Any) -> None:
    assert repr(decode(encode(value, "grid"))) == repr(value)


@given(json_values, json_values)
def test_equal_texts_mean_equal_values(one: Any, other: Any) -> None:
    def text(value: Any) -> bytes:
        return canonical(encode(value, "grid"))

    assert (text(one) == text(other)) == (_sorted(one) == _sorted(other))


def _sorted(value: Any) -> str:
    """The independent version: keys in order, and Python's own spelling of the rest."""
    if isinstance(value, dict):
        inside = ",".join(f"{key!r}:{_sorted(value[key])}" for key in sorted(value))
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_sorted, value))}]"
    return repr(value)
