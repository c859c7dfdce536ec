"""How a curve looks: colour, dash pattern and marker, each enough to tell curves apart."""

from typing import NamedTuple


class Look(NamedTuple):
    """Colour, dash pattern, marker, and width of one curve, as matplotlib spells them."""

    color: str
    dashes: tuple[float, ...]
    marker: str
    width: float

    @property
    def linestyle(self) -> str | tuple[int, tuple[float, ...]]:
        """The dash pattern in the form that a line takes."""
        return (0, self.dashes) if self.dashes else "-"


# Colours of Okabe and Ito (2008), made to differ under the common kinds of colour blindness, but
# for their yellow, which vanishes on white. Black is for the curve all others are read against.
# Wide solid and narrow dashed curves take turns, so that two that coincide both stay visible: to a
# fully connected network shuffled pixels are as easy as true labels, and those curves do coincide.
LOOKS = (
    Look("#000000", (), "o", 2.6),
    Look("#56B4E9", (5, 1.5), "s", 1.8),
    Look("#0072B2", (), "D", 2.2),
    Look("#009E73", (2, 1.5), "^", 1.8),
    Look("#CC79A7", (), "v", 2.6),
    Look("#D55E00", (3.5, 1.5), "P", 1.8),
    Look("#E69F00", (), "X", 2.2),
    Look("#999999", (6, 1.5, 1, 1.5), "p", 1.8),
)


def look(place: int) -> Look:
    """Return the look of the curve at a place in the order, starting over after the last one."""
    return LOOKS[place % len(LOOKS)]
